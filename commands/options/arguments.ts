import type { Command } from 'commander';
import type { Called, KnownOption } from './called.ts';

/** What a word of the command line is to a command: see classifyArguments. */
export type ArgumentKind = 'option' | 'value' | 'operand' | 'separator' | 'rest';

/**
 * Tells what each word is, as commander reads them: an option, the value of the option before it, an operand, the
 * first `--`, or what follows that.
 */
function classifyArguments(args: readonly string[], options: readonly KnownOption[]): ArgumentKind[] {
  const kinds: ArgumentKind[] = [];
  let next: ArgumentKind | undefined;
  for (const arg of args) {
    const kind = next ?? kindOf(arg);
    kinds.push(kind);
    if (kind === 'separator' || kind === 'rest') next = 'rest';
    else next = kind === 'option' && takesNextWord(arg, options) ? 'value' : undefined;
  }
  return kinds;
}

function kindOf(arg: string): ArgumentKind {
  if (arg === '--') return 'separator';
  return arg.length > 1 && arg.startsWith('-') ? 'option' : 'operand';
}

function takesNextWord(arg: string, options: readonly KnownOption[]): boolean {
  if (arg.startsWith('--')) return options.some(({ long, required }) => long === arg && required);
  // A group such as -vw: the first letter that takes a value takes the rest of the word, or the next word.
  const taker = findTaker(arg, options);
  return taker !== undefined && taker === arg.length - 1;
}

/** Where in a group of letters the one is that takes a value. */
function findTaker(group: string, options: readonly KnownOption[]): number | undefined {
  for (let at = 1; at < group.length; at++) {
    if (options.some(({ short, required }) => short === `-${group.charAt(at)}` && required)) return at;
  }
  return undefined;
}

/** The operands before the first `--`, and the words after it: undefined when there is no `--`. */
export function splitAtSeparator(
  words: readonly string[],
  command: Called,
): { readonly words: readonly string[]; readonly commandLine: readonly string[] | undefined } {
  const args = command.parent?.rawArgs ?? [];
  const separator = classifyArguments(args, command.options).indexOf('separator');
  if (separator < 0) return { words, commandLine: undefined };
  const commandLine = args.slice(separator + 1);
  return { words: words.slice(0, words.length - commandLine.length), commandLine };
}

/**
 * Makes the options with an optional value, such as `--telnet[=active]`, take it after `=` only: commander would take
 * the next word, which is the host in `-t HOST PORT`.
 *
 * @param implied the value of such an option without `=`, by its long name
 */
export function takeOptionalValuesAfterEquals(
  command: Command,
  implied: Readonly<Record<string, string>>,
): void {
  const parse = command.parseOptions.bind(command);
  command.parseOptions = (args) => {
    const kinds = classifyArguments(args, command.options);
    return parse(
      args.flatMap((arg, index) =>
        kinds[index] === 'option' ? spellOut(arg, command.options, implied) : [arg],
      ),
    );
  };
}

/** `-vt` as `-v --telnet=passive`: every option with an optional value gets the implied one. */
function spellOut(
  arg: string,
  options: readonly KnownOption[],
  implied: Readonly<Record<string, string>>,
): string[] {
  const spell = (name: string) => {
    const found = options.find(({ long, short, optional }) => optional && (long === name || short === name));
    const value = implied[found?.long ?? ''];
    return found?.long === undefined || value === undefined ? name : `${found.long}=${value}`;
  };
  if (arg.startsWith('--')) return [spell(arg)];
  const taker = findTaker(arg, options) ?? arg.length;
  const flags = Array.from(arg.slice(1, taker), (letter) => spell(`-${letter}`));
  return taker < arg.length ? [...flags, `-${arg.slice(taker)}`] : flags;
}
