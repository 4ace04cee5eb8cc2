import type { TimingPhase } from './events.ts';
import { renderTable } from './table.ts';

/** A part of a run, on performance.now()'s clock. */
export interface TimedPart {
  readonly phase: TimingPhase;
  readonly address?: string;
  readonly outcome?: string;
  readonly startedAt: number;
  readonly durationMs: number;
}

const barColumns = 24;
/** In a narrower window there are no bars. */
const leastColumns = 70;

/** The parts of a run as a table, each with a bar that shows its place in the whole. */
export function renderTimings(parts: readonly TimedPart[], startedAt: number, columns = 80): string[] {
  const wholeMs = Math.max(
    ...parts.map((part) => part.startedAt - startedAt + part.durationMs),
    Number.EPSILON,
  );
  const place = (ms: number) => Math.min(barColumns, Math.max(0, Math.round((ms / wholeMs) * barColumns)));
  const rows = parts.map(({ phase, address, outcome, startedAt: from, durationMs }) => {
    const begin = Math.min(place(from - startedAt), barColumns - 1);
    const end = Math.max(begin + 1, place(from - startedAt + durationMs));
    return [
      phase.replace('-', ' '),
      `${durationMs.toFixed(1)} ms`.padStart(12),
      ' '.repeat(begin) + '█'.repeat(end - begin) + ' '.repeat(barColumns - end),
      address === undefined ? '' : `${address}${outcome === undefined ? '' : `, ${outcome}`}`,
    ];
  });
  const shown =
    columns < leastColumns ? rows.map(([name = '', time = '', , what = '']) => [name, time, what]) : rows;
  return renderTable([], shown).slice(1);
}
