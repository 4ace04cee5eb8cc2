import { isTcp } from './held-errors.ts';
import type { Socket } from './socket.ts';
import { waitAcknowledged } from './tuning.ts';

/**
 * How long what came before a reset may take to reach the other side of a relay, in milliseconds: a side that takes
 * nothing must not hold what the reset has left behind.
 */
export const deliveryMs = 1_000;

/**
 * Ends a connection so that the peer sees a break and never a clean end: RST on TCP. A Unix socket has no RST; its
 * peer sees ECONNRESET only if it left bytes unread, so closing is all there is.
 *
 * What was written before is delivered first, as far as the peer takes it within the limit: a RST overtakes what is
 * still in the kernel's send queue.
 *
 * @param withinMs default: deliveryMs
 */
export async function resetSocket(socket: Socket, withinMs: number = deliveryMs): Promise<void> {
  if (!socket.destroyed && isTcp(socket) && socket.bytesWritten > 0 && withinMs > 0)
    await waitAcknowledged(socket, { timeoutMs: withinMs });
  resetNow(socket);
}

/** As resetSocket(), at once: what the peer has not taken is lost. The only place that resets a connection. */
export function resetNow(socket: Socket): void {
  if (isTcp(socket) && !socket.connecting) socket.resetAndDestroy();
  else socket.destroy();
}
