import { commandTable } from '../command-table.ts';
import { formatExamples, readHelpContent, type HelpContent } from './content.ts';

const columns = 80;

/**
 * A screen of help, of at most 24 lines and 80 columns: what a command is for, three examples, the options that are used
 * most, and where more is.
 *
 * @param name a command's, or '' for tnet itself
 */
export async function layOutScreen(name: string): Promise<string> {
  const content = await readHelpContent(name);
  const { help } = content;
  const called = name === '' ? 'tnet' : `tnet ${name}`;
  const listed = name === '' ? listCommands() : listOptions(name, content);
  const lines = [
    `Usage: ${called} ${help.usage}`,
    '',
    ...help.purpose,
    '',
    'Examples:',
    ...formatExamples(help),
    '',
    ...(listed.length > 0 ? [...listed, ''] : []),
    ...(name === '' ? sayMoreOfAll : sayMore(name, content)),
  ];
  return `${lines.join('\n')}\n`;
}

function listCommands(): string[] {
  return ['Commands:', ...alignTerms(commandTable.map(({ name, summary }) => [name, summary]))];
}

function listOptions(name: string, { help, rows }: HelpContent): string[] {
  const items = help.mostUsed.flatMap((option) => {
    const row = rows.get(option);
    const text = row?.helpIn?.[name as keyof typeof row.helpIn] ?? row?.help;
    return row && text !== undefined ? [[row.flags, text] as const] : [];
  });
  return items.length > 0 ? ['Options used most:', ...alignTerms(items)] : [];
}

function sayMore(name: string, { rows }: HelpContent): string[] {
  const all = `All options: tnet ${name} --help`;
  const group = name === 'isip' ? '' : `; one group: tnet help ${name} tls`;
  return [rows.size > 0 ? `${all}${group}` : all, `The manual page: tnet help --man ${name}`];
}

const sayMoreOfAll = [
  'More about a command: tnet COMMAND -h; all of its options: tnet COMMAND --help',
  'The manual page, with all kinds of addresses: tnet help --man',
];

/** Terms in a column, and beside them what they mean, a line each. */
function alignTerms(items: readonly (readonly [term: string, meaning: string])[]): string[] {
  const width = Math.max(...items.map(([term]) => term.length));
  return items.map(([term, meaning]) => `  ${term.padEnd(width)}  ${shorten(meaning, columns - width - 4)}`);
}

/** As much of a phrase as fits, cut where a part of it ends. */
function shorten(text: string, width: number): string {
  if (text.length <= width) return text;
  const plain = text.replace(/ \(.*$/, '');
  const ends = [...plain.matchAll(/[,;:] |$/g)].map(({ index }) => index).filter((end) => end <= width);
  return plain.slice(0, ends.at(-1) ?? width);
}
