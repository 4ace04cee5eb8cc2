import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import type { ExecutionContext } from 'ava';
import { collectUntilClose, payload } from './bytes.ts';
import { startCli, tnetPath, type Cli } from './cli.ts';
import { connectPeer, startPeerServer, toTarget, type Family } from './peers.ts';

/** Starts `tnet proxy` in front of a target on loopback, on a free port. */
export async function startProxy(
  t: ExecutionContext,
  target: string,
  ...flags: readonly string[]
): Promise<{ cli: Cli; address: string }> {
  const cli = startCli(t, ['proxy', '127.0.0.1:0', target, ...flags]);
  return { cli, address: await cli.address() };
}

/** A server that sends everything back; its address as tnet takes it. */
export async function startEcho(t: ExecutionContext, family: Family = 'tcp'): Promise<string> {
  const { words } = await startPeerServer(t, family, (socket) => socket.pipe(socket));
  return family === 'unix' ? words[1]! : words.join(':');
}

/** A server that says its name to whoever connects, and ends. */
export async function startNamed(t: ExecutionContext, name: string): Promise<string> {
  const { words } = await startPeerServer(t, 'tcp', (socket) => {
    socket.resume();
    socket.end(name);
  });
  return words.join(':');
}

/** Sends, half-closes, and gives all that comes back with the error that broke it, if one did. */
export async function exchange(
  t: ExecutionContext,
  address: string,
  sent: string | Buffer = '',
): Promise<{ bytes: Buffer; error?: Error }> {
  const socket = await connectPeer(t, address);
  socket.end(sent);
  return collectUntilClose(socket);
}

/** So many clients of an echo at once, each with bytes of its own: `same` for each that got them back, else what it got. */
export function exchangeMany(t: ExecutionContext, address: string, count: number): Promise<string[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const sent = payload(2_000 + index);
      const { bytes, error } = await exchange(t, address, sent);
      return error?.message ?? (bytes.equals(sent) ? 'same' : `${bytes.length} bytes`);
    }),
  );
}

/** What a connection's end looks like to a client that only waits: `end`, or the code of its error. */
export async function waitEnd(t: ExecutionContext, address: string): Promise<string> {
  const socket = net.connect({ ...toTarget(address), allowHalfOpen: true });
  t.teardown(() => socket.destroy());
  socket.resume();
  return new Promise((resolve) => {
    socket.once('end', () => resolve('end'));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
  });
}

/** Runs tnet under a shell's limit on descriptors. */
export async function startLimited(
  t: ExecutionContext,
  descriptors: number,
  args: readonly string[],
): Promise<{ address: string; stderr: () => string; pid: number }> {
  const script = `ulimit -n ${descriptors}; exec "$@"`;
  const child = spawn('sh', ['-c', script, 'sh', process.execPath, tnetPath, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  while (!/listening on (.+)\n/.test(text)) await once(child.stderr, 'data');
  return { address: /listening on (.+)\n/.exec(text)![1]!, stderr: () => text, pid: child.pid! };
}
