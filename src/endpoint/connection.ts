import type { Duplex } from 'node:stream';
import { Socket } from '../net/index.ts';
import { resetSocket } from '../net/reset.ts';

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

/** Ends a connection so that the peer sees a break (see resetSocket); a datagram peer is only let go. */
export async function resetConnection(connection: Connection): Promise<void> {
  if (connection instanceof Socket) await resetSocket(connection);
  else connection.destroy();
}

/** Breaks a connection off at once: what the peer has not taken is lost. */
export function breakConnection(connection: Connection): void {
  if (connection instanceof Socket && connection.remoteAddress !== undefined) connection.resetAndDestroy();
  else connection.destroy();
}
