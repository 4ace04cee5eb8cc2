import type { Called, CommandDefinition, KnownOption } from './called.ts';
import { longNameOf, readerOf, rowsOf, shortNameOf, type CommandName, type OptionRow } from './row.ts';

type NamedRow = readonly [name: string, row: OptionRow];

/**
 * Reads a command line as commander would, in a tenth of the time: setting up commander costs a start as much as
 * everything else that tnet does before a connection.
 *
 * @param args what follows the command's name
 * @returns the arguments for the command's `run`; undefined for a command line that is wrong, wants help, or is unusual in
 *   any way: then it is for commander, which says what is wrong
 */
export function readPlainly(
  name: CommandName,
  { layout, operands }: CommandDefinition,
  args: readonly string[],
): unknown[] | undefined {
  const line = new PlainLine(name, rowsOf(name, layout));
  try {
    if (!line.read(args)) return undefined;
  } catch {
    return undefined;
  }
  const { words } = line;
  const places = operands.map(([operand], at) => (operand.endsWith('...]') ? words.slice(at) : words[at]));
  const isTaken = operands.at(-1)?.[0].endsWith('...]') === true || words.length <= operands.length;
  return isTaken ? [...places, line.values, line.called] : undefined;
}

class PlainLine {
  readonly words: string[] = [];
  readonly values: Record<string, unknown> = {};
  readonly #command: CommandName;
  readonly #rows: ReadonlyMap<string, OptionRow>;
  readonly #sources = new Map<string, 'cli' | 'implied' | 'default'>();
  readonly #byFlag = new Map<string, NamedRow>();
  readonly #lists = new Map<string, unknown[]>();

  constructor(command: CommandName, rows: ReadonlyMap<string, OptionRow>) {
    this.#command = command;
    this.#rows = rows;
    for (const [name, row] of rows) {
      if (row.default) this.#set(name, row.default.value, 'default');
      else if (row.flags.includes('--no-')) this.#set(name, true, 'default');
    }
  }

  get called(): Called {
    return {
      name: () => this.#command,
      parent: { name: () => 'tnet' },
      options: Array.from(this.#rows, (row) => new Option(row)),
      getOptionValue: (name) => this.values[name],
      getOptionValueSource: (name) => this.#sources.get(name),
    };
  }

  /** @returns whether all of it could be read */
  read(args: readonly string[]): boolean {
    const rest = args.values();
    for (const word of rest) {
      if (word === '-' || !word.startsWith('-')) this.words.push(word);
      else if (!(word.startsWith('--') ? this.#readLong(word, rest) : this.#readLetters(word, rest)))
        return false;
    }
    this.#imply();
    return true;
  }

  #readLong(word: string, rest: Iterator<string, undefined>): boolean {
    const equals = word.indexOf('=');
    const found = this.#find(equals < 0 ? word : word.slice(0, equals));
    if (!found) return false;
    if (equals < 0) return takesWord(found) ? this.#take(found, rest.next().value) : this.#turnOn(found);
    return hasValue(found) && this.#take(found, word.slice(equals + 1));
  }

  #find(flag: string): NamedRow | undefined {
    if (this.#byFlag.size === 0) {
      for (const named of this.#rows) {
        for (const name of [shortNameOf(named[1]), longNameOf(named[1])]) this.#byFlag.set(name, named);
      }
    }
    return this.#byFlag.get(flag);
  }

  /** `-v`, `-vv`, `-w 5`, `-w5`, `-vw5`. */
  #readLetters(word: string, rest: Iterator<string, undefined>): boolean {
    for (let at = 1; at < word.length; at++) {
      const found = this.#find(`-${word.charAt(at)}`);
      if (!found) return false;
      if (takesWord(found)) return this.#take(found, word.slice(at + 1) || rest.next().value);
      if (!this.#turnOn(found)) return false;
    }
    return true;
  }

  /** An option that stands alone. */
  #turnOn([name, row]: NamedRow): boolean {
    if (row.alone !== undefined) return this.#take([name, row], row.alone);
    if (row.value.counts) this.#set(name, (this.values[name] as number) + 1);
    else this.#set(name, !longNameOf(row).startsWith('--no-'));
    return true;
  }

  #take([name, row]: NamedRow, word: string | undefined): boolean {
    if (word === undefined) return false;
    const { value } = row;
    const read = readerOf(this.#command, row);
    if (value.entry) {
      const key = row.gathers ?? row.flags;
      const list = this.#lists.get(key) ?? [];
      this.#lists.set(key, list);
      list.push(read(word));
      this.#set(name, list);
      return true;
    }
    // Which of two values counts would be a guess.
    if (this.#sources.get(name) === 'cli') return false;
    this.#set(name, value.choices || value.sample !== undefined ? read(word) : word);
    return true;
  }

  #imply(): void {
    const given = [...this.#sources].filter(([, source]) => source === 'cli').map(([name]) => name);
    for (const name of given) {
      if (this.values[name] === false) continue;
      for (const [other, value] of Object.entries(this.#rows.get(name)?.implies ?? {})) {
        if (this.#rows.has(other) && this.#sources.get(other) !== 'cli') this.#set(other, value, 'implied');
      }
    }
  }

  #set(name: string, value: unknown, source: 'cli' | 'implied' | 'default' = 'cli'): void {
    this.values[name] = value;
    this.#sources.set(name, source);
  }
}

/** Each start makes one of every option, and asks few of them for more than their names. */
class Option implements KnownOption {
  readonly #found: NamedRow;

  constructor(found: NamedRow) {
    this.#found = found;
  }

  get short(): string {
    return shortNameOf(this.#found[1]);
  }

  get long(): string {
    return longNameOf(this.#found[1]);
  }

  get required(): boolean {
    return takesWord(this.#found);
  }

  get optional(): boolean {
    return this.#found[1].alone !== undefined;
  }

  attributeName(): string {
    return this.#found[0];
  }
}

function hasValue([, { flags }]: NamedRow): boolean {
  return flags.endsWith('>') || flags.endsWith(']');
}

/** Whether an option takes the next word. One that can stand alone has its value after `=` only. */
function takesWord(found: NamedRow): boolean {
  return hasValue(found) && found[1].alone === undefined;
}
