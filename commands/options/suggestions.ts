import { TnetError, hideUserInfo } from '../../src/errors.ts';
import { commandTable } from '../command-table.ts';
import { findForeignFlag } from './foreign-flags.ts';
import { longNameOf, rowsOf, shortNameOf, type CommandName } from './row.ts';
import { ownValue } from '../../src/own-value.ts';

/** Words that people try for a command, with what does that. */
const otherNames: Readonly<Record<string, string>> = {
  nc: 'connect',
  netcat: 'connect',
  ncat: 'connect',
  client: 'connect',
  open: 'connect',
  dial: 'connect',
  telnet: 'connect -t',
  scan: 'connect -z',
  check: 'connect -z',
  wait: 'connect --wait',
  serve: 'listen',
  server: 'listen',
  bind: 'listen',
  accept: 'listen',
  ping: 'echo --ping',
  relay: 'proxy',
  forward: 'proxy',
  tunnel: 'proxy',
  tap: 'proxy --tap',
  socks: 'proxy --socks',
  ip: 'isip',
  completions: 'completion',
  man: 'help --man',
  version: '--version',
};

/** The error for a word in the place of a command that is not one. */
export function refuseCommand(word: string): TnetError {
  const shown = `unknown command '${hideUserInfo(word)}'`;
  const meant =
    ownValue(otherNames, word) ?? findNearest(word, [...commandTable.map(({ name }) => name), 'help']);
  const advice =
    meant === undefined
      ? 'tnet --help lists the commands; to connect, use: tnet connect HOST PORT'
      : `did you mean tnet ${meant}?`;
  return new TnetError('TNET_E_USAGE', `${shown}: ${advice}`);
}

/**
 * What is said of an option that a command does not have: the flag of nc or another program that it is, the commands that
 * have it, or the option that is written almost so.
 *
 * @param command a command's name, or '' before one
 */
export async function refuseOption(command: string, flag: string): Promise<TnetError> {
  const shown = `unknown option '${hideValue(flag)}'`;
  const advice = findForeignFlag(command, flag) ?? (await findElsewhere(command, flag));
  return new TnetError('TNET_E_USAGE', advice === undefined ? shown : `${shown}: ${advice}`);
}

/** An option as it is shown: a value in the same word may be a secret, as in `--proxy-auth=user:password` or `-Puser:password`. */
function hideValue(flag: string): string {
  if (flag.startsWith('--')) return flag.replace(/=.*/s, '=…');
  return /^-[\w-]*$/.test(flag) ? flag : `${flag.slice(0, 2)}…`;
}

async function findElsewhere(command: string, flag: string): Promise<string | undefined> {
  const name = flag.startsWith('--') ? flag.replace(/=.*/s, '') : flag.slice(0, 2);
  const flagsOf = await readFlags();
  const own = flagsOf.get(command) ?? ['--version', '--verbose', '--help'];
  if (own.includes(name)) return `${name} takes no value`;
  const others = [...flagsOf].filter(([, flags]) => flags.includes(name)).map(([other]) => `tnet ${other}`);
  if (others.length > 0) return `it is an option of ${others.join(' and ')}`;
  const meant = name.startsWith('--') ? findNearest(name, own) : undefined;
  if (meant !== undefined) return `did you mean ${meant}?`;
  return command === '' ? undefined : `tnet ${command} --help lists the options`;
}

async function readFlags(): Promise<ReadonlyMap<string, readonly string[]>> {
  const all = new Map<string, readonly string[]>();
  for (const { name, load } of commandTable) {
    if (!load) continue;
    const rows = [...rowsOf(name as CommandName, (await load()).layout).values()];
    all.set(
      name,
      rows.flatMap((row) => [shortNameOf(row), longNameOf(row), ...(row.off ? [row.off.flags] : [])]),
    );
  }
  return all;
}

/** The word that is written most alike, if any is written much alike: a third of its letters may be wrong. */
export function findNearest(word: string, words: readonly string[]): string | undefined {
  const [nearest] = words
    .map((other) => ({ other, distance: countEdits(word, other) }))
    .filter(({ other, distance }) => distance * 3 <= Math.max(other.length, word.length) && distance <= 3)
    .sort((one, other) => one.distance - other.distance);
  return nearest?.other;
}

/** How many letters have to be put in, left out, changed or exchanged with their neighbour. */
function countEdits(one: string, other: string): number {
  let before: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i++) {
    const row = [i];
    for (let j = 1; j <= other.length; j++) {
      const isSame = one[i - 1] === other[j - 1];
      const isSwapped = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      row[j] = Math.min(
        (last[j] ?? 0) + 1,
        (row[j - 1] ?? 0) + 1,
        (last[j - 1] ?? 0) + (isSame ? 0 : 1),
        isSwapped ? (before[j - 2] ?? 0) + 1 : Infinity,
      );
    }
    before = last;
    last = row;
  }
  return last[other.length] ?? 0;
}
