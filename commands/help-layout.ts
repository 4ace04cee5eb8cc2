import type { Command, Help, HelpConfiguration, Option } from 'commander';

/** The widest flags that share a line with their description; wider ones stand on a line of their own. */
const maxTermWidth = 26;
const itemIndent = 2;
const spacerWidth = 2;

/**
 * How help is laid out: one column of flags in every command, narrow enough to leave most of 80 columns to the
 * descriptions.
 */
export const helpLayout: HelpConfiguration = {
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
export function helpFooter(command: Command): string {
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
