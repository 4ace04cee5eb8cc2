import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { commandTable } from '../../commands/command-table.ts';
import { readHelpContent } from '../../commands/help/content.ts';
import { buildProgram } from '../../commands/program.ts';
import { runCli } from '../helpers/cli.ts';
import { findProgram, testWith } from '../helpers/programs.ts';
import { tnetCallsOf } from '../helpers/shell-words.ts';
import { tempDir } from '../helpers/temp.ts';
import { openScreen, showingStatus, tnetCommand } from '../helpers/tmux.ts';

const program = await buildProgram('0.0.0');
const names = ['', ...commandTable.map(({ name }) => name)];

async function readHelp(t: ExecutionContext, args: readonly string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await runCli(t, args, '', { env });
  t.is(code, 0, stderr);
  t.is(stderr, '');
  return stdout.toString();
}

for (const name of names) {
  const words = name === '' ? [] : [name];
  const called = ['tnet', ...words].join(' ');

  test(`${called} -h fits a terminal of 24 lines and 80 columns, with a line left for the prompt`, async (t) => {
    const lines = (await readHelp(t, [...words, '-h'])).trimEnd().split('\n');
    t.true(lines.length <= 23, `${lines.length} lines`);
    t.deepEqual(
      lines.filter((line) => line.length > 80),
      [],
    );
    t.true(lines[0]!.startsWith(`Usage: ${called} `));
  });

  test(`${called} -h has three examples to copy, and says where more is`, async (t) => {
    const { help } = await readHelpContent(name);
    const text = await readHelp(t, [...words, '-h']);
    t.is(help.examples.length, 3);
    for (const [, commandLine] of help.examples) t.true(text.includes(`\n  ${commandLine}\n`));
    t.regex(text, /--help/);
    t.regex(text, /tnet help --man/);
  });

  test(`the examples of ${called} --help are those of -h, and command lines that tnet takes`, async (t) => {
    const { help } = await readHelpContent(name);
    const all = await readHelp(t, [...words, '--help']);
    for (const [, commandLine] of help.examples) {
      t.true(all.includes(`\n  ${commandLine}\n`));
      const calls = tnetCallsOf(commandLine);
      t.true(calls.length > 0);
      for (const call of calls) await t.notThrowsAsync(parse(call), commandLine);
    }
  });
}

/** Reads a command line as tnet does, without doing anything. */
async function parse(words: readonly string[]): Promise<void> {
  const fresh = await buildProgram('0.0.0');
  for (const command of fresh.commands) command.exitOverride().action(() => undefined);
  await fresh.parseAsync([...words], { from: 'user' });
}

for (const name of ['connect', 'listen', 'echo', 'proxy', 'isip']) {
  test(`tnet ${name} -h shows six options, each with a phrase of its row`, async (t) => {
    const { help, rows } = await readHelpContent(name);
    const text = await readHelp(t, [name, '-h']);
    t.is(new Set(help.mostUsed).size, 6);
    for (const option of help.mostUsed) {
      const row = rows.get(option);
      t.truthy(row, option);
      const line = text.split('\n').find((one) => one.startsWith(`  ${row!.flags} `));
      t.truthy(line, row!.flags);
      const phrase = line!.slice(row!.flags.length + 2).trim();
      t.true((row!.helpIn?.[name as 'proxy'] ?? row!.help).startsWith(phrase), phrase);
    }
  });
}

for (const { name } of commandTable) {
  test(`tnet ${name} --help fits into 80 columns, with its descriptions in one column`, async (t) => {
    const lines = (await readHelp(t, [name, '--help'])).split('\n');
    t.deepEqual(
      lines.filter((line) => line.length > 80),
      [],
    );
    const columns = lines
      .map((line) => /^ {2}-.*? {2,}(?=\S)/.exec(line)?.[0].length)
      .filter((column) => column !== undefined);
    t.is(new Set(columns).size, 1);
  });
}

