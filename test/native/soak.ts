/**
 * Native flows under random resets, stalls, cancels and ends, for a while:
 *
 *     node test/native/soak.ts [SECONDS] [CONCURRENCY] [SEED]
 *
 * Meant for an addon with sanitizers (test/native/README.md). Checks every byte and every count, and at the end that
 * no descriptor is left. Prints what it did; the exit status is 1 when anything was wrong.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Ending } from '../../src/flow/flow.ts';
import { openExpressLane, type ExpressLane, type LaneEvent } from '../../src/flow/express-lane.ts';
import { nativeStatus } from '../../src/native/addon.ts';
import { spliceFlow, type SpliceFlow } from '../../src/flow/splice-flow.ts';
import { listDescriptors, must } from './checks.ts';
import { crowd } from './soak-crowd.ts';
import {
  checkBytes,
  checkSocketsLeft,
  countSockets,
  faults,
  note,
  patternAt,
  random,
  setSeed,
  tally,
  whenWritable,
} from './soak-kit.ts';
import { stallLane, stallRelays } from './soak-stall.ts';

const [seconds = 10, concurrency = 24, firstSeed = Date.now() % 1_000_000] = process.argv
  .slice(2)
  .map(Number);
setSeed(firstSeed);

interface Peer {
  readonly socket: net.Socket;
  sent: number;
  received: number;
}

const servers = new Map<string, net.Server>();
const folder = mkdtempSync(join(tmpdir(), 'tnet-soak-'));

async function openServers(): Promise<void> {
  for (const kind of ['tcp', 'unix']) {
    const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
    server.listen(kind === 'tcp' ? { host: '127.0.0.1', port: 0 } : { path: join(folder, 's') });
    await once(server, 'listening');
    server.setMaxListeners(0);
    servers.set(kind, server);
  }
}

/** Connects one at a time, so that each side finds its other. */
let connecting = Promise.resolve();
async function connectPair(viaPort?: number): Promise<[Peer, net.Socket]> {
  const before = connecting;
  const done = Promise.withResolvers<undefined>();
  connecting = done.promise.then(() => undefined);
  await before;
  const server = servers.get(random(3) === 0 && !viaPort ? 'unix' : 'tcp')!;
  const address = server.address();
  const where = viaPort
    ? { host: '127.0.0.1', port: viaPort }
    : typeof address === 'string'
      ? { path: address }
      : { host: '127.0.0.1', port: address!.port };
  const pair = await tryPair(server, where);
  done.resolve(undefined);
  return pair ?? connectPair(viaPort);
}

