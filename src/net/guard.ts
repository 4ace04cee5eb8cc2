import { AsyncLocalStorage } from 'node:async_hooks';
import type { EventEmitter } from 'node:events';
import { Transform, type Duplex } from 'node:stream';
import { TnetError } from '../errors.ts';

/** Told of the first exception that serving a connection has thrown; `cause` is what was thrown. */
export type OnFault = (fault: TnetError) => void;

/** A connection, as far as a guard is concerned. */
export interface Guarded extends EventEmitter {
  destroy(): unknown;
}

/** Whose connection what runs now is for. */
const serving = new AsyncLocalStorage<ConnectionGuard>();

/** What a stream does by functions of its own, which Node calls at times of its own too. */
const streamMethods = ['_read', '_write', '_writev'] as const;

/**
 * The last guard of a connection: an exception that nobody expected, thrown by what serves it or by a listener of its
 * events, ends this connection and no other. It is told once, as TNET_E_INTERNAL, and the connection is destroyed.
 *
 * What is called later by something else, as a timer, is to be wrapped by guarded(), and a stream that the connection's
 * bytes pass through to be given to guardStream().
 */
export class ConnectionGuard {
  readonly #onFault: OnFault;
  readonly #connections: Guarded[] = [];
  #isBroken = false;

  constructor(onFault: OnFault) {
    this.#onFault = onFault;
  }

  /** Guards the listeners of a connection too. It is destroyed with the first fault. */
  watch(connection: Guarded): void {
    if (this.#isBroken) return void connection.destroy();
    this.#connections.push(connection);
    const emit = Reflect.get(connection, 'emit') as (...args: unknown[]) => boolean;
    connection.emit = (...args: unknown[]) => this.#call(emit, connection, args) ?? true;
  }

  /** As watch(), and guards what the stream itself does. */
  watchStream(stream: Duplex): void {
    this.watch(stream);
    const methods = stream as unknown as Record<string, ((...args: unknown[]) => unknown) | undefined | null>;
    // A Transform whose _final() is not its own one has its end worked on twice.
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
      // Most of what is called is called by what runs for the connection already.
      if (serving.getStore() === this) return Reflect.apply(method, self, args) as Result;
      return serving.run(this, () => Reflect.apply(method, self, args) as Result);
    } catch (error) {
      this.fail(error);
      return undefined;
    }
  }

  /** Something has failed that must not. */
  fail(error: unknown): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    this.#onFault(createFault(error));
    for (const connection of this.#connections) connection.on('error', () => undefined).destroy();
  }
}

/**
 * A callback for a timer, or whatever else calls later, on behalf of the connection that is served now: what it throws,
 * or its promise rejects with, ends that connection. Where none is served it is given back as it is.
 */
export function guarded<Args extends unknown[]>(
  callback: (...args: Args) => unknown,
): (...args: Args) => void {
  const guard = serving.getStore();
  return guard ? (...args) => void guard.run(() => callback(...args)) : callback;
}

/** Has a stream that is the connection's alone guarded with the connection that is served now, if one is. */
export function guardStream(stream: Duplex): void {
  serving.getStore()?.watchStream(stream);
}

/** What is told of an exception that nobody expected. */
export function createFault(error: unknown): TnetError {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const [line = ''] = message.split('\n');
  return new TnetError('TNET_E_INTERNAL', `a fault of tnet: ${name}: ${line}`, { cause: error });
}
