import { Command, type Help, type HelpConfiguration, type Option } from 'commander';
import { hideUserInfo } from '../src/errors.ts';
import { usageHint } from './options/foreign-flags.ts';
import { commandTable } from './command-table.ts';
import { addOptions, refuseRepeats } from './options/build.ts';
import type { CommandName } from './options/row.ts';
import { writeResult } from './output.ts';

/**
 * The commander tree. With `only`, that command is whole and the others stand there with their names and summaries,
 * which is all that a run of one command needs.
 */
export async function buildProgram(version: string, only?: string): Promise<Command> {
  const program = new Command('tnet');
  program
    .description('Listen, connect, echo, proxy: bytes between two ends, and none lost.')
    .version(version, '-V, --version', 'print the version')
    // Else tnet's own -v would take the commands' -v.
    .enablePositionalOptions()
    .option('-v, --verbose', 'with --version: also the Node version and the flow engine')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command')
    .configureHelp(helpLayout)
    .configureOutput({ outputError: () => undefined, writeOut: writeResult })
    .showSuggestionAfterError(true)
    .exitOverride();
  for (const { name, summary, load } of commandTable) {
    const command = program.command(name).description(summary);
    if (only === undefined || only === name) await define(command, load);
    refuseRepeats(command);
    // After the command's own options: it stands in the group of the last of them.
    command.helpOption('-h, --help', 'show this help').addHelpText('after', helpFooter(command));
  }
  return program;
}

/** Gives a command its operands and options, and what it does. */
async function define(command: Command, load: (typeof commandTable)[number]['load']): Promise<void> {
  if (!load) {
    const { defineCompletion } = await import('./completion/completion.ts');
    defineCompletion(command, () => buildProgram(''));
    return;
  }
  const { operands, layout, run } = await load();
  for (const [name, help] of operands) command.argument(name, help);
  addOptions(command, command.name() as CommandName, layout);
  command.action(run);
}

/** One line for a usage error that commander found. */
export function describeUsageError(command: string | undefined, code: string, message: string): string {
  const line = message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
  const text = code === 'commander.unknownOption' ? line : hideQuoted(line);
  return usageHint(command, code, text) ?? text;
}

/** Whatever was typed may be an address with a password, given to the wrong flag. */
function hideQuoted(text: string): string {
  const argument = / argument '(.*)' is invalid/s.exec(text)?.[1] ?? /'(.*)'/s.exec(text)?.[1] ?? '';
  return text.replace(argument, () => hideUserInfo(argument));
}

/** The widest flags that share a line with their description; wider ones stand on a line of their own. */
const maxTermWidth = 26;
const itemIndent = 2;
const spacerWidth = 2;

/**
 * How help is laid out: one column of flags in every command, narrow enough to leave most of 80 columns to the
 * descriptions.
 */
const helpLayout: HelpConfiguration = {
  showGlobalOptions: false,
  padWidth: (command, helper) =>
    Math.min(
      maxTermWidth,
      Math.max(
        helper.longestOptionTermLength(command, helper),
        helper.longestSubcommandTermLength(command, helper),
        helper.longestArgumentTermLength(command, helper),
      ),
    ),
  formatItem(term, termWidth, description, helper) {
    const indent = ' '.repeat(itemIndent);
    const descriptionIndent = ' '.repeat(itemIndent + termWidth + spacerWidth);
    const lines = wrap(description, helper, descriptionIndent.length);
    const text = lines.join(`\n${descriptionIndent}`);
    const width = helper.displayWidth(term);
    if (text === '') return indent + term;
    if (width > termWidth) return `${indent}${term}\n${descriptionIndent}${text}`;
    return `${indent}${term}${' '.repeat(termWidth - width + spacerWidth)}${text}`;
  },
  optionDescription: describeOption,
};

/** What stands below the options of a command. */
function helpFooter(command: Command): string {
  const takes = (value: string) => command.options.some(({ flags }) => flags.includes(value));
  const quantities = [
    takes('<time>') ? '<time> is 500ms, 2s, 3m or 1h; a bare number is seconds.' : '',
    takes('<size>') ? '<size> is in bytes, or 64k, 10M.' : '',
  ].filter((line) => line !== '');
  return ['', ...quantities, `More, with examples: man tnet-${command.name()}`].join('\n');
}

function wrap(text: string, helper: Help, indentWidth: number): string[] {
  return helper.boxWrap(text, (helper.helpWidth ?? 80) - indentWidth).split('\n');
}

/** The description with the words that the flag takes, its default, and what it means without its value. */
function describeOption(option: Option): string {
  const { argChoices, defaultValueDescription, description, optional } = option;
  const preset: unknown = option.presetArg;
  const notes = [
    argChoices?.join(', '),
    defaultValueDescription === undefined || option.isBoolean()
      ? undefined
      : `default: ${defaultValueDescription}`,
    optional && typeof preset === 'string' ? `alone: ${preset}` : undefined,
  ].filter((note) => note !== undefined);
  return notes.length === 0 ? description : `${description} (${notes.join('; ')})`;
}
