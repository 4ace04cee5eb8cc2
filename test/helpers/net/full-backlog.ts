import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { errorCode } from '../../../src/errors.ts';
import { tempDir } from '../temp.ts';

/** A listener that accepts nothing for so long, and whose backlog of one is full until then. */
export async function startFull(
  t: ExecutionContext,
  pauseMs: number,
): Promise<{ path: string; end: () => void }> {
  const path = join(tempDir(t), 's');
  const script = `
    const server = require('net').createServer((socket) => socket.on('error', () => 0).end('hello'));
    server.listen({ path: '${path}', backlog: 1 }, () => {
      require('fs').writeSync(1, 'up');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${pauseMs});
    });`;
  const server = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(server.stdout, 'data');
  const fillers: net.Socket[] = [];
  t.teardown(() => {
    server.kill('SIGKILL');
    for (const filler of fillers) filler.destroy();
  });
  for (let code: string | undefined; code !== 'EAGAIN';) {
    const filler = net.connect(path);
    fillers.push(filler);
    code = await new Promise((resolve) => {
      filler.once('connect', () => resolve(undefined)).once('error', (error) => resolve(errorCode(error)));
    });
  }
  return { path, end: () => server.kill('SIGKILL') };
}
