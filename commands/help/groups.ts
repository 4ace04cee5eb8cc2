import { TnetError } from '../../src/errors.ts';

/** A group of options, as help has it: its heading, and the lines below. */
interface Group {
  readonly heading: string;
  readonly text: string;
}

/**
 * The groups of a help whose headings have words that begin as those wanted do, or the one with the option of that name.
 *
 * @throws TnetError TNET_E_USAGE, with the groups that there are
 */
export function pickGroups(help: string, wanted: readonly string[], command: string): string {
  const groups = listGroups(help);
  const words = wanted.map((word) => word.toLowerCase());
  const named = groups.filter(({ heading }) => {
    const own = heading.toLowerCase().split(/[^\p{L}\d]+/u);
    return words.every((word) => own.some((one) => one.startsWith(word)));
  });
  const found = named.length > 0 ? named : groups.filter(({ text }) => hasOption(text, words.join('-')));
  if (found.length > 0) return found.map(({ text }) => text).join('\n');
  const all = groups.map(({ heading }) => heading).join('; ');
  throw new TnetError('TNET_E_USAGE', `${command} has no such group of options; its groups are: ${all}`, {
    subject: wanted.join(' '),
  });
}

function listGroups(help: string): Group[] {
  return help
    .split(/\n\n/)
    .map((text) => ({ heading: /^(.+):\n {2}-/.exec(text)?.[1] ?? '', text: `${text.trimEnd()}\n` }))
    .filter(({ heading }) => heading !== '');
}

function hasOption(text: string, word: string): boolean {
  const flag = word.replace(/^-+/, '');
  const flags = [...text.matchAll(/^ {2}(-[^<[\n]*)/gm)].flatMap(([, names = '']) => names.split(/[\s,]+/));
  return flags.includes(`--${flag}`) || flags.includes(`-${flag}`);
}
