import test from 'ava';
import fc from 'fast-check';
import { commandTable } from '../../../commands/command-table.ts';
import { givenOptions, type Called, type CommandDefinition } from '../../../commands/options/called.ts';
import { addOptions, refuseRepeats } from '../../../commands/options/build.ts';
import { readPlainly } from '../../../commands/options/plain.ts';
import { longNameOf, rowsOf, shortNameOf, type CommandName } from '../../../commands/options/row.ts';
import { Command } from 'commander';

interface Read {
  readonly operands: unknown[];
  readonly values: object;
  readonly given: readonly string[];
}

/** What a command is called with, as far as it can see. */
function describe(args: unknown[]): Read {
  const called = args.at(-1) as Called;
  return {
    operands: args.slice(0, -2),
    values: { ...(args.at(-2) as object) },
    given: [...givenOptions(called)].sort(),
  };
}

/** What commander makes of it; undefined where it refuses. */
function readByCommander(
  name: CommandName,
  { layout, operands }: CommandDefinition,
  args: string[],
): Read | undefined {
  const program = new Command('tnet')
    .exitOverride()
    .configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
  const command = program.command(name).exitOverride();
  for (const [operand, help] of operands) command.argument(operand, help);
  addOptions(command, name, layout);
  refuseRepeats(command);
  let read: Read | undefined;
  command.action((...all: unknown[]) => {
    read = describe(all);
  });
  try {
    program.parse([name, ...args], { from: 'user' });
    return read;
  } catch {
    return undefined;
  }
}

for (const { name, load } of commandTable) {
  if (!load) continue;
  test(`a command line of tnet ${name} that is read without commander is read as commander reads it`, async (t) => {
    const definition = await load();
    const command = name as CommandName;
    const rows = [...rowsOf(command, definition.layout).values()];
    const words = rows.flatMap((row) => {
      const names = [shortNameOf(row), longNameOf(row)];
      const { sample, choices } = row.value;
      const values = [sample, choices?.at(-1)].filter((value) => value !== undefined);
      return [
        ...names,
        ...values,
        ...values.flatMap((value) => names.map((flag) => `${flag}=${value}`)),
        ...values.map((value) => `${shortNameOf(row)}${value}`),
      ];
    });
    const flag = fc
      .constantFrom(...rows)
      .map((row) => [longNameOf(row), ...(row.value.sample === undefined ? [] : [row.value.sample])]);
    const letters = fc
      .constantFrom(...rows)
      .chain((row) =>
        fc.constantFrom(...rows).map((other) => [`${shortNameOf(row)}${shortNameOf(other).slice(1)}`]),
      );
    const word = fc
      .constantFrom(
        ...words,
        '-',
        '--',
        '',
        '-5',
        '--no',
        '--nonsense',
        'localhost',
        '127.0.0.1',
        '80',
        '-vv',
      )
      .map((one) => [one]);
    let plain = 0;
    fc.assert(
      fc.property(fc.array(fc.oneof(flag, letters, word), { maxLength: 5 }), (parts) => {
        const args = parts.flat();
        const read = readPlainly(command, definition, args);
        if (!read) return;
        plain++;
        const expected = readByCommander(command, definition, args);
        t.deepEqual(describe(read).operands, expected?.operands, args.join(' '));
        t.deepEqual(describe(read).values, expected?.values, args.join(' '));
        t.deepEqual(describe(read).given, expected?.given, args.join(' '));
      }),
      { numRuns: 200 },
    );
    t.true(plain > 20, `${plain} were read`);
  });
}

test('a command line that commander would refuse, or that wants help, is left to it', async (t) => {
  const definition = await commandTable.find(({ name }) => name === 'connect')?.load?.();
  if (!definition) return t.fail();
  for (const args of [
    ['--nonsense'],
    ['-w'],
    ['-w', 'soon'],
    ['-q1', '-q2'],
    ['--help'],
    ['a', '80', '-h'],
    ['-vh'],
    ['--', 'x'],
    ['--verbose=1'],
    ['--no-nodelay'],
  ])
    t.is(readPlainly('connect', definition, args), undefined, args.join(' '));
});
