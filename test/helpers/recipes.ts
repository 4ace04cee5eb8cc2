/** A block of a recipe: what is typed in a terminal, or what that terminal then shows. */
export interface RecipeBlock {
  readonly kind: 'run' | 'output';
  /** The terminal's name; none means the reader's own, in which commands are run to their end. */
  readonly terminal?: string;
  readonly text: string;
}

/** A task of docs/recipes.md, or a step of docs/tour.md. */
export interface Recipe {
  readonly title: string;
  /** What the text says it is for. */
  readonly intent: string;
  readonly blocks: readonly RecipeBlock[];
}

/** What the machine of a recipe has already. */
export interface Setup {
  /** Programs beside tnet that it needs. */
  readonly needs: readonly string[];
  /** Shell commands that make what the reader has already: a database, a certificate. */
  readonly before: string;
}

/**
 * Reads recipes from Markdown: each is a heading of the third level. Its `sh` blocks are what to type; a word behind
 * `sh` names a terminal of its own, left running. A `text` block is what the terminal above it shows, or the one that
 * it names.
 */
export function readRecipes(markdown: string): Recipe[] {
  return readSections(markdown).map(([title, body]) => ({
    title,
    intent: body.split(/^```/m)[0]!.trim(),
    blocks: readBlocks(body),
  }));
}

/** Reads set-ups by title: a line `needs: a, b`, and a `sh` block. */
export function readSetups(markdown: string): ReadonlyMap<string, Setup> {
  return new Map(
    readSections(markdown).map(([title, body]) => [
      title,
      {
        needs: (/^needs: (.*)$/m.exec(body)?.[1] ?? '').split(', ').filter((name) => name !== ''),
        before: readBlocks(body)[0]?.text.trimEnd() ?? '',
      },
    ]),
  );
}

function readSections(markdown: string): (readonly [title: string, body: string])[] {
  return markdown
    .split(/^### /m)
    .slice(1)
    .map((section) => {
      const [title = '', ...rest] = section.split(/^## /m)[0]!.split('\n');
      return [title.trim(), rest.join('\n')];
    });
}

function readBlocks(body: string): RecipeBlock[] {
  let last: string | undefined;
  return [...body.matchAll(/^```(sh|text) ?(\w*)\n([^]*?)^```$/gm)].map(
    ([, language, name = '', text = '']) => {
      if (language === 'sh') last = name === '' ? undefined : name;
      const terminal = name === '' ? last : name;
      return { kind: language === 'sh' ? 'run' : 'output', terminal, text };
    },
  );
}

/** Numbers of four or five digits are ports in a recipe: each becomes a free one, the same everywhere in the recipe. */
export function mapPorts(text: string, portOf: (written: string) => number): string {
  return text.replace(/(?<![\w.])\d{4,5}(?![\w.]|:[\da-f])/gi, (written) => String(portOf(written)));
}

/** The pattern of an output: `…` stands for any text within a line, and on a line of its own for any lines. */
export function outputPattern(text: string): RegExp {
  const lines = text.split('\n').map((line) =>
    line === '…'
      ? '(?:.*\\n)*?'
      : `${line
          .split('…')
          .map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
          .join('.*')}\n`,
  );
  // The text ends with a newline, which split() gives as an empty last line.
  return new RegExp(`^${lines.slice(0, -1).join('')}$`);
}
