/** Clients of soak-crowd.ts with their target, as a process with a channel to its parent: bulk or short. */
import { once } from 'node:events';
import net from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { CrowdOrder, CrowdWord } from './soak-crowd.ts';
import { checkBytes, faults, patternAt, portOf, random, whenWritable } from './soak-kit.ts';

const isBulk = process.argv[2] === 'bulk';
const count = isBulk ? 40 : 300;

process.once('disconnect', () => server.close());
const ordered = once(process, 'message') as Promise<[CrowdOrder]>;
const server = net.createServer((socket) => {
  socket.on('error', () => undefined);
  if (isBulk) socket.resume();
  else socket.pipe(socket);
});
await once(server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }), 'listening');
say({ port: portOf(server) });
const [{ port, milliseconds }] = await ordered;
const until = Date.now() + milliseconds;
await Promise.all(Array.from({ length: count }, repeat));
say({ faults });

function say(word: CrowdWord): void {
  process.send?.(word);
}

async function repeat(): Promise<void> {
  while (Date.now() < until && faults.length < 20) await (isBulk ? sendBulk() : exchange());
}

/** Sends until the lane's limit. */
async function sendBulk(): Promise<void> {
  const socket = net.connect(port, '127.0.0.1').on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  for (let sent = 0; !socket.destroyed; sent += 60_000) {
    if (!socket.write(patternAt(sent, 60_000))) await whenWritable(socket);
    // A socket that takes everything at once would leave no turn to the others.
    await nextTurn();
  }
  await closed;
}

async function exchange(): Promise<void> {
  let received = 0;
  const socket = net.connect(port, '127.0.0.1').on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('data', (chunk: Buffer) => {
    checkBytes(received, chunk);
    received += chunk.length;
  });
  socket.end(patternAt(0, 1 + random(2_000)));
  await closed;
}
