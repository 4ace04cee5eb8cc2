import { readNextDescriptor } from './descriptor-limit.ts';
import type { ListeningHandle } from './handles.ts';

/**
 * A listening socket that nobody accepts from: its connections wait in the system's backlog.
 *
 * `handle` takes the place of the one that was parked. It is one of node:net's own, so that whatever a program does with
 * a server's handle, such as sending it to a child process, works; and it keeps the process alive as the other did.
 */
export interface ParkedListener {
  readonly handle: ListeningHandle;
  /** From here on the handle is an ordinary one, which accepts once listen() is called on it. */
  unpark(): void;
}

/** Takes a listening handle off the event loop, or returns undefined when it cannot; then the handle is as it was. */
export type ParkListener = (handle: ListeningHandle) => ParkedListener | undefined;

/**
 * Takes a listening handle off the event loop without closing its socket.
 *
 * libuv has no call for it. What works is to post the handle through a message port: node:net duplicates the descriptor
 * into the message and closes its own handle, and the handle that comes out does not listen yet. TCP on Node 24.20 and
 * later, or 26.4 and later, can be posted; Unix sockets cannot.
 */
export function parkListener(handle: ListeningHandle): ParkedListener | undefined {
  // The duplicate needs a descriptor: without a free one the message would arrive empty and the socket be lost.
  if (!handle.getsockname || readNextDescriptor() === Infinity) return undefined;
  const hadRef = handle.hasRef();
  // Loaded when a listener is first parked: most servers never are.
  const { receiveMessageOnPort } = process.getBuiltinModule('node:worker_threads');
  const { port1, port2 } = new MessageChannel();
  try {
    port1.postMessage(handle, [handle as never]);
    const received: { message: ListeningHandle } | undefined = receiveMessageOnPort(port2);
    return received && keepParked(received.message, hadRef);
  } catch {
    return undefined;
  } finally {
    port1.close();
  }
}

/** A day: setInterval's longest is 24.8 of them. */
const longMs = 86_400_000;

/**
 * Has a handle that does not listen keep the process alive, or not, as a listening one does. libuv counts only handles
 * that are active, so a timer stands in, which ref(), unref() and close() of the handle move.
 */
export function keepParked(handle: ListeningHandle, hadRef: boolean): ParkedListener {
  const life = setInterval(() => undefined, longMs);
  if (!hadRef) life.unref();
  const unpark = () => {
    const keepsAlive = life.hasRef();
    clearInterval(life);
    // Those of its prototype show again.
    for (const name of ['ref', 'unref', 'hasRef', 'close'] as const) Reflect.deleteProperty(handle, name);
    if (!keepsAlive) handle.unref();
  };
  Object.assign(handle, {
    ref: () => void life.ref(),
    unref: () => void life.unref(),
    hasRef: () => life.hasRef(),
    close(callback?: () => void) {
      unpark();
      handle.close(callback);
    },
  });
  return { handle, unpark };
}
