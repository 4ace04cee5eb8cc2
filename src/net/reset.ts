import type { Socket } from './socket.ts';
import { waitAcknowledged } from './tuning.ts';

/**
 * Ends a connection so that the peer sees a break and never a clean end: RST on TCP. A Unix socket has no RST; its
 * peer sees ECONNRESET only if it left bytes unread, so closing is all there is.
 *
 * What was written before is delivered first, as far as the peer takes it within a second: a RST overtakes what is
 * still in the kernel's send queue.
 */
export async function resetSocket(socket: Socket): Promise<void> {
  if (socket.destroyed) return;
  if (socket.remoteAddress === undefined) {
    socket.destroy();
    return;
  }
  if (socket.bytesWritten > 0) await waitAcknowledged(socket, { timeoutMs: deliveryMs });
  socket.resetAndDestroy();
}

const deliveryMs = 1_000;