for (const name of ['connect', 'listen', 'proxy', 'echo']) {
  test(`tnet ${name} --help has every option in a group, and no group of more than 15`, (t) => {
    const { options } = program.commands.find((command) => command.name() === name)!;
    const groups = Map.groupBy(options, ({ helpGroupHeading }) => helpGroupHeading);
    t.false(groups.has(undefined));
    for (const [heading, group] of groups) t.true(group.length <= 15, heading);
  });
}

test('help says what a time and a size are where flags take them, and where more is', async (t) => {
  const text = await readHelp(t, ['connect', '--help']);
  t.regex(text, /^<time> is 500ms, 2s, 3m or 1h; a bare number is seconds\.$/m);
  t.regex(text, /^<size> is in bytes, or 64k, 10M\.$/m);
  t.regex(text, /^The manual page: tnet help --man connect$/m);
});

test('the options of proxy begin with what it serves, and those of echo with its service', async (t) => {
  const first = async (name: string) => /\n {2}(-.*?) {2}/.exec(await readHelp(t, [name, '--help']))?.[1];
  t.is(await first('proxy'), '-L, --pair <listen=target>');
  t.is(await first('echo'), '--service <name>');
});

test('-h and --help are found among other words, and --help is the whole', async (t) => {
  const [screen, all] = [await readHelp(t, ['connect', '-h']), await readHelp(t, ['connect', '--help'])];
  t.is(await readHelp(t, ['connect', 'host', '80', '-h']), screen);
  t.is(await readHelp(t, ['connect', '-v', '--help', 'host']), all);
  t.is(await readHelp(t, ['help', 'connect']), all);
  t.is(await readHelp(t, ['help']), await readHelp(t, ['--help']));
});

const groups: readonly (readonly [words: readonly string[], headings: readonly string[]])[] = [
  [['connect', 'tls'], ['TLS:']],
  [['connect', 'TLS'], ['TLS:']],
  [['connect', 'time'], ['Time limits and tries:']],
  [['connect', 'time', 'limits'], ['Time limits and tries:']],
  [['listen', 'proxy'], ['TLS and PROXY headers:']],
  [['proxy', 'targets'], ['Several targets:']],
  [['proxy', 'socks'], ['SOCKS, HTTP and PROXY headers:']],
  // An option's name finds its group.
  [['connect', '--idle'], ['Time limits and tries:']],
  [['connect', '-z'], ['Port check:']],
  [['proxy', 'health'], ['Several targets:']],
];
for (const [words, headings] of groups) {
  test(`tnet help ${words.join(' ')} shows ${headings.join(' ')} and nothing else`, async (t) => {
    const text = await readHelp(t, ['help', ...words]);
    t.deepEqual(text.match(/^\S.*$/gm), headings);
    t.true((await readHelp(t, ['help', words[0]!])).includes(text.trimEnd()));
  });
}

test('tnet help with an unknown group lists the groups, and ends with status 2', async (t) => {
  const { code, stdout, stderr } = await runCli(t, ['help', 'connect', 'nosuch']);
  t.is(code, 2);
  t.is(stdout.length, 0);
  t.regex(stderr, /^tnet connect: nosuch: .*its groups are: Address; Time limits and tries; .*TLS; .*\n$/);
});

testWith('man')('tnet help --man prints the packaged page where stdout is no terminal', async (t) => {
  t.regex(await readHelp(t, ['help', '--man', 'connect']), /--wait-connect/);
  t.regex(await readHelp(t, ['help', '--man']), /unix:@name/);
});

test('tnet help --man uses mandoc where man is missing, and tells the path where both are', async (t) => {
  const folder = join(tempDir(t), 'bin');
  mkdirSync(folder);
  const path = await readHelp(t, ['help', '--man', 'connect'], { PATH: folder });
  t.regex(readFileSync(path.trimEnd(), 'utf8'), /^\.Nm tnet connect$/m);
  const mandoc = findProgram('mandoc');
  if (mandoc === undefined) return;
  symlinkSync(mandoc, join(folder, 'mandoc'));
  t.regex(await readHelp(t, ['help', '--man', 'connect'], { PATH: folder }), /wait-connect/);
});

