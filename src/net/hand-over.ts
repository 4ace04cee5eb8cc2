import { closeSync } from 'node:fs';
import net from 'node:net';
import { SocketClass, type Socket } from './socket.ts';
import type { SocketOptions } from './socket-type.ts';
import type { ListeningHandle } from './handles.ts';
import { loadNativeAddon, type NativeAddon } from '../native/addon.ts';
import { keepParked, type ParkedListener } from './accept-gate.ts';
import { internals, kState } from './server-state.ts';
import type { Server } from './server.ts';

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

/** A listening socket on which other code accepts in place of its server. */
export interface ListenerLoan {
  /** Open until `giveBack`. */
  readonly fd: number;
  /** The server accepts again, if it is still listening. */
  giveBack(): void;
}

/**
 * Makes a server stop accepting without losing a waiting connection, and lends its listening socket. The server's
 * address, its events and its close() stay as they are; it still has to be closed.
 *
 * @returns undefined when the server is not listening, or on no socket of its own, or there is no native addon
 */
export function lendListener(server: Server): ListenerLoan | undefined {
  const { gate } = server[kState];
  const { _handle: handle } = internals(server);
  const addon = loadNativeAddon();
  if (!addon || !gate || !handle || handle.fd < 0) return undefined;
  const fd = addon.duplicate(handle.fd);
  const isParked = gate.shutIfParked('lent', (listener) => parkByDuplicate(addon, listener));
  const giveBack = () => {
    closeSync(fd);
    gate.open('lent');
  };
  if (isParked) return { fd, giveBack };
  closeSync(fd);
  return undefined;
}

const { _createServerHandle: createServerHandle } = net as unknown as {
  _createServerHandle: (address: null, port: null, addressType: null, fd: number) => ListeningHandle | number;
};

/** Parks listeners of every kind: a duplicate of the descriptor keeps the socket when the handle is closed. */
function parkByDuplicate(addon: NativeAddon, handle: ListeningHandle): ParkedListener | undefined {
  const fd = tryTo(() => addon.duplicate(handle.fd));
  if (fd === undefined) return undefined;
  const opened = createServerHandle(null, null, null, fd);
  if (typeof opened === 'number') {
    closeSync(fd);
    return undefined;
  }
  const hadRef = handle.hasRef();
  handle.close();
  return keepParked(opened, hadRef);
}

function tryTo<Value>(action: () => Value): Value | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
