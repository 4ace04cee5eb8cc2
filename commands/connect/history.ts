import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { LineHistory } from '../../src/dial/line-editor.ts';
import { errorCode } from '../../src/errors.ts';
import type { Context } from '../context.ts';

const mostLines = 1_000;

/** Where the lines typed to a host are kept: a file for each host, readable by this user only. */
function defaultPath(name: string): string | undefined {
  const state = process.env['XDG_STATE_HOME'] || join(homedir(), '.local', 'state');
  if (!state.startsWith('/')) return undefined;
  return join(state, 'tnet', 'history', name.replace(/[^\w.@:[\]-]/g, '_').slice(0, 200));
}

/**
 * The history of a host: read now, and added to line by line, so that parallel sessions lose nothing.
 *
 * @param file false: none; undefined: the host's own, or none if it is not available
 */
export function openHistory(
  { reporter }: Context,
  file: string | false | undefined,
  name: string,
): LineHistory | undefined {
  const path = file ?? defaultPath(name);
  if (path === undefined || path === false) return undefined;
  let lines: string[] = [];
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    appendFileSync(path, '', { mode: 0o600 });
    lines = readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
    if (lines.length > 2 * mostLines)
      writeFileSync(path, `${lines.slice(-mostLines).join('\n')}\n`, { mode: 0o600 });
  } catch (error) {
    if (file !== undefined)
      reporter.emit({
        event: 'warning',
        message: `the history cannot be kept in ${path} (${errorCode(error) ?? 'ERROR'})`,
      });
    return undefined;
  }
  return {
    lines: lines.slice(-mostLines).reverse(),
    add(line) {
      try {
        if (line !== lines.at(-1)) appendFileSync(path, `${line}\n`, { mode: 0o600 });
        lines.push(line);
      } catch {
        // A full disk is not a reason to end a session.
      }
    },
  };
}
