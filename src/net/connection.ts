import { formatEndpoint, formatHostPort, hasHost, type Endpoint } from '../address/endpoint.ts';
import type { Duplex } from 'node:stream';
import type { Credentials } from '../native/messages.ts';
import { setTimeout as delay } from 'node:timers/promises';
import { Socket } from './index.ts';
import { guarded } from './guard.ts';
import { localEndOf } from './local-end.ts';
import { isTcp } from './held-errors.ts';
import { waitAcknowledged } from './tuning.ts';

/**
 * An open connection, whatever carries it: a Socket, or one peer of a datagram socket. The addresses are undefined
 * where there are none, as on a Unix socket.
 */
export interface Connection extends Duplex {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  /** What the peer is called where it has no IP address, if it has a name. */
  readonly peerName?: string | undefined;
  /** Who the peer of a Unix socket is, where the connection knows it. */
  readonly credentials?: Credentials | undefined;
  /** The socket under it, where a protocol above a socket is the connection: a WebSocket's. It is not to be used. */
  readonly carrier?: Socket | undefined;
}

/** The socket that a connection is, or that carries it; undefined for a datagram peer. */
export function socketOf(connection: Connection): Socket | undefined {
  return connection instanceof Socket ? connection : connection.carrier;
}

/**
 * How long what was sent may take to arrive when a server that ends resets a stream that has not ended, in
 * milliseconds: the process has to be gone within a second.
 */
export const cutDeliveryMs = 500;

/** Ends a connection so that the peer sees a break (see resetSocket); a datagram peer is only released. */
export async function resetConnection(connection: Connection, withinMs?: number): Promise<void> {
  localEndOf(connection)?.hangUp?.();
  const socket = socketOf(connection);
  if (socket) await resetSocket(socket, withinMs);
  if (socket !== connection) connection.destroy();
}

/** Breaks a connection off at once: what the peer has not taken is lost. */
export function breakConnection(connection: Connection): void {
  localEndOf(connection)?.hangUp?.();
  const socket = socketOf(connection);
  if (socket) resetNow(socket);
  if (socket !== connection) connection.destroy();
}

/** How long a peer may take to take our last bytes, and then to end its own side. */
const closingMs = 1_000;
const lingerMs = 200;

/**
 * Closes a connection when its session is over, and returns at once.
 *
 * Over TLS an orderly end is announced (close_notify), and on a WebSocket too (a close frame), after what waits to be
 * sent: without it the peer has to assume that what it got was cut short. With an `error` it was cut short, so nothing
 * is announced.
 */
export function closeConnection(connection: Connection, error?: Error): void {
  const isTold = connection.destroyed || connection.writableFinished;
  const announces = connection instanceof Socket ? connection.secureLayer : connection.carrier;
  if (error || isTold || !announces) {
    connection.destroy();
    return;
  }
  let timer = setTimeout(
    guarded(() => connection.destroy()),
    closingMs,
  );
  connection.on('error', () => undefined);
  connection.once('close', () => clearTimeout(timer));
  connection.once('finish', () => {
    clearTimeout(timer);
    timer = setTimeout(
      guarded(() => connection.destroy()),
      lingerMs,
    );
  });
  // Both ends destroy it. What is left unread would make the system send a reset, which may overtake our last bytes.
  connection.once('end', () => {
    if (connection.writableFinished) connection.destroy();
  });
  connection.resume();
  if (!connection.writableEnded) connection.end();
}

/**
 * How long what came before a reset may take to reach the other side of a relay, in milliseconds: a side that takes
 * nothing must not keep what the reset has left behind.
 */
export const deliveryMs = 1_000;

/**
 * Ends a connection so that the peer sees a break and never a clean end: RST on TCP. A Unix socket has no RST; its
 * peer sees ECONNRESET only if it left bytes unread, so closing is all there is.
 *
 * What was written before is delivered first, as far as the peer takes it within the limit: an RST overtakes what
 * is still in the kernel's send queue.
 *
 * @param withinMs default: deliveryMs
 */
async function resetSocket(socket: Socket, withinMs: number = deliveryMs): Promise<void> {
  if (!socket.destroyed && isTcp(socket) && socket.bytesWritten > 0 && withinMs > 0)
    await waitAcknowledged(socket, { timeoutMs: withinMs });
  resetNow(socket);
}

/** Like resetSocket(), at once: what the peer has not taken is lost. The only place that resets a connection. */
function resetNow(socket: Socket): void {
  if (isTcp(socket) && !socket.connecting) socket.resetAndDestroy();
  else socket.destroy();
}

/** The ends of a connection as they are reported: its own, or as a proxy before us saw them. */
export interface PresentedAddresses {
  readonly remote: string;
  readonly local: string;
  /** The client's IP address and port as a PROXY header names them; absent without one, and for a Unix client. */
  readonly remoteHost?: string;
  readonly remotePort?: number;
}

const presented = new WeakMap<Connection, PresentedAddresses>();

/** Makes formatRemote() and formatLocal() show these addresses for the socket from now on. */
export function presentAddresses(socket: Connection, addresses: PresentedAddresses): void {
  presented.set(socket, addresses);
}

/** What presentAddresses() has set for the socket, which outlasts the connection. */
export function presentedAddresses(socket: Connection): PresentedAddresses | undefined {
  return presented.get(socket);
}

/** How long a peer that was only checked may take to end its side. */
const leavingMs = 100;

/**
 * Closes a connection that was opened only to see whether a server is there, so that the peer sees an orderly end:
 * our side is ended, what the peer says is read and dropped, and its end is waited for, for a moment. A connection
 * that is closed with a greeting unread is reset by the system, and servers report that. Never rejects.
 */
export async function leaveInOrder(connection: Connection): Promise<void> {
  if (connection.destroyed) return;
  const limit = new AbortController();
  const over = new Promise<void>((resolve) => {
    connection.once('end', resolve).once('close', resolve);
  });
  connection
    .on('error', () => undefined)
    .resume()
    .end();
  await Promise.race([over, delay(leavingMs, undefined, { signal: limit.signal }).catch(() => undefined)]);
  limit.abort();
  connection.destroy();
}

/**
 * An empty chunk that only asks when everything before it has been taken. A datagram socket sends nothing for it,
 * while any other empty chunk is a datagram without bytes.
 */
export const flushMark = Buffer.alloc(0);

/** The peer's address of an accepted or opened socket; a Unix client has none of its own. */
export function formatRemote(socket: Connection, server: string): string {
  const { remoteAddress, remotePort, peerName } = socket;
  return remoteAddress === undefined ? (peerName ?? server) : formatHostPort(remoteAddress, remotePort ?? 0);
}

/** Our own address of a connection that we opened; undefined where there is none, as on a Unix socket. */
export function nameClient(socket: Connection, endpoint: Endpoint): string | undefined {
  return hasHost(endpoint) ? formatLocal(socket, formatEndpoint(endpoint)) : undefined;
}

/** Our own address of a socket. */
export function formatLocal(socket: Connection, server: string): string {
  const { localAddress, localPort } = socket;
  return localAddress === undefined ? server : formatHostPort(localAddress, localPort ?? 0);
}
