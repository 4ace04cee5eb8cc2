import { stripVTControlCharacters } from 'node:util';
import { chalkStderr } from 'chalk';
import { escapeText } from '../transform/escape-controls.ts';
import type { CheckState, Event } from './events.ts';

const units = ['', 'k', 'M', 'G', 'T', 'P'];

/** `0`, `999`, `1.2k`, `64k`, `1.5G`: a size in powers of 1024, as tnet takes sizes, in at most five characters. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  // A value that rounds up to the next unit is shown in that unit.
  if (unit < units.length - 1 && Number(value.toFixed(digits)) >= 1024) return `1.0${units[unit + 1] ?? ''}`;
  return `${value.toFixed(digits)}${units[unit] ?? ''}`;
}

/** `5s`, `2m05s`, `3h07m`, `4d23h`: a time span by its two largest units. */
export function formatSpan(spanMs: number): string {
  const seconds = Math.max(0, Math.floor(spanMs / 1000));
  const [minutes, hours, days] = [60, 3_600, 86_400].map((unit) => Math.floor(seconds / unit)) as [
    number,
    number,
    number,
  ];
  if (minutes === 0) return `${seconds}s`;
  if (hours === 0) return `${minutes}m${pad(seconds % 60)}s`;
  if (days === 0) return `${hours}h${pad(minutes % 60)}m`;
  return days < 100 ? `${days}d${pad(hours % 24)}h` : `${days}d`;
}

function pad(count: number): string {
  return String(count).padStart(2, '0');
}

/** Lines of a table: the head, then the rows, every column as wide as its widest cell, two spaces between. */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [head, ...rows];
  const widths = Array.from({ length: Math.max(...all.map(({ length }) => length)) }, (_, column) =>
    Math.max(...all.map((cells) => widthOf(cells[column] ?? ''))),
  );
  return all.map((cells) =>
    cells
      .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - widthOf(cell)))
      .join('  ')
      .trimEnd(),
  );
}

function widthOf(cell: string): number {
  return stripVTControlCharacters(cell).length;
}

type Checked = Extract<Event, { readonly event: 'checked' }>;

/** More rows than this are too many to read: then only the open ones are shown, and the others counted. */
const mostRows = 40;

const paint = {
  open: chalkStderr.green,
  closed: chalkStderr.red,
  silent: chalkStderr.yellow,
  failed: chalkStderr.red,
  found: chalkStderr.green,
} as const satisfies Record<CheckState, unknown>;

/** The findings of a check for a person, in the order of `checks`. */
export function renderChecks(checks: readonly Checked[], isColoured: boolean, columns: number): string[] {
  const isLong = checks.length > mostRows;
  const shown = isLong ? checks.filter(({ state }) => state === 'open' || state === 'found') : checks;
  const rows = shown.map(({ host, port, service, state, durationMs, code, banner }) => [
    escapeText(host),
    port === undefined ? '' : String(port),
    service ?? '',
    isColoured ? paint[state](state) : state,
    `${durationMs.toFixed(1)} ms`,
    banner === undefined ? (code === undefined || state === 'closed' ? '' : code) : escapeText(banner),
  ]);
  const last = shown.some(({ banner }) => banner !== undefined) ? 'BANNER' : '';
  const all = rows.length > 0 ? renderTable(['HOST', 'PORT', 'SERVICE', 'STATE', 'TIME', last], rows) : [];
  const lines = all.map((line) => clipVisible(line, columns));
  return isLong ? [...lines, summarise(checks)] : lines;
}

/** Cuts a line to the width; coloured text is always before the cut. */
function clipVisible(line: string, columns: number): string {
  const over = widthOf(line) - columns;
  return over > 0 ? `${line.slice(0, line.length - over - 1)}…` : line;
}

function summarise(checks: readonly Checked[]): string {
  const counts = new Map<CheckState, number>();
  for (const { state } of checks) counts.set(state, (counts.get(state) ?? 0) + 1);
  const parts = [...counts].map(([state, count]) => `${count} ${state}`);
  return `${checks.length} checked: ${parts.join(', ')}`;
}
