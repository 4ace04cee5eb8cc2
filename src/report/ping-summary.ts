import { roundMs } from '../quantities.ts';
import { createHistogram } from 'node:perf_hooks';
import { escapeText } from '../transform/escape-controls.ts';
import type { Event } from './events.ts';
import { formatSize } from './table.ts';

/**
 * Round trips in milliseconds. The percentiles are exact to three digits, minimum and maximum to the clock's
 * resolution.
 */
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
    const [minMs, maxMs] = [roundMs(this.#minMs), roundMs(this.#maxMs)];
    const percentile = (share: number) =>
      Math.min(maxMs, Math.max(minMs, roundMs(this.#histogram.percentile(share) / nsPerMs)));
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

export type PingEvent = Extract<Event, { readonly event: 'ping' }>;

/** A bar is at most this long, and a window narrower than this gets none. */
const [longestBar, narrowest] = [50, 40];

/** The result of a ping for a person. */
export function renderPing(ping: PingEvent): string[] {
  const { remote, payloadBytes, sent, received, durationMs, bytesPerSecond } = ping;
  const seconds = (durationMs / 1000).toFixed(3);
  const lines = [
    `${escapeText(remote)}: ${sent} sent, ${received} back, of ${payloadBytes} bytes each, in ${seconds} s`,
    renderFaults(ping),
  ];
  const { minMs, p50Ms, p90Ms, p99Ms, maxMs } = ping;
  if (minMs !== undefined) {
    const times = Object.entries({ min: minMs, p50: p50Ms, p90: p90Ms, p99: p99Ms, max: maxMs });
    lines.push(`round trip: ${times.map(([name, ms]) => `${name} ${(ms ?? 0).toFixed(3)}`).join(', ')} ms`);
  }
  lines.push(`throughput: ${formatSize(bytesPerSecond)}B/s each way`);
  return lines;
}

function renderFaults({ sent, lost, pending, wrong, wrongBytes, duplicates, reordered }: PingEvent): string {
  const share = sent === 0 ? 0 : (lost / sent) * 100;
  return [
    `${lost} lost (${share.toFixed(share > 0 && share < 10 ? 2 : 0)} %)`,
    `${wrong} wrong${wrong > 0 ? ` (${wrongBytes} ${wrongBytes === 1 ? 'byte' : 'bytes'})` : ''}`,
    `${duplicates} doubled`,
    `${reordered} out of order`,
    ...(pending > 0 ? [`${pending} still on the way`] : []),
  ].join(', ');
}

/** A histogram of round trips: a row a bucket. Empty when the window is too narrow, or there is nothing to compare. */
export function renderHistogram(buckets: readonly Bucket[], columns: number): string[] {
  const most = Math.max(0, ...buckets.map(({ count }) => count));
  if (most === 0 || columns < narrowest) return [];
  const names = buckets.map(({ fromMs }) => `from ${formatMs(fromMs)}`);
  const nameWidth = Math.max(...names.map(({ length }) => length));
  const countWidth = String(most).length;
  const room = Math.min(longestBar, columns - nameWidth - countWidth - 4);
  return buckets.map(({ count }, index) => {
    const bar = count === 0 ? '' : '█'.repeat(Math.max(1, Math.round((count / most) * room)));
    return `${(names[index] ?? '').padEnd(nameWidth)}  ${String(count).padStart(countWidth)}  ${bar}`.trimEnd();
  });
}

function formatMs(ms: number): string {
  if (ms >= 1000) return `${ms / 1000} s`;
  return ms >= 1 ? `${ms} ms` : `${Math.round(ms * 1000)} µs`;
}
