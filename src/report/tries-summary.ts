import { escapeText } from '../transform/escape-controls.ts';
import type { Event } from './events.ts';

export type TriesEvent = Extract<Event, { readonly event: 'tries' }>;

/** The result of a series of tries for a person. */
export function renderTries(event: TriesEvent): string[] {
  const { address, tried, opened, failed, durationMs } = event;
  const share = tried === 0 ? 0 : (failed / tried) * 100;
  const lost = `${failed} failed (${share.toFixed(share > 0 && share < 10 ? 2 : 0)} %)`;
  const seconds = (durationMs / 1000).toFixed(3);
  const lines = [`${escapeText(address)}: ${tried} tried, ${opened} open, ${lost}, in ${seconds} s`];
  const { minMs, avgMs, p50Ms, p90Ms, p99Ms, maxMs } = event;
  if (minMs !== undefined) {
    const times = { min: minMs, avg: avgMs, p50: p50Ms, p90: p90Ms, p99: p99Ms, max: maxMs };
    const parts = Object.entries(times).map(([name, ms]) => `${name} ${(ms ?? 0).toFixed(3)}`);
    lines.push(`time: ${parts.join(', ')} ms`);
  }
  return lines;
}
