import { TnetError, formatLimit } from '../errors.ts';
import { longestDelayMs } from '../quantities.ts';

/**
 * One limit for everything that opening a connection takes: name, connection, proxies, TLS. `signal` is aborted with
 * a TNET_E_TIMEOUT when the limit runs out, or with the outer signal's reason.
 */
export class Deadline implements Disposable {
  /** The whole limit in milliseconds; undefined without one. */
  readonly limitMs: number | undefined;
  readonly #what: string;
  readonly #outer: AbortSignal | undefined;
  readonly #endsAt: number;
  #signal: AbortSignal | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** `what` is the end of the error's message: `no answer from a:80 within 30 s`. No limit: `timeoutMs` absent. */
  constructor(what: string, timeoutMs: number | undefined, outer?: AbortSignal) {
    this.limitMs = timeoutMs;
    this.#what = what;
    this.#outer = outer;
    this.#endsAt = timeoutMs === undefined ? Infinity : performance.now() + timeoutMs;
  }

  /** Created when it is first asked for: a connect to an address has a limit of its own. */
  get signal(): AbortSignal {
    return (this.#signal ??= this.#start());
  }

  #start(): AbortSignal {
    const controller = new AbortController();
    const { limitMs, leftMs } = this;
    if (leftMs !== undefined && leftMs <= longestDelayMs) {
      const expire = () => {
        const message = `${this.#what} within ${formatLimit(limitMs ?? 0)}`;
        controller.abort(new TnetError('TNET_E_TIMEOUT', message));
      };
      // A turn later, so that an answer or an error of this same turn comes first.
      this.#timer = setTimeout(() => setImmediate(expire), leftMs);
    }
    return this.#outer ? AbortSignal.any([controller.signal, this.#outer]) : controller.signal;
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

/** Rejects with the signal's reason when it aborts; settles in no other way. */
export function rejectOn(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}

/** What to call when a signal aborts. */
const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `act` when the signal aborts, unless the returned function is called before. For the signal of a whole run,
 * on which everything that is under way waits: one listener serves all.
 */
export function onAbort(signal: AbortSignal, act: () => void): () => void {
  let acts = waiting.get(signal);
  if (!acts) {
    const all = (acts = new Set());
    waiting.set(signal, all);
    const callAll = () => {
      for (const one of all) one();
    };
    signal.addEventListener('abort', callAll, { once: true });
  }
  acts.add(act);
  return () => void acts.delete(act);
}

/** A running timer of any length. */
export interface LongTimer {
  clear(): void;
}

/** Like setTimeout() without keeping the process alive, for delays of any length: Infinity never fires. */
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
