import { escapeText } from '../transform/escape-controls.ts';
import type { Event } from './events.ts';
import type { Bucket } from './round-trips.ts';
import { formatSize } from './table.ts';

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