test('help in a pipe is not paged', async (t) => {
  const env = { PAGER: 'sed s/^/paged:/' };
  t.notRegex(await readHelp(t, ['connect', '--help'], env), /paged:/);
  t.notRegex(await readHelp(t, ['help', 'connect', 'tls'], env), /paged:/);
});

const onTerminal = testWith('tmux', 'less');

for (const name of names) {
  onTerminal(`tnet ${name} -h is whole on a terminal of 80×24`, async (t) => {
    const screen = await openScreen(t, { columns: 80, rows: 24 });
    screen.run(`clear; ${tnetCommand} ${name} -h`);
    t.truthy(await screen.shows(/^Usage: tnet[^]*tnet help --man.*\nready>/));
  });
}

testWith('tmux', 'less')('--help on a terminal is paged by less, which q leaves', async (t) => {
  const screen = await openScreen(t, { columns: 80, rows: 24 });
  screen.run(showingStatus(`${tnetCommand} connect --help`));
  t.truthy(await screen.shows(/^Usage: tnet connect[^]*\n:$/m));
  screen.press('G');
  t.truthy(await screen.shows(/The manual page: tnet help --man connect/));
  screen.press('q');
  t.truthy(await screen.shows(/status 0!/));
});

testWith('tmux', 'less')('Ctrl-C leaves help in a pager to the pager', async (t) => {
  const screen = await openScreen(t, { columns: 80, rows: 24 });
  screen.run(showingStatus(`${tnetCommand} connect --help`));
  t.truthy(await screen.shows(/^Usage: tnet connect[^]*\n:$/m));
  screen.press('C-c');
  t.truthy(await screen.pressUntil('G', /The manual page: tnet help --man connect/));
  screen.press('q');
  t.truthy(await screen.shows(/status 0!/));
});

const pagers: readonly (readonly [environment: string, shown: RegExp])[] = [
  ["PAGER='sed s/^/paged:/'", /^paged:The manual page: tnet help --man isip\nstatus 0!/m],
  ['PAGER=cat', /^The manual page: tnet help --man isip\nstatus 0!/m],
  ['PAGER=', /^The manual page: tnet help --man isip\nstatus 0!/m],
  ['PAGER=/no/such/pager', /^The manual page: tnet help --man isip\nstatus 0!/m],
  // -F of less: what fits the screen is shown without a prompt.
  ['LESS=', /^The manual page: tnet help --man isip\nstatus 0!/m],
];
for (const [environment, shown] of pagers) {
  onTerminal(`--help on a terminal with ${environment} is shown as that says`, async (t) => {
    const screen = await openScreen(t, { columns: 80, rows: 50, environment });
    screen.run(showingStatus(`${tnetCommand} isip --help`));
    t.truthy(await screen.shows(shown));
  });
}

onTerminal('--help on a wide terminal uses its width', async (t) => {
  const screen = await openScreen(t, { columns: 200, rows: 50, environment: 'PAGER=cat' });
  screen.run(`clear; ${tnetCommand} help connect limits`);
  t.truthy(await screen.shows(/limit for DNS and connecting, all addresses together \(default: 30s\)$/m));
});

testWith('tmux', 'man')(
  'tnet help --man on a terminal shows the packaged page in the pager of man',
  async (t) => {
    const screen = await openScreen(t, { columns: 80, rows: 24, environment: 'MANPAGER=cat' });
    screen.run(showingStatus(`${tnetCommand} help --man completion`));
    t.truthy(await screen.shows(/status 0!/));
    t.regex(screen.text(), /CAVEATS/);
  },
);
