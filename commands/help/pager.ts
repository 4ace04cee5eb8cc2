import { spawnSync } from 'node:child_process';
import { isTerminal } from '../../src/report/is-terminal.ts';
import { writeResult } from '../output.ts';

/** What a shell says when there is no such program, or none that may be run. */
const notRun = new Set([126, 127]);

/**
 * Shows a text: on a terminal in $PAGER, or in less where that is not set. Elsewhere, with a PAGER that is empty or `cat`,
 * and where the pager cannot be run, it is written.
 */
export function showText(text: string, env: NodeJS.ProcessEnv = process.env): void {
  const pager = (env.PAGER ?? 'less -FRX').trim();
  const isPaged = isTerminal(1) && env.TERM !== 'dumb' && pager !== '' && pager !== 'cat';
  if (!isPaged || !page(pager, text, env)) writeResult(text);
}

/** @returns whether the pager has run */
function page(pager: string, text: string, env: NodeJS.ProcessEnv): boolean {
  // Ctrl-C is the pager's own: less takes it as the end of a search.
  const ignore = () => undefined;
  process.on('SIGINT', ignore);
  try {
    const { status, signal } = spawnSync(pager, {
      shell: true,
      input: text,
      stdio: ['pipe', 'inherit', 'ignore'],
      env: { LESSCHARSET: 'utf-8', ...env },
    });
    return (status ?? signal) !== null && !notRun.has(status ?? 0);
  } finally {
    process.off('SIGINT', ignore);
  }
}
