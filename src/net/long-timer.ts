import { longestDelayMs } from '../quantities.ts';

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
