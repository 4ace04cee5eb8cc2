import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { LaneTarget } from '../../src/flow/express-lane.ts';
import { loadNativeAddon } from '../../src/native/addon.ts';
import { collect, createBytes, createFolder, listDescriptors, nativeTest, until } from './ends.ts';
import { ended, fdOf, listen, openLane, whenClosed, type Rig } from './lane-rig.ts';

const countSockets = () => listDescriptors().filter((line) => line.includes('socket:')).length;

interface Joined extends Rig {
  readonly id: number;
  readonly client: net.Socket;
  readonly target: net.Socket;
}

/** A connection through a lane of its own, of which nothing is read yet. */
async function joinPair(t: ExecutionContext, kind: 'tcp' | 'unix' = 'tcp'): Promise<Joined> {
  const accepted = Promise.withResolvers<net.Socket>();
  const at = kind === 'tcp' ? await listen(t, accepted.resolve) : await listenUnix(t, accepted.resolve);
  const rig = await openLane(t, [at]);
  const client = await rig.connect();
  const target = await accepted.promise;
  for (const socket of [client, target]) socket.pause();
  await until(() => rig.events.some(({ type }) => type === 'connected'));
  const [first] = rig.events;
  return { ...rig, id: first?.type === 'accepted' ? first.id : 0, client, target };
}

async function listenUnix(
  t: ExecutionContext,
  onConnection: (socket: net.Socket) => void,
): Promise<LaneTarget> {
  const path = join(createFolder(t), 's');
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    t.teardown(() => socket.destroy());
    onConnection(socket.on('error', () => undefined));
  });
  await once(server.listen(path), 'listening');
  t.teardown(() => server.close());
  return { path };
}

/**
 * More than the systems of both sides and the lane can hold, so that each side has something left to write: tcp(7), the
 * most that a socket's buffers grow to, for the two sockets of a direction, and the lane's pipe.
 */
const moreThanFits = Buffer.alloc(
  2 * (readMost('/proc/sys/net/ipv4/tcp_rmem') + readMost('/proc/sys/net/ipv4/tcp_wmem')) + 2_000_000,
);

function readMost(path: string): number {
  return Number(readFileSync(path, 'utf8').trim().split(/\s+/).at(-1));
}

/** Writes to both sides until the lane can pass nothing on, in either direction. */
async function fill({ client, target, lane, id }: Joined): Promise<void> {
  for (const socket of [client, target]) socket.write(moreThanFits);
  await until(() => {
    const state = lane.readConnection(id);
    return state?.up.blocked === true && state.down.blocked;
  });
}

/** How a socket that is read to its end ends: `end`, or the code of its error. */
function endOf(socket: net.Socket): Promise<string | undefined> {
  return new Promise((resolve) => {
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code));
    socket.once('end', () => resolve('end')).resume();
  });
}

/** The code of a socket's error, also where nobody reads it: what it still writes tells. */
async function codeOf(socket: net.Socket): Promise<string | undefined> {
  const [{ code }] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
  return code;
}

const breaks = [
  { side: 'client', how: 'resets', kind: 'tcp' },
  { side: 'client', how: 'closes', kind: 'tcp' },
  { side: 'target', how: 'resets', kind: 'tcp' },
  { side: 'target', how: 'closes', kind: 'tcp' },
  { side: 'target', how: 'closes', kind: 'unix' },
] as const;

for (const { side, how, kind } of breaks) {
  nativeTest(
    `a ${kind} ${side} that ${how} while both directions are full and nobody reads ends the other within a second`,
    async (t) => {
      const socketsBefore = countSockets();
      const joined = await joinPair(t, kind);
      await fill(joined);
      const { client, target, events } = joined;
      const [one, other] = side === 'client' ? [client, target] : [target, client];
      const told = codeOf(other);
      const brokenAt = performance.now();
      if (how === 'resets') one.resetAndDestroy();
      else one.destroy();
      await until(() => ended(events) !== undefined);
      const elapsedMs = performance.now() - brokenAt;
      t.true(elapsedMs > 900 && elapsedMs < 2_500, `${elapsedMs} ms`);
      const ending = ended(events);
      t.is(ending?.type === 'ended' ? ending.broken : undefined, side);
      t.is(await told, 'ECONNRESET');
      other.destroy();
      // The target and the lane's listener are there until the test is over.
      await until(() => countSockets() <= socketsBefore + 2);
    },
  );
}

