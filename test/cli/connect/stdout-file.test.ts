import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { payload, sameBytes } from '../../helpers/bytes.ts';
import { tnetPath } from '../../helpers/cli.ts';
import { startPeerServer } from '../../helpers/peers.ts';
import { tempDir } from '../../helpers/temp.ts';

test('connect writes to a file and ends with 0, every time', async (t) => {
  const sent = payload(100_000);
  const server = await startPeerServer(t, 'tcp', (socket) => socket.end(sent));
  for (let round = 0; round < 5; round++) {
    const file = join(tempDir(t), 'out');
    const output = openSync(file, 'w');
    const child = spawn(process.execPath, [tnetPath, 'connect', ...server.words], {
      stdio: ['ignore', output, 'inherit'],
    });
    closeSync(output);
    t.deepEqual(await once(child, 'exit'), [0, null]);
    sameBytes(t, readFileSync(file), sent);
  }
});
