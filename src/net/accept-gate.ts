import { AsyncLocalStorage } from 'node:async_hooks';
import { readNextDescriptor } from './descriptors.ts';
import type { ListeningHandle, AcceptedHandle, ServerInternals } from './handles.ts';

/**
 * A listening socket on which nothing accepts: its connections wait in the system's backlog.
 *
 * `handle` replaces the one that was parked. It is one of node:net's own, so that whatever a program does with a
 * server's handle, such as sending it to a child process, works; and it keeps the process alive as the other did.
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
 * Makes a handle that does not listen keep the process alive, or not, as a listening one does. libuv counts only
 * handles that are active, so a timer stands in, controlled by ref(), unref() and close() of the handle.
 */
export function keepParked(handle: ListeningHandle, hadRef: boolean): ParkedListener {
  const life = setInterval(() => undefined, longMs);
  if (!hadRef) life.unref();
  const unpark = () => {
    const keepsAlive = life.hasRef();
    clearInterval(life);
    // Uncovers the methods of its prototype.
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

/**
 * Why a server does not accept: `pause()`, as many connections as allowed, too few free file descriptors, or other
 * code accepts in its place.
 */
export type ShutReason = 'paused' | 'full' | 'descriptors' | 'lent';

/** The most connections that are kept undelivered while a Unix server is shut: as many as its default backlog. */
export const heldConnectionsLimit = 511;

/**
 * Stops a listening server from accepting, and lets it resume.
 *
 * Where the listener can be parked (see listener-parking), connections wait in the system's backlog. Where it cannot
 * (Unix sockets without an addon), the system goes on accepting, and the gate keeps the connections undelivered and
 * unread, in order; beyond heldConnectionsLimit they are refused as by maxConnections.
 *
 * Lives from the server's listening to its close.
 */
export class AcceptGate {
  readonly #server: ServerInternals;
  readonly #deliver: (client: AcceptedHandle) => void;
  readonly #backlog: number;
  readonly #reasons = new Set<ShutReason>();
  /** Accepted while shut, first come first; emptied when the gate opens or closes for good. */
  readonly #held: AcceptedHandle[] = [];
  /**
   * Runs a function in the AsyncLocalStorage context of listen(), where a server's events belong: parking makes
   * handles and opening delivers connections, and a caller of pause(), or code that ends a connection, must not
   * become their context.
   */
  readonly #inContext = AsyncLocalStorage.snapshot();
  #parked: ParkedListener | undefined;

  constructor(server: ServerInternals, backlog: number, deliver: (client: AcceptedHandle) => void) {
    this.#server = server;
    this.#backlog = backlog;
    this.#deliver = deliver;
  }

  get isShut(): boolean {
    return this.#reasons.size > 0;
  }

  shut(reason: ShutReason): void {
    this.#reasons.add(reason);
    this.#inContext(() => this.#park());
  }

  /** Like shut(), but only if `park` can park the listener: holding connections back would not free anything. */
  shutIfParked(reason: ShutReason, park: ParkListener = parkListener): boolean {
    if (!this.#inContext(() => this.#park(park))) return false;
    this.#reasons.add(reason);
    return true;
  }

  open(reason: ShutReason): void {
    if (this.#reasons.delete(reason)) this.#inContext(() => this.#goOn());
  }

  #goOn(): void {
    while (!this.isShut) {
      const client = this.#held.shift();
      if (!client) break;
      this.#deliver(client);
    }
    if (!this.isShut) this.#unpark();
  }

  /** Keeps a connection that was accepted while shut. Returns false when there are too many already. */
  hold(client: AcceptedHandle): boolean {
    if (this.#held.length >= heldConnectionsLimit) return false;
    this.#held.push(client);
    return true;
  }

  /** Breaks off what is held. The server is closing; its handle is closed by node:net. */
  close(): void {
    for (const client of this.#held.splice(0)) client.close();
    this.#reasons.clear();
    this.#parked = undefined;
  }

  #park(park: ParkListener = parkListener): boolean {
    const { _handle: handle } = this.#server;
    if (!this.#parked && handle) {
      this.#parked = park(handle);
      if (this.#parked) {
        this.#parked.handle.onconnection = handle.onconnection;
        this.#server._handle = this.#parked.handle;
      }
    }
    return this.#parked !== undefined;
  }

  #unpark(): void {
    const parked = this.#parked;
    const server = this.#server;
    if (!parked || server._handle !== parked.handle) return;
    this.#parked = undefined;
    parked.unpark();
    const { handle } = parked;
    handle.listen(this.#backlog);
  }
}