nativeTest('what the lane had read before a reset is delivered to a side that reads again', async (t) => {
  const joined = await joinPair(t);
  await fill(joined);
  const { client, target, lane, id, events } = joined;
  const { bytesRead = 0 } = lane.readConnection(id)?.up ?? {};
  client.resetAndDestroy();
  let received = 0;
  target.on('data', (chunk: Buffer) => (received += chunk.length));
  t.is(await endOf(target), 'ECONNRESET');
  await until(() => ended(events) !== undefined);
  const ending = ended(events);
  t.is(ending?.type === 'ended' ? ending.upBytes : 0, received);
  t.true(received >= bytesRead, `${received} of ${bytesRead} bytes`);
});

nativeTest(
  'a client that had ended in order before it broke off is delivered as slowly as it takes',
  async (t) => {
    const { client, target, events } = await joinPair(t);
    const bytes = createBytes(8_000_000);
    client.end(bytes);
    await new Promise((resolve) => setTimeout(resolve, 50));
    t.is(ended(events), undefined);
    target.write('too late for a client that leaves');
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    t.true(bytes.equals(await collect(target)));
  },
);

nativeTest('cutting a connection lets what was read arrive, and then resets both sides', async (t) => {
  const { client, target, lane, id, events } = await joinPair(t);
  target.write('some of it');
  await until(() => lane.readConnection(id)?.down.bytes === 10);
  lane.cutConnection(id);
  lane.cutConnection(id);
  const atTarget = endOf(target);
  let received = '';
  client.on('data', (chunk: Buffer) => (received += chunk.toString()));
  t.is(await endOf(client), 'ECONNRESET');
  t.is(await atTarget, 'ECONNRESET');
  t.is(received, 'some of it');
  await until(() => ended(events) !== undefined);
  const ending = ended(events);
  t.is(ending?.type === 'ended' ? ending.error?.code : undefined, 'ECANCELED');
});

nativeTest('cutting a connection gives a side that takes nothing half a second', async (t) => {
  const joined = await joinPair(t);
  await fill(joined);
  const { client, target, lane, id, events } = joined;
  const told = Promise.all([client, target].map(codeOf));
  const cutAt = performance.now();
  lane.cutConnection(id);
  lane.close();
  await lane.ended;
  const elapsedMs = performance.now() - cutAt;
  t.true(elapsedMs > 400 && elapsedMs < 1_500, `${elapsedMs} ms`);
  const ending = ended(events);
  t.is(ending?.type === 'ended' ? ending.error?.code : undefined, 'ECANCELED');
  t.deepEqual(await told, ['ECONNRESET', 'ECONNRESET']);
});

nativeTest('a connection that is stopped twice, or after it was cut, ends once', async (t) => {
  for (const commands of [
    ['stopConnection', 'stopConnection'],
    ['cutConnection', 'stopConnection'],
    ['stopConnection', 'cutConnection'],
  ] as const) {
    const { client, lane, id, events } = await joinPair(t);
    for (const command of commands) lane[command](id);
    await whenClosed(client);
    lane.stop();
    await lane.ended;
    t.is(events.filter(({ type }) => type === 'ended').length, 1);
  }
});

nativeTest('a reset stays a reset where the connection is stopped meanwhile', async (t) => {
  const joined = await joinPair(t);
  await fill(joined);
  const { client, lane, id, events } = joined;
  client.resetAndDestroy();
  await until(() => !lane.readConnection(id)?.down.blocked);
  lane.stopConnection(id);
  await until(() => ended(events) !== undefined);
  const ending = ended(events);
  t.is(ending?.type === 'ended' ? ending.broken : undefined, 'client');
});

nativeTest('cutting a connection waits until the other side has acknowledged what was sent', async (t) => {
  const { client, target, lane, id, events } = await joinPair(t);
  // The client's system takes a small part: the rest is on its way when the connection is cut.
  loadNativeAddon()?.setOption(fdOf(client), 'rcvbuf', 16_384);
  const bytes = createBytes(150_000);
  target.write(bytes);
  await until(() => lane.readConnection(id)?.down.bytesRead === bytes.length);
  const chunks: Buffer[] = [];
  lane.cutConnection(id);
  client.on('data', (chunk: Buffer) => chunks.push(chunk));
  t.is(await endOf(client), 'ECONNRESET');
  await until(() => ended(events) !== undefined);
  t.true(bytes.equals(Buffer.concat(chunks)));
});
