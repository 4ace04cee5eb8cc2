import { createHistogram } from 'node:perf_hooks';

/** Round trips in milliseconds. The percentiles are exact to three digits, the ends to the clock. */
export interface RoundTripTimes {
  readonly minMs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** How many round trips took from `fromMs` to below `toMs`. */
export interface Bucket {
  readonly fromMs: number;
  readonly toMs: number;
  readonly count: number;
}

const nsPerMs = 1e6;
/** A longer one counts as this long in the percentiles. */
const longestMs = 3_600_000;
/** Where buckets begin within a power of ten. */
const steps = [1, 2, 5] as const;
/** 1 µs: what is faster counts in the first bucket. */
const leastExponent = -3;

/** Gathers any number of round trips in a fixed amount of memory. */
export class RoundTrips {
  count = 0;
  #minMs = Infinity;
  #maxMs = 0;
  /** In nanoseconds. */
  readonly #histogram = createHistogram({ lowest: 1, highest: longestMs * nsPerMs, figures: 3 });
  readonly #buckets = new Map<number, number>();

  add(roundTripMs: number): void {
    this.count++;
    this.#minMs = Math.min(this.#minMs, roundTripMs);
    this.#maxMs = Math.max(this.#maxMs, roundTripMs);
    this.#histogram.record(Math.round(Math.min(Math.max(roundTripMs, 1 / nsPerMs), longestMs) * nsPerMs));
    const bucket = findBucket(roundTripMs);
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + 1);
  }

  /** Undefined before the first one. */
  get times(): RoundTripTimes | undefined {
    if (this.count === 0) return undefined;
    const [minMs, maxMs] = [round(this.#minMs), round(this.#maxMs)];
    const percentile = (share: number) =>
      Math.min(maxMs, Math.max(minMs, round(this.#histogram.percentile(share) / nsPerMs)));
    return { minMs, p50Ms: percentile(50), p90Ms: percentile(90), p99Ms: percentile(99), maxMs };
  }

  /** From the fastest round trip's bucket to the slowest's, the empty ones between them included. */
  get buckets(): Bucket[] {
    if (this.count === 0) return [];
    const indices = [...this.#buckets.keys()];
    const [first, last] = [Math.min(...indices), Math.max(...indices)];
    return Array.from({ length: last - first + 1 }, (_, at) => ({
      fromMs: bucketStart(first + at),
      toMs: bucketStart(first + at + 1),
      count: this.#buckets.get(first + at) ?? 0,
    }));
  }
}

/** Buckets are counted from the one that begins at 1 µs. */
function findBucket(ms: number): number {
  const exponent = Math.max(leastExponent, Math.floor(Math.log10(Math.max(ms, 1e-9))));
  const first = (exponent - leastExponent) * steps.length;
  const step = steps.findLastIndex((_, at) => bucketStart(first + at) <= ms);
  return first + Math.max(0, step);
}

function bucketStart(index: number): number {
  const exponent = Math.floor(index / steps.length) + leastExponent;
  return Number(`${steps[index % steps.length] ?? 1}e${exponent}`);
}

/** To the microsecond. */
function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
