import { readNextDescriptor } from './descriptor-limit.ts';
import type { ListeningHandle, PeerName } from './handles.ts';

/**
 * A listening socket that nobody accepts from: its connections wait in the system's backlog.
 * `handle` stands in for the one that was parked; closing it closes the listening socket.
 */
export interface ParkedListener {
  readonly handle: ListeningHandle;
  /** Gives back a handle that accepts once listen() is called on it; undefined when there is none to be had. */
  unpark(): ListeningHandle | undefined;
}

/** Takes a listening handle off the event loop, or returns undefined when it cannot; then the handle is as it was. */
export type ParkListener = (handle: ListeningHandle) => ParkedListener | undefined;

/**
 * Takes a listening handle off the event loop without closing its socket.
 *
 * libuv has no call for it. What works is to post the handle to another thread: node:net duplicates the descriptor
 * into the message and closes its own handle, and a message that nobody receives yet accepts nothing. TCP on Node
 * 24.20 and later, or 26.4 and later, can be posted; Unix sockets cannot.
 *
 * The one seam for an addon that can dup() a Unix listener's descriptor: see useListenerParking().
 */
export let parkListener: ParkListener = parkInMessage;

/** Replaces the way listeners are parked, as by one that an addon offers; undefined brings the own way back. */
export function useListenerParking(park: ParkListener | undefined): void {
  parkListener = park ?? parkInMessage;
}

function parkInMessage(handle: ListeningHandle): ParkedListener | undefined {
  // The duplicate needs a descriptor: without a free one the message would arrive empty and the socket be lost.
  if (!handle.getsockname || readNextDescriptor() === Infinity) return undefined;
  const name: PeerName = {};
  handle.getsockname(name);
  const hadRef = handle.hasRef();
  // Loaded when a listener is first parked: most servers never are.
  const { receiveMessageOnPort } = process.getBuiltinModule('node:worker_threads');
  const { port1, port2 } = new MessageChannel();
  try {
    port1.postMessage(handle, [handle as never]);
  } catch {
    port1.close();
    return undefined;
  }
  const life = startLife(hadRef);
  const take = (): ListeningHandle | undefined => {
    clearInterval(life);
    const received: { message: ListeningHandle } | undefined = receiveMessageOnPort(port2);
    port1.close();
    return received?.message;
  };
  return {
    // The descriptor in a message that nobody receives would stay open.
    handle: createStandIn(handle, name, life, () => take()?.close()),
    unpark: take,
  };
}

/** A day: setInterval's longest is 24.8 of them. */
const longMs = 86_400_000;

/** What keeps the process alive instead of a parked handle. */
export function startLife(hadRef: boolean): NodeJS.Timeout {
  const life = setInterval(() => undefined, longMs);
  return hadRef ? life : life.unref();
}

/**
 * What a parked server shows as its handle: it answers as before, and keeps the process alive as before.
 *
 * @param name undefined for a Unix socket, whose name node:net keeps itself
 */
export function createStandIn(
  parked: ListeningHandle,
  name: PeerName | undefined,
  life: NodeJS.Timeout,
  release: () => void,
): ListeningHandle {
  return {
    fd: -1,
    onconnection: parked.onconnection,
    listen: () => 0,
    close(callback) {
      release();
      if (callback) setImmediate(callback);
    },
    ref: () => void life.ref(),
    unref: () => void life.unref(),
    hasRef: () => life.hasRef(),
    getAsyncId: () => parked.getAsyncId(),
    ...(name && {
      getsockname(out: PeerName) {
        Object.assign(out, name);
        return 0;
      },
    }),
  };
}
