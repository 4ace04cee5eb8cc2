import type { Argument, Command, Option } from 'commander';
import { rowOf } from '../options/build.ts';

/** What can be offered for a value: a word of a list, or what the shell finds. `text` is anything, so nothing. */
export type ValueKind = 'choice' | 'file' | 'folder' | 'socket' | 'address' | 'program' | 'command' | 'text';

export interface CompletionValue {
  /** As help shows it, without brackets: `time`. */
  readonly name: string;
  readonly kind: ValueKind;
  /** The words for `choice`, else empty. */
  readonly choices: readonly string[];
}

export interface CompletionOption {
  /** With their dashes, the short one first. */
  readonly names: readonly string[];
  readonly description: string;
  readonly value: CompletionValue | undefined;
  /** The value may be left out, and is given as `--name=value` only. */
  readonly isOptional: boolean;
  /** Whether it makes sense to give it again: what has a value may be a list, and -v counts. */
  readonly isRepeatable: boolean;
}

export interface CompletionCommand {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly CompletionOption[];
  /** What its operands are: all of the last kind. */
  readonly operand: CompletionValue | undefined;
}

/** What a completion script has to know of the commander tree. */
export interface CompletionModel {
  readonly name: string;
  readonly options: readonly CompletionOption[];
  readonly commands: readonly CompletionCommand[];
}

/** What operands are, by the names that they have in help and manual. An option's row says what its value is. */
const operands: Readonly<Record<string, ValueKind>> = {
  address: 'address',
  listen: 'address',
  target: 'address',
};

/** Reads the whole commander tree. */
export function readCompletionModel(program: Command): CompletionModel {
  const commands = program.commands.map((command) => ({
    name: command.name(),
    summary: command.description(),
    options: readOptions(command),
    operand: command.registeredArguments.map((argument) => readArgument(command, argument)).at(-1),
  }));
  const names = commands.map(({ name }) => name);
  const help: CompletionCommand = {
    name: 'help',
    summary: 'show the help of a command',
    options: [],
    operand: { name: 'command', kind: 'command', choices: names },
  };
  return { name: program.name(), options: readOptions(program), commands: [...commands, help] };
}

function readOptions(command: Command): CompletionOption[] {
  return command.createHelp().visibleOptions(command).map(readOption);
}

function readOption(option: Option): CompletionOption {
  const { short, long, flags, description, argChoices, required, optional } = option;
  const name = /[<[](.+)[\]>]/.exec(flags)?.[1];
  return {
    names: [short, long].filter((one) => one !== undefined),
    description,
    value: name === undefined ? undefined : toValue(name, argChoices, rowOf(option)?.value.completion),
    isOptional: optional,
    isRepeatable: required || long === '--verbose',
  };
}

function readArgument(command: Command, argument: Argument): CompletionValue {
  // isip judges texts; what the shell could offer is no help with that.
  if (command.name() === 'isip') return { name: argument.name(), kind: 'text', choices: [] };
  return toValue(argument.name(), argument.argChoices, operands[argument.name()]);
}

function toValue(
  name: string,
  choices: readonly string[] | undefined,
  kind: ValueKind = 'text',
): CompletionValue {
  return choices === undefined ? { name, kind, choices: [] } : { name, kind: 'choice', choices };
}
