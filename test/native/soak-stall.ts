/**
 * Connections that are full in both directions with nobody reading, of which one side then breaks off or closes: both
 * ends are to be told, and no descriptor is to stay.
 */
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { openExpressLane, type LaneEvent } from '../../src/flow/express-lane.ts';
import { startRelay } from '../../src/flow/relay.ts';
import { must } from './checks.ts';
import { checkSocketsLeft, countSockets, faults, fdOf, note, portOf, random } from './soak-kit.ts';

const connections = 20;
/** The second that a broken side's last bytes have, the one for what was sent, and what a sanitizer takes. */
const limitMs = 6_000;

interface Pair {
  readonly client: net.Socket;
  readonly target: net.Socket;
}

/** One round of 20, through a lane. */
export async function stallLane(): Promise<void> {
  const socketsBefore = countSockets();
  const { server, accepted } = await listen();
  const listener = net.createServer();
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  const port = portOf(listener);
  let ended = 0;
  const onEvents = (events: readonly LaneEvent[]) => {
    ended += events.filter(({ type }) => type === 'ended').length;
  };
  const targets = [{ address: '127.0.0.1', port: portOf(server) }];
  const lane = must(openExpressLane({ listenFd: fdOf(listener), targets, onEvents }));
  listener.close();
  const pairs: Pair[] = [];
  for (let i = 0; i < connections; i++) pairs.push({ client: await dial(port), target: await accepted() });
  await fillAndBreak(pairs);
  lane.close();
  const timer = setTimeout(() => {
    faults.push(`stalled lane: ${connections - ended} connections have not ended`);
    lane.stop();
  }, limitMs);
  await lane.ended;
  clearTimeout(timer);
  server.close();
  for (const { client, target } of pairs) for (const socket of [client, target]) socket.destroy();
  await checkSocketsLeft(socketsBefore, 'stalled lane');
}

/** The same through relays that are joined in JavaScript. */
export async function stallRelays(): Promise<void> {
  const socketsBefore = countSockets();
  const { server, accepted } = await listen();
  const port = portOf(server);
  const joined: { pair: Pair; front: net.Socket; back: net.Socket }[] = [];
  for (let i = 0; i < connections; i++) {
    const [client, front] = [await dial(port), await accepted()];
    const [back, target] = [await dial(port), await accepted()];
    joined.push({ pair: { client, target }, front, back });
  }
  const relays = joined.map(({ front, back }) => startRelay({ client: front, target: back }));
  const pairs = joined.map(({ pair }) => pair);
  await fillAndBreak(pairs);
  let running = connections;
  const all = Promise.all(relays.map(({ ended }) => ended.then(() => running--)));
  const isInTime = await Promise.race([all.then(() => true), delay(limitMs, false, { ref: false })]);
  if (!isInTime) faults.push(`stalled relays: ${running} have not ended`);
  for (const relay of relays) relay.stop('aborted');
  await all;
  server.close();
  const sockets = joined.flatMap(({ pair, front, back }) => [pair.client, pair.target, front, back]);
  for (const socket of sockets) socket.destroy();
  await checkSocketsLeft(socketsBefore, 'stalled relays');
}

async function listen(): Promise<{ server: net.Server; accepted: () => Promise<net.Socket> }> {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const waiting: net.Socket[] = [];
  server.on('connection', (socket) => waiting.push(socket.on('error', () => undefined)));
  const accepted = async () => {
    while (waiting.length === 0) await once(server, 'connection');
    return waiting.shift()!;
  };
  return { server, accepted };
}

async function dial(port: number): Promise<net.Socket> {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => undefined);
  socket.pause();
  await once(socket, 'connect');
  return socket;
}

/** Fills both directions of each, then ends one side in one of the ways that a process ends. */
async function fillAndBreak(pairs: readonly Pair[]): Promise<void> {
  const bytes = Buffer.alloc(16_000_000);
  for (const { client, target } of pairs) for (const socket of [client, target]) socket.write(bytes);
  await delay(200 + random(300));
  for (const { client, target } of pairs) {
    const one = random(2) === 0 ? client : target;
    if (random(2) === 0) {
      note('stalled reset');
      one.resetAndDestroy();
    } else {
      note('stalled close');
      one.destroy();
    }
  }
}
