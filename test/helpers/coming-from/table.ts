import { readFileSync } from 'node:fs';

/** What can be compared between two commands. */
export const parts = ['stdout', 'wire', 'exit', 'file'] as const;

export type Part = (typeof parts)[number];

/** One row of docs/coming-from.md. */
export interface Row {
  /** The program that the section is about. */
  readonly peer: string;
  readonly theirs: string;
  readonly ours: string;
  /** The scene in which both are run. */
  readonly scene: string;
  /** What is the same. */
  readonly same: readonly Part[];
  /** What is not, and why; empty when there is nothing to say. */
  readonly apart: string;
}

const unescape = (cell: string) => cell.trim().replaceAll(String.raw`\|`, '|');
const unquote = (cell: string) => unescape(cell).replace(/^`+ ?(.*?) ?`+$/, '$1');

/** The cells of each row of the Markdown tables in a text, without their heads. */
function readCells(text: string): string[][] {
  return [...text.matchAll(/^\|(.+)\|$/gm)]
    .map(([, line]) => line!.split(/(?<!\\)\|/))
    .filter(([first]) => first!.trim().startsWith('`'));
}

/** The rows of docs/coming-from.md, whose sections are named `## From PROGRAM`. */
export function readRows(): Row[] {
  const text = readFileSync(new URL('../../../docs/coming-from.md', import.meta.url), 'utf8');
  return [...text.matchAll(/^## From (\S+)\n([^]*?)(?=^## |$(?![^]))/gm)].flatMap(([, peer, section]) =>
    readCells(section!).map(([theirs, ours, scene, same, apart]): Row => {
      const words = unescape(same!);
      return {
        peer: peer!,
        theirs: unquote(theirs!),
        ours: unquote(ours!),
        scene: unescape(scene!),
        same: words === 'all' ? ['stdout', 'wire', 'exit'] : (words.split(', ') as Part[]),
        apart: unescape(apart!),
      };
    }),
  );
}

/** The pairs of commands in the README's section on where one comes from. */
export function readShortTable(): { theirs: string; ours: string }[] {
  const text = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
  const [, section = ''] = /^## Coming from [^\n]*\n([^]*?)^## /m.exec(text) ?? [];
  return readCells(section).map(([theirs, ours]) => ({ theirs: unquote(theirs!), ours: unquote(ours!) }));
}