/** Undefined where the connection is over before it is known to stand: a lane that is told to end may reset it. */
async function tryPair(
  server: net.Server,
  where: net.NetConnectOpts,
): Promise<[Peer, net.Socket] | undefined> {
  const socket = net.connect({ ...where, allowHalfOpen: true });
  const accepted = new Promise<net.Socket>((resolve) => server.once('connection', resolve));
  try {
    await once(socket, 'connect');
    const far = await accepted;
    for (const one of [socket, far]) one.on('error', () => undefined);
    return [{ socket, sent: 0, received: 0 }, far];
  } catch (error) {
    note(`connect ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
  // What the lane has connected for it comes soon, or never, and must not be taken for another's.
  server.removeAllListeners('connection');
  const stray = (far: net.Socket) => far.on('error', () => undefined).destroy();
  server.on('connection', stray);
  await delay(500);
  server.off('connection', stray);
  return undefined;
}

/** Writes and reads at random until its part is over. */
async function behave(peer: Peer): Promise<void> {
  const { socket } = peer;
  socket.on('data', (chunk: Buffer) => {
    checkBytes(peer.received, chunk);
    peer.received += chunk.length;
  });
  socket.resume();
  for (let steps = random(30); steps > 0 && !socket.destroyed; steps--) {
    const what = random(20);
    if (what === 0) {
      note('stall');
      socket.pause();
      await delay(random(30));
      socket.resume();
    } else if (what === 1) await delay(random(5));
    else await send(peer, 1 + random(what < 8 ? 200 : 60_000), what > 14 ? 1 + random(40) : 1);
  }
  if (random(6) === 0) {
    note('reset');
    if (socket.remoteAddress === undefined) socket.destroy();
    else socket.resetAndDestroy();
  } else socket.end();
}

async function send(peer: Peer, length: number, times: number): Promise<void> {
  const { socket } = peer;
  for (let i = 0; i < times && !socket.destroyed && !socket.writableEnded; i++) {
    const accepted = socket.write(patternAt(peer.sent, length));
    peer.sent += length;
    if (!accepted) await whenWritable(socket);
  }
}

function check(
  name: string,
  flow: SpliceFlow,
  ending: Ending,
  from: Peer,
  to: Peer,
  wasStopped: boolean,
): void {
  note(`${name} ${ending.reason}`);
  if (ending.bytes + ending.unsentBytes !== flow.bytesRead) faults.push(`counts: ${JSON.stringify(ending)}`);
  if (ending.bytes > from.sent) faults.push(`${ending.bytes} bytes of ${from.sent}`);
  if (to.received > ending.bytes) faults.push(`received ${to.received} of ${ending.bytes}`);
  if (ending.reason === 'eof' && ending.unsentBytes > 0) faults.push('unsent bytes after an orderly end');
  if (ending.reason === 'eof' && !wasStopped && from.socket.writableFinished && ending.bytes !== from.sent) {
    faults.push(`an orderly end after ${ending.bytes} of ${from.sent} bytes`);
  }
}

async function relay(): Promise<void> {
  const [client, front] = await connectPair();
  const [target, back] = await connectPair();
  const up = must(spliceFlow({ source: front, sink: back }));
  const down = must(spliceFlow({ source: back, sink: front }));
  const work = Promise.all([behave(client), behave(target)]);
  const isStopped = random(5) === 0;
  if (isStopped) {
    await delay(random(30));
    for (const flow of [up, down]) {
      if (random(2)) flow.stop('aborted');
      else flow.finish();
    }
  }
  const [upEnding, downEnding] = await Promise.all([endOf(up, down), endOf(down, up)]);
  await Promise.race([work, delay(50)]);
  check('relay', up, upEnding, client, target, isStopped);
  check('relay', down, downEnding, target, client, isStopped);
  for (const socket of [front, back, client.socket, target.socket]) socket.destroy();
  await work;
}

/** A broken direction stops the other one, as a session has it. */
async function endOf(flow: SpliceFlow, other: SpliceFlow): Promise<Ending> {
  const ending = await flow.ended;
  if (ending.reason !== 'eof') setTimeout(() => other.stop('aborted'), random(20));
  return ending;
}

async function echo(): Promise<void> {
  const [client, socket] = await connectPair();
  const flow = must(spliceFlow({ source: socket, sink: socket }));
  const work = behave(client);
  const isStopped = random(8) === 0;
  if (isStopped) setTimeout(() => flow.stop('aborted'), random(20));
  check('echo', flow, await flow.ended, client, client, isStopped);
  socket.destroy();
  client.socket.destroy();
  await work;
}

type LaneEnding = Extract<LaneEvent, { type: 'ended' }>;

const laneEndings = new Map<number, (ending: LaneEnding) => void>();
const lanePorts = new Map<number, number>();
let lanePort = 0;

async function openLane(): Promise<ExpressLane> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  lanePort = (server.address() as net.AddressInfo).port;
  const { port } = servers.get('tcp')!.address() as net.AddressInfo;
  const { fd: listenFd } = (server as unknown as { _handle: { fd: number } })._handle;
  const onEvents = (events: readonly LaneEvent[]) => {
    for (const event of events) {
      if (event.type === 'accepted') lanePorts.set(event.id, event.remote!.port);
      if (event.type === 'asked') setTimeout(() => lane.answer(event.id, { target }), random(5));
      if (event.type === 'ended') laneEndings.get(lanePorts.get(event.id)!)?.(event);
    }
  };
  const target = { address: '127.0.0.1', port };
  const asks = ([undefined, 'at-once', 'first-bytes'] as const)[random(3)];
  const targets = asks ? [] : [target];
  const options = { listenFd, targets, asks, onEvents, idleMs: 5000, maxConnections: 20 };
  const lane = must(openExpressLane(options));
  server.close();
  return lane;
}

async function express(lane: ExpressLane): Promise<void> {
  const [client, accepted] = await connectPair(lanePort);
  const target = { socket: accepted, sent: 0, received: 0 };
  const port = client.socket.localPort!;
  const ended = new Promise<LaneEnding>((resolve) => laneEndings.set(port, resolve));
  const work = Promise.all([behave(client), behave(target)]);
  if (random(10) === 0) {
    await delay(random(30));
    const id = [...lanePorts].find(([, known]) => known === port)?.[0];
    if (id !== undefined) lane.stopConnection(id);
  }
  const { id, upBytes, downBytes, error } = await ended;
  lanePorts.delete(id);
  laneEndings.delete(port);
  await Promise.race([work, delay(50)]);
  note(`express ${error?.code ?? 'eof'}`);
  if (client.received > downBytes || downBytes > target.sent)
    faults.push(`down ${downBytes} of ${target.sent}`);
  if (target.received > upBytes || upBytes > client.sent) faults.push(`up ${upBytes} of ${client.sent}`);
  if (!error && (upBytes !== client.sent || downBytes !== target.sent))
    faults.push('an orderly end too early');
  client.socket.destroy();
  accepted.destroy();
  await work;
}

async function worker(lane: ExpressLane, until: number): Promise<void> {
  while (Date.now() < until && faults.length < 20) {
    const what = random(8);
    if (what < 2) await echo();
    else if (what < 5) await relay();
    else await express(lane);
  }
}

process.stdout.write(`soak: ${JSON.stringify(nativeStatus())}, ${seconds} s, seed ${firstSeed}\n`);
await openServers();
await echo(); // The engine makes its own descriptors with its first flow.
const socketsBefore = countSockets();
const endAt = Date.now() + seconds * 1000;
// In turns of a minute at most, so that a long soak mixes the states that the parts leave behind.
while (Date.now() < endAt && faults.length === 0) {
  const turnMs = Math.min(60_000, endAt - Date.now());
  const lane = await openLane();
  const until = Date.now() + turnMs / 2;
  await Promise.all(Array.from({ length: concurrency }, () => worker(lane, until)));
  lane.close();
  await lane.ended;
  await checkSocketsLeft(socketsBefore, 'flows');
  await stallLane();
  await stallRelays();
  await crowd(turnMs / 2);
}
for (const server of servers.values()) server.close();
rmSync(folder, { recursive: true });
process.stdout.write(`${JSON.stringify({ tally, descriptors: listDescriptors().length, faults })}\n`);
process.exitCode = faults.length > 0 ? 1 : 0;
