import { type Greeting, type GreetingLimits, SaidNothing } from './greeting.ts';
import { errorCode, TnetError, formatLimit } from '../../errors.ts';
import type { Socket } from '../../net/index.ts';
import { guarded } from '../../net/guard.ts';

export interface HeadLimits extends GreetingLimits {
  /** The beginning of the message when the limit is exceeded. Default: `the client did not say what it wants`. */
  readonly what?: string;
}

/**
 * Reads what a client says before it is served, chunk by chunk, within one limit for all of it: a client that sends
 * a byte a second is cut off like one that sends none. Bytes left over are given back to the socket.
 */
export class HeadReader {
  readonly #client: Socket;
  readonly #deadline: number;
  readonly #limits: HeadLimits;

  /** Bytes that an earlier reader could not give back. */
  #early: Buffer | undefined;
  #hasHeard = false;

  /** Takes the socket over until finish(), with what an earlier reader left. */
  constructor(client: Socket, limits: HeadLimits, { early }: Pick<Greeting, 'early'> = {}) {
    this.#client = client;
    this.#early = early;
    this.#limits = limits;
    this.#deadline = performance.now() + limits.limitMs;
  }

  /**
   * The next chunk; undefined at the client's end.
   *
   * @throws TnetError TNET_E_TIMEOUT when the limit has run out; the signal's reason; the socket's error
   */
  async next(): Promise<Buffer | undefined> {
    const chunk = await this.#read();
    this.#hasHeard ||= chunk !== undefined;
    return chunk;
  }

  /**
   * Like next(), when the client has to say something. `mayEnd`: it may end its side without a word, and wait.
   *
   * @throws SaidNothing when it leaves without having said anything, by closing or by a reset; what next() throws
   */
  async nextOfGreeting({ mayEnd = false } = {}): Promise<Buffer | undefined> {
    let chunk: Buffer | undefined;
    try {
      chunk = await this.next();
    } catch (error) {
      const isStopped = this.#limits.signal?.aborted === true || errorCode(error) === 'TNET_E_TIMEOUT';
      throw this.#hasHeard || isStopped ? error : new SaidNothing();
    }
    if (chunk === undefined && !this.#hasHeard && !mayEnd) throw new SaidNothing();
    return chunk;
  }

  #read(): Promise<Buffer | undefined> {
    const client = this.#client;
    const { signal } = this.#limits;
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    const early = this.#early;
    this.#early = undefined;
    if (early) return Promise.resolve(early);
    if (client.readableEnded) return Promise.resolve(undefined);
    if (client.destroyed) return Promise.reject(client.errored ?? closedError());
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        clearTimeout(timer);
        client.pause();
        signal?.removeEventListener('abort', onAbort);
        client.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose);
        act();
      };
      const onData = (chunk: Buffer) => settle(() => resolve(chunk));
      const onEnd = () => settle(() => resolve(undefined));
      const onError = (error: Error) => settle(() => reject(error));
      const onClose = () => settle(() => reject(closedError()));
      const onAbort = () => settle(() => reject(signal?.reason as Error));
      const timer = setTimeout(
        guarded(() => settle(() => reject(this.#timeoutError()))),
        Math.max(0, this.#deadline - performance.now()),
      );
      signal?.addEventListener('abort', onAbort, { once: true });
      client.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
      client.resume();
    });
  }

  /**
   * Gives bytes that belong to the stream back to the socket. One that has already emitted its end takes none back:
   * then they are returned as `early`, and precede whatever the socket delivers.
   */
  finish(rest: Buffer): { readonly early: Buffer | undefined } {
    if (this.#client.readableEnded) return { early: rest.length > 0 ? rest : undefined };
    if (rest.length > 0) this.#client.unshift(rest);
    return { early: undefined };
  }

  #timeoutError(): TnetError {
    const { limitMs, what = 'the client did not say what it wants' } = this.#limits;
    return new TnetError('TNET_E_TIMEOUT', `${what} within ${formatLimit(limitMs)}`);
  }
}

function closedError(): Error {
  return Object.assign(new Error('the client left'), { code: 'ECONNRESET' });
}
