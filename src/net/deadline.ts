import { TnetError, formatLimit } from '../errors.ts';
import { longestDelayMs } from '../quantities.ts';

/**
 * One limit for everything that opening a connection takes: name, connection, proxies, TLS. `signal` is aborted with
 * a TNET_E_TIMEOUT when the limit runs out, or with the outer signal's reason.
 */
export class Deadline implements Disposable {
  readonly signal: AbortSignal;
  /** The whole limit in milliseconds; undefined without one. */
  readonly limitMs: number | undefined;
  readonly #endsAt: number;
  readonly #timer: NodeJS.Timeout | undefined;

  /** `what` ends the sentence of the failure: `no answer from a:80 within 30 s`. No limit: `timeoutMs` absent. */
  constructor(what: string, timeoutMs: number | undefined, outer?: AbortSignal) {
    const controller = new AbortController();
    this.limitMs = timeoutMs;
    this.#endsAt = timeoutMs === undefined ? Infinity : performance.now() + timeoutMs;
    if (timeoutMs !== undefined && timeoutMs <= longestDelayMs) {
      const expire = () => {
        controller.abort(new TnetError('TNET_E_TIMEOUT', `${what} within ${formatLimit(timeoutMs)}`));
      };
      // A turn later, so that an answer or an error of this very turn comes first.
      this.#timer = setTimeout(() => setImmediate(expire), timeoutMs);
    }
    this.signal = outer ? AbortSignal.any([controller.signal, outer]) : controller.signal;
  }

  /** Milliseconds left, at least 1; undefined without a limit. */
  get leftMs(): number | undefined {
    return this.#endsAt === Infinity ? undefined : Math.max(1, Math.ceil(this.#endsAt - performance.now()));
  }

  /** Ends the limit. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

/** A running timer of any length. */
export interface LongTimer {
  clear(): void;
}

/** As setTimeout() without keeping the process alive, for delays of any length: Infinity never comes. */
export function startLongTimer(act: () => void, delayMs: number): LongTimer {
  let leftMs = delayMs;
  const wait = (): NodeJS.Timeout => {
    const stretchMs = Math.min(leftMs, longestDelayMs);
    leftMs -= stretchMs;
    const next = () => {
      if (leftMs > 0) timer = wait();
      else act();
    };
    return setTimeout(next, stretchMs).unref();
  };
  let timer = wait();
  return { clear: () => clearTimeout(timer) };
}
