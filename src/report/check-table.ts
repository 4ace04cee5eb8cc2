import { chalkStderr } from 'chalk';
import { escapeText } from '../transform/escape-controls.ts';
import type { CheckState, Event } from './events.ts';
import { renderTable } from './table.ts';

type Checked = Extract<Event, { readonly event: 'checked' }>;

/** More rows than this are too many to read: then only the open ones are shown, and the others counted. */
const mostRows = 40;

const paint = {
  open: chalkStderr.green,
  closed: chalkStderr.red,
  silent: chalkStderr.yellow,
  failed: chalkStderr.red,
} as const satisfies Record<CheckState, unknown>;

/** The findings of a check for a person, in the order of `checks`. */
export function renderChecks(checks: readonly Checked[], isColoured: boolean): string[] {
  const isLong = checks.length > mostRows;
  const shown = isLong ? checks.filter(({ state }) => state === 'open') : checks;
  const rows = shown.map(({ host, port, service, state, durationMs, code }) => [
    escapeText(host),
    port === undefined ? '' : String(port),
    service ?? '',
    isColoured ? paint[state](state) : state,
    `${durationMs.toFixed(1)} ms`,
    code === undefined || state === 'closed' ? '' : code,
  ]);
  const lines = rows.length > 0 ? renderTable(['HOST', 'PORT', 'SERVICE', 'STATE', 'TIME', ''], rows) : [];
  return isLong ? [...lines, summarise(checks)] : lines;
}

function summarise(checks: readonly Checked[]): string {
  const counts = new Map<CheckState, number>();
  for (const { state } of checks) counts.set(state, (counts.get(state) ?? 0) + 1);
  const parts = [...counts].map(([state, count]) => `${count} ${state}`);
  return `${checks.length} checked: ${parts.join(', ')}`;
}
