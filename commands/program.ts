import { Command, type Help, type HelpConfiguration, type Option } from 'commander';
import { hideUserInfo, TnetError } from '../src/errors.ts';
import { findNearest, refuseCommand, refuseOption } from './options/suggestions.ts';
import { formatExamples, readHelpContent } from './help/content.ts';
import { commandTable } from './command-table.ts';
import { addOptions, refuseRepeats } from './options/build.ts';
import type { CommandName } from './options/row.ts';
import { writeResult } from './output.ts';

/**
 * The commander tree. With `only`, that command is complete and the others have just their names and summaries,
 * which is all that a run of one command needs.
 */
export async function buildProgram(version: string, only?: string): Promise<Command> {
  const program = new Command('tnet');
  program
    .version(version, '-V, --version', 'print the version')
    // Else tnet's own -v would take the commands' -v.
    .enablePositionalOptions()
    .option('-v, --verbose', 'with --version: also the Node version and the flow engine')
    .helpOption(...helpOption)
    .helpCommand('help [command] [group...]', 'show the help of a command, or of a group of its options')
    .configureHelp(helpLayout)
    .configureOutput({ outputError: () => undefined, writeOut: writeResult })
    .showSuggestionAfterError(false)
    .exitOverride();
  for (const { name, summary, load } of commandTable) {
    const command = program.command(name).description(summary);
    if (only === undefined || only === name) await define(command, load);
    refuseRepeats(command);
    // After the command's own options: it belongs to the group of the last of them.
    command.helpOption(...helpOption);
  }
  // It is shown by help/help.ts, which knows a screen and a pager.
  for (const command of [program, ...program.commands])
    Object.assign(command, { outputHelp: () => undefined });
  return program;
}

/** All help of a command, or of tnet itself with ''; as wide as the terminal. */
export async function layOutHelp(name: string): Promise<string> {
  const program = await buildProgram('', name);
  const command = program.commands.find((one) => one.name() === name) ?? program;
  const { help } = await readHelpContent(name);
  command.usage(help.usage).configureHelp({
    ...helpLayout,
    commandDescription: () => [...help.purpose, '', 'Examples:', ...formatExamples(help)].join('\n'),
  });
  return `${command.helpInformation()}\n${helpFooter(command)}\n`;
}

const helpOption = ['-h, --help', '-h: a screen of help; --help: all of it'] as const;

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

/** What a usage error of commander's says, in tnet's words. */
export async function explainUsageError(
  command: string | undefined,
  code: string,
  message: string,
): Promise<TnetError> {
  const text = message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
  const word = /'(.*)'/s.exec(text)?.[1] ?? '';
  if (code === 'commander.unknownCommand') return refuseCommand(word);
  if (code === 'commander.unknownOption') return await refuseOption(command ?? '', word);
  const [, flags = '', value = '', reason = ''] =
    /^option '(.*?)' argument '(.*)' is invalid\. (.*)$/s.exec(text) ?? [];
  if (flags !== '') return refuseValue(flags, value, reason);
  const [, operand = '', name = '', choices = ''] =
    /^command-argument value '(.*)' is invalid for argument '(.*)'\. (.*)$/s.exec(text) ?? [];
  if (name !== '') return refuseValue(name.toUpperCase(), operand, choices);
  const lacking = /^option '(.*?)(?: ([<[].*))?' argument missing$/.exec(text);
  if (lacking) {
    const [, option = '', kind = ''] = lacking;
    return new TnetError('TNET_E_USAGE', `${option} needs a value: ${kind}`);
  }
  return new TnetError(
    'TNET_E_USAGE',
    tidy(text).replace(word, () => hideUserInfo(word)),
  );
}

/** Any value may be an address with a password, given to the wrong flag. */
function refuseValue(flags: string, value: string, reason: string): TnetError {
  const choices = /^Allowed choices are (.*)\.$/.exec(reason)?.[1];
  const meant = choices === undefined ? undefined : findNearest(value, choices.split(', '));
  const advice = choices === undefined ? reason : `expected one of ${choices}`;
  const question = meant === undefined ? '' : `; did you mean ${meant}?`;
  const message = `'${hideUserInfo(value)}': ${tidy(advice)}${question}`;
  return new TnetError('TNET_E_USAGE', message, { subject: flags.replace(/ [<[].*/, '') });
}

/** Sentences as the parts of one that has no full stop. */
function tidy(text: string): string {
  return text
    .replace(/\.$/, '')
    .replace(/\. ([A-Z])/g, (_all, letter: string) => `; ${letter.toLowerCase()}`);
}

/** The widest flags that share a line with their description; wider ones are on a line of their own. */
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

/** What follows the options of a command. */
function helpFooter(command: Command): string {
  const name = command.parent ? command.name() : '';
  const takes = (value: string) => command.options.some(({ flags }) => flags.includes(value));
  const lines = [
    takes('<time>') ? '<time> is 500ms, 2s, 3m or 1h; a bare number is seconds.' : '',
    takes('<size>') ? '<size> is in bytes, or 64k, 10M.' : '',
    takes('--tls') ? `One group of options: tnet help ${name} tls` : '',
    name === ''
      ? 'The manual page, with all kinds of addresses: tnet help --man'
      : `The manual page: tnet help --man ${name}`,
  ];
  return lines.filter((line) => line !== '').join('\n');
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
