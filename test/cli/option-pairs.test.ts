import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { findRefusal } from '../../commands/options/check.ts';
import { rowsOf, type CommandName } from '../../commands/options/row.ts';
import { startCli } from '../helpers/cli.ts';
import { ask, commands, kinds, layouts, typed, type Kind } from '../helpers/option-pairs.ts';
import { tempDir } from '../helpers/temp.ts';

/** How many pairs are tried of each command, and by which seed they are drawn. */
const pairsOfEach = 8;
const seed = 20_261;

/** Whoever still runs after so long is taken to have been accepted. Most say so, or end, at once. */
const patienceMs = 4_000;

interface Case {
  readonly pair: readonly [string, string];
  readonly kind: Kind;
}

function drawCases(command: CommandName): Case[] {
  const names = [...rowsOf(command, layouts[command]).keys()];
  const one = fc.record({
    pair: fc.tuple(fc.constantFrom(...names), fc.constantFrom(...names)),
    kind: fc.constantFrom(...kinds),
  });
  return fc.sample(
    one.filter(({ pair: [first, second] }) => first !== second),
    { numRuns: pairsOfEach, seed },
  );
}

/** Addresses that nobody has, for who calls, and that are free, for who listens. */
function wordsFor(t: ExecutionContext, command: CommandName, kind: Kind, isClient: boolean): string[] {
  if (command === 'isip') return ['127.0.0.1'];
  const port = isClient ? 1 : 0;
  const address = {
    tcp: `127.0.0.1:${port}`,
    udp: `udp://127.0.0.1:${port}`,
    unix: `${tempDir(t)}/s`,
  }[kind];
  const targets = { tcp: '127.0.0.1:1', udp: 'udp://127.0.0.1:1', unix: '/nowhere/target' };
  return command === 'proxy' ? [address, targets[kind]] : [address];
}

for (const command of commands) {
  test.serial(
    `of pairs of options drawn by ${seed}, tnet ${command} refuses each in one line with status 2, or runs`,
    async (t) => {
      const rows = rowsOf(command, layouts[command]);
      for (const { pair, kind } of drawCases(command)) {
        const isClient = command === 'connect' || pair.includes('ping');
        const flags = pair.flatMap((name) => typed(rows.get(name)!));
        const args = [command, ...flags, ...wordsFor(t, command, kind, isClient)];
        const cli = startCli(t, args, { stdin: 'null' });
        cli.stdout.resume();
        const ended = cli.exit.then(({ code }) => code);
        const runs = cli.said(/listening on/).then(() => 'runs' as const);
        // That it has ended is told by the other.
        runs.catch(() => undefined);
        const stillRuns = new Promise<'runs'>((resolve) => {
          const timer = setTimeout(() => resolve('runs'), patienceMs);
          void ended.then(() => clearTimeout(timer));
        });
        const isRefused = findRefusal(command, rows, ask(command, new Set(pair), kind)) !== undefined;
        const how = await Promise.race([ended, runs.catch(() => ended), ...(isRefused ? [] : [stillRuns])]);
        cli.child.kill('SIGKILL');
        const told = `${args.join(' ')}: ${how}\n${cli.stderr()}`;
        t.notRegex(cli.stderr(), /^\s+at |Error:/m, told);
        if (how === 2) t.regex(cli.stderr(), /^tnet[^\n]*\n$/, told);
        else t.true([0, 1, 124, 'runs'].includes(how), told);
        if (isRefused) t.is(how, 2, told);
      }
    },
  );
}
