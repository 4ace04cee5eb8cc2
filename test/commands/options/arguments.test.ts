import test from 'ava';
import { Command } from 'commander';
import { splitAtSeparator, takeOptionalValuesAfterEquals } from '../../../commands/options/arguments.ts';

interface Run {
  readonly words: readonly string[];
  readonly commandLine: readonly string[] | undefined;
  readonly options: Record<string, unknown>;
}

function run(args: readonly string[]): Run {
  const program = new Command('program').exitOverride();
  let result: Run | undefined;
  const command = program
    .command('go')
    .argument('[word...]')
    .option('-v, --verbose')
    .option('-w, --wait <time>')
    .option('-t, --telnet [mode]')
    .action((words: string[], options: Record<string, unknown>) => {
      result = { ...splitAtSeparator(words, command), options };
    });
  takeOptionalValuesAfterEquals(command, { '--telnet': 'passive' });
  program.parse(['go', ...args], { from: 'user' });
  return result!;
}

const separators: readonly (readonly [string, readonly string[], readonly string[] | undefined])[] = [
  ['host 80', ['host', '80'], undefined],
  ['host 80 -- cmd -x --', ['host', '80'], ['cmd', '-x', '--']],
  ['-v host 80 -- cmd -v', ['host', '80'], ['cmd', '-v']],
  ['host 80 -w -- -v -- cmd', ['host', '80'], ['cmd']],
  ['-vw -- host -- cmd', ['host'], ['cmd']],
  ['-w5 host -- cmd', ['host'], ['cmd']],
  ['--wait=5 host -- cmd', ['host'], ['cmd']],
  ['host --', ['host'], []],
];

for (const [args, words, commandLine] of separators) {
  test(`the command of "${args}" is ${commandLine ? `"${commandLine.join(' ')}"` : 'none'}`, (t) => {
    const found = run(args.split(' '));
    t.deepEqual(found.words, words);
    t.deepEqual(found.commandLine, commandLine);
  });
}

const values: readonly (readonly [string, Record<string, unknown>, readonly string[]])[] = [
  ['-t host', { telnet: 'passive' }, ['host']],
  ['--telnet host', { telnet: 'passive' }, ['host']],
  ['--telnet=active host', { telnet: 'active' }, ['host']],
  ['-tv host', { telnet: 'passive', verbose: true }, ['host']],
  ['-vt host', { telnet: 'passive', verbose: true }, ['host']],
  ['-tw 5 host', { telnet: 'passive', wait: '5' }, ['host']],
  ['-wt host', { wait: 't' }, ['host']],
  ['-w -t host', { wait: '-t' }, ['host']],
];

for (const [args, options, words] of values) {
  test(`"${args}" takes an optional value after = only`, (t) => {
    const found = run(args.split(' '));
    t.deepEqual(found.options, options);
    t.deepEqual(found.words, words);
  });
}
