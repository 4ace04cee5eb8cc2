import { SocketClass, type Socket } from './socket.ts';
import type { SocketOptions } from './socket-type.ts';

/** An open connection without a Socket: it can be sent to another process. */
export interface DetachedHandle {
  close(): void;
}

/** What this file uses of the handles of node:net. */
interface ReadingHandle extends DetachedHandle {
  reading: boolean;
  readStop(): number;
}

/**
 * Takes the connection out of a Socket in the same turn in which it was accepted, so that not a byte of it has been
 * read. The Socket stays as a token: its server counts it as open until it is destroyed.
 *
 * @returns undefined when the connection is gone already
 */
export function detachHandle(socket: Socket): DetachedHandle | undefined {
  const owner = socket as unknown as { _handle: ReadingHandle | null };
  const handle = owner._handle;
  if (!handle) return undefined;
  handle.reading = false;
  handle.readStop();
  owner._handle = null;
  return handle;
}

/** Makes a connection that another process accepted a Socket, of the kind that serve() gives. */
export function adoptDetached(handle: DetachedHandle): Socket {
  const socket = new SocketClass({
    handle,
    allowHalfOpen: true,
    readable: true,
    writable: true,
    dataBeforeError: true,
  } as unknown as SocketOptions);
  socket.setNoDelay(true);
  return socket;
}
