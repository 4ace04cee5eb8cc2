import type { Socket } from './socket.ts';

/**
 * Takes O_NONBLOCK off a pipe or terminal that Node put it on.
 *
 * The flag belongs to the open file, not to the descriptor: the shell and the next command share it, and would see
 * EAGAIN from their own reads and writes. Node restores it at exit only on descriptors 0 to 2 that are still open, so
 * whoever closes one of them sooner calls this first.
 */
export function restoreBlocking(socket: Socket): void {
  const { _handle: handle } = socket as unknown as {
    _handle?: { setBlocking?: (on: boolean) => number } | null;
  };
  handle?.setBlocking?.(true);
}
