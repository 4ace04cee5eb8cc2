import type { Layout } from './row.ts';

/** What is known of an option: a part of commander's. */
export interface KnownOption {
  readonly short?: string | undefined;
  readonly long?: string | undefined;
  /** Whether a value has to follow, or may. */
  readonly required: boolean;
  readonly optional: boolean;
  attributeName(): string;
}

/** What is known of a command line that has been read. commander's Command is one, and so is what readPlainly() gives. */
export interface Called {
  name(): string;
  readonly parent: { name(): string; readonly rawArgs?: readonly string[] } | null;
  /** All that the command has. */
  readonly options: readonly KnownOption[];
  getOptionValue(name: string): unknown;
  /** `cli` for what was typed, `implied` for what that gives too, `default` for what holds without. */
  getOptionValueSource(name: string): string | undefined;
}

/** What is typed after the options: as commander has it, in brackets, with what help says of it. */
export type Operand = readonly [name: string, help: string];

/** What help says of a command beside its options. */
export interface CommandHelp {
  /** What follows the command's name: `[options] HOST PORT`. */
  readonly usage: string;
  /** What the command is for: lines of at most 80 columns. */
  readonly purpose: readonly string[];
  /** Command lines to copy, each with what it does. */
  readonly examples: readonly (readonly [does: string, commandLine: string])[];
  /** The options that are used most, by their names in the table. */
  readonly mostUsed: readonly string[];
}

/** A command: what its command line can have, and what it does. */
export interface CommandDefinition {
  readonly help: CommandHelp;
  readonly operands: readonly Operand[];
  readonly layout: Layout;
  /** Called with each operand, or with a list for one that ends in `...`; then with the options and what was called. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- each command has its own, as of commander's actions
  readonly run: (...args: any[]) => Promise<void>;
}

/** The options that were given, or that others imply. */
export function givenOptions(command: Called): ReadonlySet<string> {
  const given = new Set<string>();
  for (const option of command.options) {
    const name = option.attributeName();
    const source = command.getOptionValueSource(name);
    if (source === 'cli' || source === 'implied') given.add(name);
  }
  return given;
}
