import type { Duplex } from 'node:stream';
import { Socket } from './index.ts';
import { resetNow, resetSocket } from './reset.ts';
import { guarded } from './guard.ts';

/**
 * An open connection, whatever carries it: a Socket, or one peer of a datagram socket. The addresses are undefined
 * where there are none, as on a Unix socket.
 */
export interface Connection extends Duplex {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

/**
 * How long what was sent may take to arrive when a server that ends resets a stream that has not ended, in milliseconds:
 * the process is to be gone within a second.
 */
export const cutDeliveryMs = 500;

/** Ends a connection so that the peer sees a break (see resetSocket); a datagram peer is only let go. */
export async function resetConnection(connection: Connection, withinMs?: number): Promise<void> {
  if (connection instanceof Socket) await resetSocket(connection, withinMs);
  else connection.destroy();
}

/** Breaks a connection off at once: what the peer has not taken is lost. */
export function breakConnection(connection: Connection): void {
  if (connection instanceof Socket) resetNow(connection);
  else connection.destroy();
}

/** How long a peer may take to take our last bytes, and then to end its own side. */
const closingMs = 1_000;
const lingerMs = 200;

/**
 * Closes a connection when its session is over, and returns at once.
 *
 * Over TLS an orderly end is told (close_notify), behind what waits to be sent: without it the peer has to take what it
 * got for cut short. With an `error` it was cut short, and is not told so.
 */
export function closeConnection(connection: Connection, error?: Error): void {
  const isTold = connection.destroyed || connection.writableFinished;
  if (error || isTold || !(connection instanceof Socket) || !connection.secureLayer) {
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
