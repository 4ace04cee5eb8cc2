import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isTerminal } from '../../src/report/is-terminal.ts';
import { findCommand } from '../command-table.ts';
import { refuseCommand } from '../options/suggestions.ts';
import { writeResult } from '../output.ts';
import { pickGroups } from './groups.ts';

/** What a command line that asks for help and nothing else wants to see. */
export interface HelpRequest {
  /** A command, or '' for tnet itself. */
  readonly name: string;
  readonly show: 'screen' | 'all' | 'manual';
  /** Words of a group's heading: only that group is shown. */
  readonly group: readonly string[];
}

/**
 * Reads `-h`, `--help`, `COMMAND -h`, `COMMAND --help` and `help [--man] [COMMAND [GROUP…]]`.
 *
 * @returns undefined for any other command line
 * @throws TnetError TNET_E_USAGE for the help of an unknown command
 */
export function readHelpRequest(args: readonly string[]): HelpRequest | undefined {
  if (args[0] === 'help') {
    const words = args.slice(1).filter((word) => !['--man', '-h', '--help'].includes(word));
    const [name = '', ...group] = words;
    if (name !== '' && findCommand([name]) === undefined) throw refuseCommand(name);
    return { name, show: args.includes('--man') ? 'manual' : 'all', group };
  }
  const name = findCommand(args) ?? '';
  const [flag, ...more] = name === '' ? args : args.slice(1);
  if (more.length > 0 || (flag !== '-h' && flag !== '--help')) return undefined;
  return { name, show: flag === '-h' ? 'screen' : 'all', group: [] };
}

/** Shows help. @throws TnetError for a group or a manual that is not there */
export async function showHelp({ name, show, group }: HelpRequest): Promise<void> {
  if (show === 'manual') {
    (await import('./manual.ts')).showManual(name);
  } else if (show === 'screen') {
    writeResult(await (await import('./screen.ts')).layOutScreen(name));
  } else {
    const all = await readAll(name);
    const text = group.length === 0 ? all : pickGroups(all, group, name);
    (await import('./pager.ts')).showText(text);
  }
}

/** The whole help: laid out when tnet is built, and on a terminal, whose width may be any, when it is shown. */
async function readAll(name: string): Promise<string> {
  try {
    if (!isTerminal(1))
      return readFileSync(join(import.meta.dirname, 'help', `${name === '' ? 'tnet' : name}.txt`), 'utf8');
  } catch {
    // This is the build, or a single executable.
  }
  return (await import('../program.ts')).layOutHelp(name);
}
