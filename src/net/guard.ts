import { AsyncLocalStorage } from 'node:async_hooks';
import type { EventEmitter } from 'node:events';
import { Transform, type Duplex } from 'node:stream';
import { TnetError } from '../errors.ts';

/** Called with the first exception thrown by serving a connection; `cause` is what was thrown. */
export type OnFault = (fault: TnetError) => void;

/** A connection, as far as a guard is concerned. */
export interface Guarded extends EventEmitter {
  destroy(): unknown;
}

/** The guard of the connection that the running code serves. */
const serving = new AsyncLocalStorage<ConnectionGuard>();

/** The functions by which a stream works, which Node also calls at other times. */
const streamMethods = ['_read', '_write', '_writev'] as const;

/**
 * The last guard of a connection: an unexpected exception, thrown by the code that serves it or by a listener of
 * its events, ends this connection and no other. It is reported once, as TNET_E_INTERNAL, and the connection is
 * destroyed.
 *
 * Functions that are called later, for example by a timer, have to be wrapped by guarded(), and streams through
 * which the connection's bytes pass have to be given to guardStream().
 */
export class ConnectionGuard {
  readonly #onFault: OnFault;
  readonly #connections: Guarded[] = [];
  #isBroken = false;

  constructor(onFault: OnFault) {
    this.#onFault = onFault;
  }

  /** Guards the listeners of a connection too. The connection is destroyed at the first fault. */
  watch(connection: Guarded): void {
    if (this.#isBroken) return void connection.destroy();
    this.#connections.push(connection);
    const emit = Reflect.get(connection, 'emit') as (...args: unknown[]) => boolean;
    connection.emit = (...args: unknown[]) => this.#call(emit, connection, args) ?? true;
  }

  /** Like watch(), and also guards the stream's own functions. */
  watchStream(stream: Duplex): void {
    this.watch(stream);
    const methods = stream as unknown as Record<string, ((...args: unknown[]) => unknown) | undefined | null>;
    // On a Transform whose _final() is replaced, the end is processed twice.
    for (const name of [...streamMethods, stream instanceof Transform ? '_flush' : '_final']) {
      const method = methods[name];
      if (method) methods[name] = (...args) => this.#call(method, stream, args);
    }
  }

  /** Runs what serves the connection. Never throws; settles when it is over. */
  async run(serve: () => unknown): Promise<void> {
    try {
      await serving.run(this, serve);
    } catch (error) {
      this.fail(error);
    }
  }

  #call<Result>(
    method: (...args: never[]) => Result,
    self: unknown,
    args: readonly unknown[],
  ): Result | undefined {
    try {
      // Most calls come from code that already runs for the connection.
      if (serving.getStore() === this) return Reflect.apply(method, self, args) as Result;
      return serving.run(this, () => Reflect.apply(method, self, args) as Result);
    } catch (error) {
      this.fail(error);
      return undefined;
    }
  }

  /** Something has failed that must not fail. */
  fail(error: unknown): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    this.#onFault(createFault(error));
    for (const connection of this.#connections) connection.on('error', () => undefined).destroy();
  }
}

/**
 * A callback for a timer, or whatever else calls later, on behalf of the connection that is served now: what it
 * throws, or its promise rejects with, ends that connection. When none is served it is returned as it is.
 */
export function guarded<Args extends unknown[]>(
  callback: (...args: Args) => unknown,
): (...args: Args) => void {
  const guard = serving.getStore();
  return guard ? (...args) => void guard.run(() => callback(...args)) : callback;
}

/**
 * Guards a stream that belongs to one connection together with the connection that is served now, if there is one.
 */
export function guardStream(stream: Duplex): void {
  serving.getStore()?.watchStream(stream);
}

/** The error that reports an unexpected exception. */
export function createFault(error: unknown): TnetError {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const [line = ''] = message.split('\n');
  return new TnetError('TNET_E_INTERNAL', `a fault of tnet: ${name}: ${line}`, { cause: error });
}
