import { readFileSync } from 'node:fs';

/** An option as a page or the commander tree has it: `-w, --wait-connect <time>`. */
export type Flags = string;

/** The mdoc source of a page: `tnet` or `tnet-connect`. */
export function readPage(name: string): string {
  return readFileSync(new URL(`../../man/${name}.1`, import.meta.url), 'utf8');
}

/** The titles of a page's sections, in their order. */
export function sectionsOf(page: string): string[] {
  return [...page.matchAll(/^\.Sh (.+)$/gm)].map(([, title]) => title!);
}

/** The text of a section, without its title. */
export function sectionOf(page: string, title: string): string {
  return new RegExp(`^\\.Sh ${title}\\n((?:(?!\\.Sh ).*\\n?)*)`, 'm').exec(page)?.[1] ?? '';
}

/** The one line that says what a page is about. */
export function summaryOf(page: string): string {
  return /^\.Nd (.+)$/m.exec(page)?.[1] ?? '';
}

/** The options that a page describes, except --help: `.It Fl w , Fl \-wait-connect Ar time`. */
export function flagsOf(page: string): Flags[] {
  return page
    .split('\n')
    .filter((line) => line.startsWith('.It Fl ') && !line.endsWith('Fl \\-help'))
    .map(readItem);
}

/** Names, and the value with what stands around it: Op or Oo makes it an optional one. */
const item = /^\.It (Fl \S+(?: , Fl \S+)*)(?: (O[po] )?(?:Ns )?(?:= Ns )?Ar (.+?)(?: Oc)?)?$/;

function readItem(line: string): Flags {
  const [, names, optional, value] = item.exec(line) ?? [];
  if (names === undefined) return line;
  const flags = names.replaceAll('Fl ', '-').replaceAll('\\-', '-').replaceAll(' ,', ',');
  if (value === undefined) return flags;
  return optional === undefined ? `${flags} <${value}>` : `${flags} [${value}]`;
}

export interface Example {
  readonly intent: string;
  /** The lines that a reader types, without the prompt. */
  readonly commands: readonly string[];
}

/** The examples of a page: a sentence that ends in a colon, then the lines that start with a prompt. */
export function examplesOf(page: string): Example[] {
  const examples: { intent: string; commands: string[] }[] = [];
  let words: string[] = [];
  for (const line of sectionOf(page, 'EXAMPLES').split('\n')) {
    const command = /^(?:\.Dl )?\$ (.+)$/.exec(line)?.[1];
    if (command !== undefined) {
      if (words.length > 0) examples.push({ intent: words.join(' '), commands: [] });
      words = [];
      examples.at(-1)?.commands.push(unescape(command));
    } else if (line !== '' && !line.startsWith('.') && isProse(line)) words.push(line);
  }
  return examples;
}

/** What a command prints stands among the lines of a literal block and is no sentence of the page's. */
function isProse(line: string): boolean {
  return /^[A-Z].*|.*:$/.test(line);
}

function unescape(text: string): string {
  return text.replaceAll('\\(dq', '"').replaceAll('\\e', '\\').replaceAll('\\-', '-').replaceAll('\\&', '');
}
