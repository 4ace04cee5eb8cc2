import type { EventEmitter } from 'node:events';
import { TnetError } from '../errors.ts';

/** Told of the first exception that serving a connection has thrown; `cause` is what was thrown. */
export type OnFault = (fault: TnetError) => void;

/** A connection, as far as a guard is concerned. */
export interface Guarded extends EventEmitter {
  destroy(): unknown;
}

/**
 * The last guard of a connection: an exception that nobody expected, thrown by what serves it or by a listener of its
 * events, ends this connection and no other. It is told once, as TNET_E_INTERNAL, and the connection is destroyed.
 *
 * What a timer throws is not caught: nothing says whose it was.
 */
export class ConnectionGuard {
  readonly #onFault: OnFault;
  readonly #connections = new Set<Guarded>();
  #isBroken = false;

  constructor(onFault: OnFault) {
    this.#onFault = onFault;
  }

  /** Guards the listeners of a connection too. It is destroyed with the first fault. */
  watch(connection: Guarded): void {
    if (this.#isBroken) return void connection.destroy();
    this.#connections.add(connection);
    connection.once('close', () => this.#connections.delete(connection));
    const emit = connection.emit.bind(connection) as (...args: unknown[]) => boolean;
    connection.emit = (...args: unknown[]) => {
      try {
        return emit(...args);
      } catch (error) {
        this.fail(error);
        return true;
      }
    };
  }

  /** Runs what serves the connection. Never throws; settles when it is over. */
  async run(serve: () => unknown): Promise<void> {
    try {
      await serve();
    } catch (error) {
      this.fail(error);
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

/** What is told of an exception that nobody expected. */
export function createFault(error: unknown): TnetError {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const [line = ''] = message.split('\n');
  return new TnetError('TNET_E_INTERNAL', `a fault of tnet: ${name}: ${line}`, { cause: error });
}
