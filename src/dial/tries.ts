import { setTimeout as delay } from 'node:timers/promises';
import type { Endpoint } from '../address/endpoint.ts';
import { checkAll, type CheckOptions, type CheckResult } from './check.ts';

export interface SeriesOptions extends Omit<CheckOptions, 'onResult' | 'bannerMs'> {
  /** How many tries; Infinity: until the signal ends it. */
  readonly count: number;
  /** From the beginning of one try to that of the next, in milliseconds; a try that takes longer delays the next. */
  readonly intervalMs: number;
  readonly onTry: (sequence: number, result: CheckResult) => void;
}

/** Checks one address again and again. A try that the signal interrupts is not reported. */
export async function checkRepeatedly(endpoint: Endpoint, options: SeriesOptions): Promise<void> {
  const { count, intervalMs, signal, onTry } = options;
  for (let sequence = 1; sequence <= count && !signal.aborted; sequence++) {
    const startedAt = performance.now();
    await checkAll([endpoint], {
      ...options,
      onResult(result) {
        if (!signal.aborted) onTry(sequence, result);
        return undefined;
      },
    });
    if (sequence === count) break;
    const leftMs = startedAt + intervalMs - performance.now();
    await delay(Math.max(0, leftMs), undefined, { signal }).catch(() => undefined);
  }
}
