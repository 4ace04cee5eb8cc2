import test from 'ava';
import type { Command } from 'commander';
import { commandTable } from '../../commands/command-table.ts';
import { buildProgram } from '../../commands/program.ts';
import { exitCodes } from '../../src/exit-codes.ts';
import { runCli } from '../helpers/cli.ts';
import {
  examplesOf,
  flagsOf,
  readPage,
  sectionOf,
  sectionsOf,
  summaryOf,
  type Flags,
} from '../helpers/man-page.ts';
import { tnetCallsOf } from '../helpers/shell-words.ts';

const program = await buildProgram('0.0.0');
const pages = ['tnet', ...commandTable.map(({ name }) => `tnet-${name}`)];

/** The order is that of mdoc(7); a page may have sections of its own among them. */
const sections = [
  'NAME',
  'SYNOPSIS',
  'DESCRIPTION',
  'ENVIRONMENT',
  'FILES',
  'EXIT STATUS',
  'EXAMPLES',
  'SEE ALSO',
  'STANDARDS',
  'CAVEATS',
];

function commandOf(name: string): Command {
  return program.commands.find((one) => one.name() === name) as Command;
}

function treeFlags(name: string): Flags[] {
  return commandOf(name).options.map(({ flags }) => flags);
}

for (const { name, summary } of commandTable) {
  test(`tnet-${name}(1) describes every option of the command and no other, with the same value`, (t) => {
    t.deepEqual(flagsOf(readPage(`tnet-${name}`)).sort(), treeFlags(name).sort());
  });

  test(`tnet-${name}(1) and tnet help ${name} have the same summary`, (t) => {
    t.is(summaryOf(readPage(`tnet-${name}`)), summary);
    t.is(commandOf(name).description(), summary);
  });

  test(`tnet ${name} --help shows every option of the command`, async (t) => {
    const { code, stdout, stderr } = await runCli(t, [name, '--help']);
    t.is(code, 0);
    t.is(stderr, '');
    for (const { flags } of commandOf(name).options) t.true(stdout.toString().includes(flags), flags);
  });

  test(`tnet help ${name} says the same as tnet ${name} --help`, async (t) => {
    const [help, flag] = await Promise.all([runCli(t, ['help', name]), runCli(t, [name, '--help'])]);
    t.is(help.code, 0);
    t.is(help.stdout.toString(), flag.stdout.toString());
  });
}

for (const page of pages) {
  test(`${page}(1) has every section, in the order of mdoc(7)`, (t) => {
    const text = readPage(page);
    t.deepEqual(
      sectionsOf(text).filter((title) => sections.includes(title)),
      sections,
    );
    for (const title of sections) t.not(sectionOf(text, title).trim(), '', title);
  });

  test(`${page}(1) has examples, each a sentence that ends in a colon and then a command`, (t) => {
    const examples = examplesOf(readPage(page));
    t.true(examples.length > 0);
    for (const { intent, commands } of examples) {
      t.regex(intent, /^[A-Z].*:$/);
      t.true(commands.length > 0, intent);
    }
  });

  test(`the examples of ${page}(1) are command lines that tnet takes`, async (t) => {
    const calls = examplesOf(readPage(page)).flatMap(({ commands }) => commands.flatMap(tnetCallsOf));
    t.true(calls.length > 0);
    for (const words of calls) await t.notThrowsAsync(parse(words), words.join(' '));
  });
}

/** Reads a command line as tnet does, without doing anything. */
async function parse(words: readonly string[]): Promise<void> {
  const fresh = await buildProgram('0.0.0');
  for (const command of fresh.commands) {
    command.exitOverride().action(() => undefined);
  }
  await fresh.parseAsync([...words], { from: 'user' });
}

test('tnet(1) lists every exit status', (t) => {
  const page = readPage('tnet');
  for (const status of Object.values(exitCodes)) t.regex(page, new RegExp(`^\\.It ${status}$`, 'm'));
});

test('tnet(1) names every command, and the pages of all', (t) => {
  const page = readPage('tnet');
  for (const { name } of commandTable) {
    t.regex(page, new RegExp(`^\\.It Cm ${name}$`, 'm'));
    t.regex(sectionOf(page, 'SEE ALSO'), new RegExp(`^\\.Xr tnet-${name} 1`, 'm'));
  }
});
