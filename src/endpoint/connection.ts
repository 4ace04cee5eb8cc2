import type { Duplex } from 'node:stream';
import { Socket } from '../net/index.ts';
import { resetNow, resetSocket } from '../net/reset.ts';

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
