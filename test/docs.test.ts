import { execFileSync } from 'node:child_process';
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { CommanderError, type Command } from 'commander';
import { findCommand } from '../commands/command-table.ts';
import { readHelpRequest } from '../commands/help/help.ts';
import { buildProgram } from '../commands/program.ts';
import { exitStatus } from '../commands/output.ts';
import type { CommandName, OptionRow, Role } from '../commands/options/row.ts';
import { errorTable } from '../src/errors.ts';
import { exitCodes } from '../src/exit-codes.ts';
import { ProtocolError, protocolErrorTable, type ProtocolErrorCode } from '../src/protocol/protocol-error.ts';

function readDoc(name: string): string {
  return readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');
}

/** The cells of a Markdown table's rows, without its head. */
function rowsOf(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => /^\| *`/.test(line))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

test('docs/errors.md has every code with its exit status and meaning, and no other', (t) => {
  const rows = rowsOf(readDoc('docs/errors.md'));
  const own = Object.entries(errorTable).map(([code, { exit, meaning }]) => [code, exit, meaning] as const);
  // What a codec throws is never this machine's set-up.
  const codecs = Object.entries(protocolErrorTable).map(([code, meaning]) => {
    const error = new ProtocolError(code as ProtocolErrorCode, 'test', {
      protocol: 'socks5',
      reason: 'test',
    });
    return [code, exitStatus(error), meaning] as const;
  });
  t.deepEqual(
    rows,
    [...own, ...codecs].map(([code, exit, meaning]) => [`\`${code}\``, String(exit), meaning]),
  );
});

test('every code of the error tables can be seen, and what is seen is in them', (t) => {
  const root = new URL('../', import.meta.url);
  const files = ['src', 'commands'].flatMap((folder) =>
    readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `${folder}/${name}`),
  );
  // As a string: a table's keys and a comment's words are not thrown.
  const seen = new Set(files.flatMap((name) => readDoc(name).match(/(?<=')TNET_E_\w+(?=')/g) ?? []));
  const tables = [...Object.keys(errorTable), ...Object.keys(protocolErrorTable)];
  t.deepEqual([...seen].toSorted(), tables.toSorted());
});

test('docs/events.md has every event of src/report/events.ts with its members', (t) => {
  const source = readDoc('src/report/events.ts');
  const body = source.slice(source.indexOf('export type Event ='), source.indexOf('export type EventName'));
  const inCode = body
    .split(/\n {2}\| /)
    .slice(1)
    .map((part) => {
      const names = [...part.matchAll(/readonly (\w+)\??:/g)].map(([, name]) => name!);
      const event = /event: '([^']+)'/.exec(part)![1]!;
      return [event, names.filter((name) => name !== 'event').sort()] as const;
    });
  const inDoc = rowsOf(readDoc('docs/events.md')).map(([event, members]) => {
    const names = [...members!.matchAll(/`(\w+)`/g)].map(([, name]) => name!);
    return [event!.replaceAll('`', ''), names.sort()] as const;
  });
  t.deepEqual(Object.fromEntries(inDoc), Object.fromEntries(inCode));
});

test('the README lists every exit status', (t) => {
  const readme = readDoc('README.md');
  for (const status of Object.values(exitCodes))
    t.regex(readme, new RegExp(`^\\| [\\d/]*\\b${status}\\b`, 'm'), String(status));
});

test('no file that npm reads names where packages come from', (t) => {
  t.notRegex(readDoc('package-lock.json'), /"resolved"/);
});

const root = fileURLToPath(new URL('..', import.meta.url));

/** Every page of the project, by its path from the root. */
const pages = listFiles().filter((path) => path.endsWith('.md'));

