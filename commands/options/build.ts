import { InvalidArgumentError, Option, type Command } from 'commander';
import { TnetError } from '../../src/errors.ts';
import { takeOptionalValuesAfterEquals } from './arguments.ts';
import { longNameOf, readerOf, rowsOf, type CommandName, type Layout, type OptionRow } from './row.ts';

const rows = new WeakMap<Option, OptionRow>();

/** The row that an option was made from. */
export function rowOf(option: Option): OptionRow | undefined {
  return rows.get(option);
}

/** Adds every option of a command, under the headings of its layout. */
export function addOptions(command: Command, name: CommandName, layout: Layout): void {
  const all = rowsOf(name, layout);
  const lists = new Map<string, unknown[]>();
  for (const [heading, ...tables] of layout) {
    const shown = [...rowsOf(name, [[heading, ...tables]]).values()];
    if (shown.length > 0) command.optionsGroup(heading);
    for (const row of shown) {
      for (const option of createOptions(name, row, lists)) {
        // What a row implies may be another command's.
        const implied = Object.entries(row.implies ?? {}).filter(([other]) => all.has(other));
        command.addOption(implied.length > 0 ? option.implies(Object.fromEntries(implied)) : option);
        rows.set(option, row);
      }
    }
  }
  const alone = [...all.values()].flatMap((row) =>
    row.alone === undefined ? [] : [[longNameOf(row), row.alone] as const],
  );
  if (alone.length > 0) takeOptionalValuesAfterEquals(command, Object.fromEntries(alone));
}

function createOptions(name: CommandName, row: OptionRow, lists: Map<string, unknown[]>): Option[] {
  const { value, alone, off } = row;
  const option = new Option(row.flags, row.helpIn?.[name] ?? row.help);
  const read = readerOf(name, row);
  if (value.counts) option.argParser((_word, previous: number) => previous + 1);
  else if (value.entry) option.argParser(gatherIn(row, lists, read));
  else if (value.choices && read === value.read) option.choices(value.choices);
  else if (value.sample !== undefined) option.argParser((word) => asArgument(() => read(word)));
  if (value.choices) option.argChoices = [...value.choices];
  if (row.default) option.default(row.default.value, row.default.text);
  if (alone !== undefined) option.preset(alone);
  return off ? [option, new Option(off.flags, off.help).default(undefined)] : [option];
}

/** Gathers the values of an option that may be repeated, with those of others where the row names a list. */
function gatherIn(row: OptionRow, lists: Map<string, unknown[]>, read: (word: string) => unknown) {
  const key = row.gathers ?? row.flags;
  return (word: string) => {
    const list = lists.get(key) ?? [];
    lists.set(key, list);
    list.push(asArgument(() => read(word)));
    return list;
  };
}

/** What is wrong with a value, told the way that makes commander name its flag; what has a subject names itself. */
function asArgument<Value>(read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof TnetError) || error.code !== 'TNET_E_USAGE' || error.subject !== undefined)
      throw error;
    throw new InvalidArgumentError(error.message);
  }
}

/** Makes every option that has one value refuse a second one: which of them counts would be a guess. */
export function refuseRepeats(command: Command): void {
  for (const option of command.options) {
    if (!option.required && !option.optional) continue;
    let count = 0;
    command.on(`option:${option.name()}`, () => {
      // What gathers values has them in a list.
      const isList = Array.isArray(command.getOptionValue(option.attributeName()));
      if (++count < 2 || isList) return;
      const flag = option.short ?? option.long ?? '';
      throw new TnetError('TNET_E_USAGE', `${flag} is given twice, but takes one value`);
    });
  }
}
