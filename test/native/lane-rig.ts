import { once } from 'node:events';
import net from 'node:net';
import type { ExecutionContext } from 'ava';
import {
  openExpressLane,
  type ExpressLane,
  type ExpressLaneOptions,
  type LaneEvent,
  type LaneTarget,
} from '../../src/flow/express-lane.ts';
import { must } from './checks.ts';

/** The descriptor of a socket or a server. */
export const fdOf = (owner: object) => (owner as { _handle: { fd: number } })._handle.fd;

/** Not once(), which an error before the close rejects. */
export const whenClosed = (socket: net.Socket) =>
  new Promise((resolve) => socket.resume().once('close', resolve));

export interface Rig {
  readonly lane: ExpressLane;
  readonly port: number;
  readonly events: LaneEvent[];
  readonly connect: () => Promise<net.Socket>;
}

/** A target; its sockets and itself are closed after the test. */
export async function listen(
  t: ExecutionContext,
  onConnection: (socket: net.Socket) => void,
): Promise<LaneTarget> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket.on('error', () => undefined));
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    // A connection may come while the test is being torn down, too late for a teardown of its own.
    server.on('connection', (socket) => void socket.destroy()).close();
    for (const socket of sockets) socket.destroy();
  });
  return { address: '127.0.0.1', port: (server.address() as net.AddressInfo).port };
}

/** A lane on a port of its own; the JavaScript server is closed once the lane has its listener. */
export async function openLane(
  t: ExecutionContext,
  targets: readonly LaneTarget[],
  options: Partial<ExpressLaneOptions> = {},
): Promise<Rig> {
  const server = net.createServer().listen(0, options.listenFd === undefined ? '127.0.0.1' : '::');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const events: LaneEvent[] = [];
  const onEvents = (batch: readonly LaneEvent[]) => void events.push(...batch);
  const lane = must(openExpressLane({ targets, onEvents, ...options, listenFd: fdOf(server) }));
  server.close();
  t.teardown(async () => {
    lane.stop();
    await lane.ended;
  });
  const connect = async () => {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => undefined);
    t.teardown(() => socket.destroy());
    await once(socket, 'connect');
    return socket;
  };
  return { lane, port, events, connect };
}

/** How the first connection to end has ended. */
export const ended = (events: readonly LaneEvent[]) => events.find((event) => event.type === 'ended');
