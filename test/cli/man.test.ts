import { readFileSync } from 'node:fs';
import test from 'ava';
import type { Command, Option } from 'commander';
import { buildProgram, commandTable } from '../../commands/program.ts';
import { exitCodes } from '../../src/exit-codes.ts';
import { runCli } from '../helpers/cli.ts';

const program = await buildProgram('0.0.0');

function readPage(name: string): string {
  return readFileSync(new URL(`../../man/${name}.1`, import.meta.url), 'utf8');
}

/** The list item of an option: `.It Fl p , Fl \-port Ar port`. */
function manItem({ short, long, flags }: Option): string {
  const names = [short, long].filter((name) => name !== undefined);
  const argument = /[<[](.+)[\]>]/.exec(flags);
  const value = argument === null ? '' : ` Ar ${argument[1]!}`;
  return `.It ${names.map((name) => `Fl ${name.slice(1).replace('-', '\\-')}`).join(' , ')}`.concat(value);
}

function itemsOf(page: string): string[] {
  return page.split('\n').filter((line) => line.startsWith('.It Fl ') && !line.endsWith('Fl \\-help'));
}

function isSameOption(item: string, option: Option): boolean {
  const wanted = manItem(option);
  // A page may write an optional argument with Op or Oo.
  return (
    item === wanted ||
    item.replace(/ (Op|Oo) /, ' ') === wanted ||
    item.split(' Ar ')[0] === wanted.split(' Ar ')[0]
  );
}

for (const { name } of commandTable) {
  const command = program.commands.find((one) => one.name() === name) as Command;

  test(`tnet-${name}(1) describes every option of the command and no other`, (t) => {
    const items = itemsOf(readPage(`tnet-${name}`));
    const missing = command.options.filter((option) => !items.some((item) => isSameOption(item, option)));
    const extra = items.filter((item) => !command.options.some((option) => isSameOption(item, option)));
    t.deepEqual(missing.map(manItem), []);
    t.deepEqual(extra, []);
  });

  test(`tnet ${name} --help shows every option of the command`, async (t) => {
    const { code, stdout, stderr } = await runCli(t, [name, '--help']);
    t.is(code, 0);
    t.is(stderr, '');
    for (const { flags } of command.options) t.true(stdout.toString().includes(flags), flags);
  });

  test(`tnet help ${name} says the same as tnet ${name} --help`, async (t) => {
    const [help, flag] = await Promise.all([runCli(t, ['help', name]), runCli(t, [name, '--help'])]);
    t.is(help.code, 0);
    t.is(help.stdout.toString(), flag.stdout.toString());
  });
}

test('tnet(1) lists every exit status', (t) => {
  const page = readPage('tnet');
  for (const status of Object.values(exitCodes)) t.regex(page, new RegExp(`^\\.It ${status}$`, 'm'));
});

test('tnet(1) names every command', (t) => {
  const page = readPage('tnet');
  for (const { name } of commandTable) t.regex(page, new RegExp(`^\\.It Cm ${name}$`, 'm'));
});