/** The files of the project: what git knows, or else what lies in the folders of a package. */
function listFiles(): string[] {
  const found = execFileSync(
    'find',
    [
      '.',
      '-name',
      'node_modules',
      '-prune',
      '-o',
      '-name',
      '.*',
      '-path',
      './.*',
      '-prune',
      '-o',
      '-type',
      'f',
      '-print',
    ],
    {
      cwd: root,
      encoding: 'utf8',
    },
  );
  return found.split('\n').flatMap((line) => (line === '' ? [] : [line.slice(2)]));
}

for (const page of pages) {
  test(`${page}: every link and every file that it names is there`, (t) => {
    const text = readDoc(page);
    const links = [...text.matchAll(/\]\(([^)#\s]+)(#[^)\s]*)?\)/g)].map(([, link]) => link!);
    const linked = links.filter((link) => !/^[a-z]+:/.test(link)).map((link) => join(dirname(page), link));
    const named = [
      ...text.matchAll(
        /`((?:bin|commands|src|test|docs|man|scripts|bench|native|examples)\/[\w./-]*\.\w+)`/g,
      ),
    ];
    const isToCome = (path: string) => path.includes('COMMAND') || text.includes(`\`${path}\`, a new file:`);
    const missing = [...linked, ...named.map(([, path]) => path!)].filter(
      (path) => !isToCome(path) && !existsSync(join(root, path)),
    );
    t.deepEqual(missing, []);
    const anchors = new Set([...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading!)));
    const jumps = [...text.matchAll(/\]\(#([^)\s]+)\)/g)].map(([, anchor]) => anchor!);
    t.deepEqual(
      jumps.filter((anchor) => !anchors.has(anchor)),
      [],
    );
  });
}

/** The anchor that a heading gets on GitHub. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

test('every page of docs begins with a sentence that says what it is for', (t) => {
  for (const page of pages.filter((path) => path.startsWith('docs/')))
    t.regex(readDoc(page), /^# .+\n\n(?!```)[^|#>\n-][^]*?\.(\s|$)/, page);
});

test('every page of docs is linked from the README', (t) => {
  const readme = readDoc('README.md');
  const unlinked = pages.filter((page) => page.startsWith('docs/') && !readme.includes(`](${page})`));
  t.deepEqual(unlinked, []);
});

/** The words of a command in a shell line, up to what ends it; the words of quotes stay together. */
function shellWords(line: string): string[] {
  const words = line.match(/(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"|;&<>()])+|[|;&<>()]/g) ?? [];
  const end = words.findIndex((word) => /^[|;&<>()]$/.test(word));
  return (end < 0 ? words : words.slice(0, end))
    .filter((word) => !/^\d?$/.test(word) || /^\d+$/.test(word))
    .map((word) =>
      word.replace(/'([^']*)'|"([^"]*)"/g, (_all, one?: string, two?: string) => one ?? two ?? ''),
    );
}

/** Every `tnet …` in the code of a page, with the line it stands in. */
function commandsOf(text: string): string[] {
  const blocks = [...text.matchAll(/^```sh.*\n([^]*?)^```$/gm)].map(([, block]) =>
    block!.replace(/\\\n/g, ' '),
  );
  const lines = blocks.flatMap((block) => block.split('\n').map((line) => line.replace(/(^|\s)#.*$/, '')));
  const spans = [...text.replace(/^```[^]*?^```$/gm, '').matchAll(/`(tnet [^`]+)`/g)].map(
    ([, span]) => span!,
  );
  const start = /(?:^|[\s;|&($'{])tnet (?:-- )?(?=[a-z-]+(?:\s|$))/g;
  return [...lines, ...spans].flatMap((line) =>
    [...line.matchAll(start)].map(({ index, 0: head }) => line.slice(index + head.length)),
  );
}

/** Parses the arguments against the commander tree without running anything. */
async function parse(args: readonly string[]): Promise<void> {
  if (readHelpRequest(args)) return;
  const program = await buildProgram('0.0.0', findCommand(args) ?? '');
  const quiet = (command: Command) => {
    command.exitOverride().configureOutput({ writeOut: () => undefined, writeErr: () => undefined });
    if (command.parent) command.action(() => undefined);
  };
  [program, ...program.commands].forEach(quiet);
  await program.parseAsync([...args], { from: 'user' });
}

for (const page of ['README.md', ...pages.filter((path) => path.startsWith('docs/'))]) {
  test(`${page}: every tnet command has flags and values that tnet takes`, async (t) => {
    const wrong: string[] = [];
    for (const line of commandsOf(readDoc(page))) {
      const words = shellWords(line);
      // Words in capitals and braces stand for something, and prose names a command with an ellipsis.
      if (words.length === 0 || /[…{}]|TIME|[A-Z]{4,}=/.test(words.join(' '))) continue;
      try {
        await parse(words);
      } catch (error) {
        if (error instanceof CommanderError && error.exitCode === 0) continue;
        wrong.push(`tnet ${words.join(' ')}: ${(error as Error).message}`);
      }
    }
    t.deepEqual(wrong, []);
  });
}

/** The options of each command in a role, by all their flags; a row about the process or about both ends is about each. */
async function flagsOf(command: CommandName, role: Role): Promise<Set<string>> {
  const flags = new Set<string>();
  for (const file of globSync('commands/options/table/*.ts', { cwd: root })) {
    const tables = Object.values(
      (await import(join(root, file))) as Record<string, Record<string, OptionRow>>,
    );
    for (const row of tables.flatMap((table) => (typeof table === 'object' ? Object.values(table) : []))) {
      const roles = row.in[command] ?? [];
      if (roles.some((one) => one === role || one === 'process' || one === 'relay'))
        for (const flag of row.flags.match(/--?[\w-]+/g) ?? []) flags.add(flag);
    }
  }
  return flags;
}

const capabilities: [heading: string, columns: [CommandName, Role][]][] = [
  [
    'with its clients',
    [
      ['listen', 'server'],
      ['echo', 'server'],
      ['proxy', 'server'],
    ],
  ],
  [
    'with its server',
    [
      ['connect', 'client'],
      ['echo', 'client'],
      ['proxy', 'target'],
    ],
  ],
];

for (const [heading, columns] of capabilities) {
  test(`docs/architecture.md tells of each command what it can do ${heading}`, async (t) => {
    const text = readDoc('docs/architecture.md');
    const table = new RegExp(`\\| ${heading} .*\\n\\|[ |-]+\\n((?:\\|.*\\n)+)`).exec(text)?.[1] ?? '';
    const known = await Promise.all(columns.map(([command, role]) => flagsOf(command, role)));
    const rows = table
      .trim()
      .split('\n')
      .map((row) => row.split('|').slice(1, -1));
    t.true(rows.length >= 9);
    for (const [what = '', ...cells] of rows) {
      const told = cells.map((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, flag = '']) => flag));
      for (const [index, flags] of told.entries()) {
        t.deepEqual(
          flags.filter((flag) => !known[index]!.has(flag)),
          [],
          what,
        );
        // Nothing that another command has in this row is left out.
        const others = told.flat().filter((flag) => known[index]!.has(flag));
        t.deepEqual([...new Set(others)].sort(), [...flags].sort(), what);
      }
    }
  });
}

test('docs/endpoints.md names a test that is there, or a reason, for each kind and command', (t) => {
  const [table = ''] = /^\| kind +\| connect [^]*?\n\n/m.exec(readDoc('docs/endpoints.md')) ?? [];
  const rows = table.trim().split('\n').slice(2);
  t.is(rows.length, 14);
  for (const row of rows) {
    const [, kind, ...cells] = row.split(/(?<!\\)\|/).map((cell) => cell.trim());
    for (const cell of cells.slice(0, -1)) {
      const [, file] = /^`([^`]+\.test\.ts)`/.exec(cell) ?? [];
      if (file === undefined) t.regex(cell, /^(?:refused|not tested): ./, kind);
      else t.true(existsSync(new URL(file, import.meta.url)), `${kind}: ${file}`);
    }
  }
});
