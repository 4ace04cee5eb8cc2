import test from 'ava';
import { commandTable } from '../../commands/command-table.ts';
import { buildProgram } from '../../commands/program.ts';
import { runCli } from '../helpers/cli.ts';

const program = await buildProgram('0.0.0');

for (const { name } of commandTable) {
  test(`tnet ${name} --help fits into 80 columns, with its descriptions in one column`, async (t) => {
    const { stdout } = await runCli(t, [name, '--help']);
    const lines = stdout.toString().split('\n');
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

test('help says what a time and a size are where flags take them', async (t) => {
  const { stdout } = await runCli(t, ['connect', '--help']);
  t.regex(stdout.toString(), /^<time> is 500ms, 2s, 3m or 1h; a bare number is seconds\.$/m);
  t.regex(stdout.toString(), /^<size> is in bytes, or 64k, 10M\.$/m);
  t.regex(stdout.toString(), /^More, with examples: man tnet-connect$/m);
});
