import net from 'node:net';
import type { ExecutionContext } from 'ava';
import { collect, payload } from './bytes.ts';
import { startCli, type Cli } from './cli.ts';
import { connectPeer, serverWords, startPeerServer } from './peers.ts';

const atOnce = 8;
/** Says that it hangs: a busy machine takes a second for each of the processes. */
export const hangMs = 300_000;

/** Up to 200 KiB: from less than a read to more than the socket's buffers. */
export function randomPayload(): Buffer {
  return payload(Math.floor(Math.random() * 200 * 1024));
}

export async function inParallel(count: number, run: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await run(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** Sends, and resets when the bytes are with the kernel. */
export function sendAndReset(socket: net.Socket, bytes: Buffer): void {
  socket.resume();
  socket.write(bytes, () => socket.resetAndDestroy());
}

/** Exit 1, one line that says it, and everything that arrived handed on and counted. */
export async function checkBrokenSession(t: ExecutionContext, cli: Cli, sent: Buffer): Promise<void> {
  const stdout = await collect(cli.stdout);
  const exit = await cli.exit;
  const lines = cli.stderr().trimEnd().split('\n');
  const events = lines.map(
    (line) => JSON.parse(line) as { event: string; code?: string; receivedBytes?: number },
  );
  const errors = events.filter(({ event }) => event === 'error');
  t.deepEqual(exit, { code: 1, signal: null }, cli.stderr());
  t.deepEqual(
    errors.map(({ code }) => code),
    ['ECONNRESET'],
  );
  t.true(sent.subarray(0, stdout.length).equals(stdout), 'what arrived is the beginning of what was sent');
  t.is(events.find(({ event }) => event === 'ended')?.receivedBytes ?? 0, stdout.length);
  // What fits the receiver's buffer has left the sender before its reset: it must be there, whole.
  if (sent.length <= 64 * 1024) t.is(stdout.length, sent.length);
}

/** How connect and listen fare when the peer resets, each of so many times in a process of its own. */
export const resetByPeer = {
  async connect(t: ExecutionContext, rounds: number): Promise<void> {
    t.timeout(hangMs);
    const server = await startPeerServer(t, 'tcp');
    await inParallel(rounds, async () => {
      const sent = randomPayload();
      const cli = startCli(t, ['connect', '--json', ...server.words]);
      sendAndReset(await server.accept(), sent);
      // Connections are accepted in an order of their own: each is told from the other by its bytes.
      const stdout = await collect(cli.stdout);
      const exit = await cli.exit;
      t.is(exit.code, 1, cli.stderr());
      t.regex(cli.stderr(), /"event":"error".*"code":"ECONNRESET"/);
      t.true(stdout.length <= 200 * 1024);
    });
  },
  async listen(t: ExecutionContext, rounds: number): Promise<void> {
    t.timeout(hangMs);
    await inParallel(rounds, async () => {
      const sent = randomPayload();
      const cli = startCli(t, ['listen', '--json', ...serverWords(t, 'tcp')]);
      const [, address] = await cli.said(/"event":"listening","address":"([^"]+)"/);
      sendAndReset(await connectPeer(t, address!), sent);
      await checkBrokenSession(t, cli, sent);
    });
  },
};
