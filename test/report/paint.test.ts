import test from 'ava';
import { wantsColor } from '../../src/report/paint.ts';
import { closedPort, runCli } from '../helpers/cli.ts';

const rows: readonly (readonly [env: NodeJS.ProcessEnv, args: readonly string[], wanted: boolean])[] = [
  [{}, [], false],
  [{ FORCE_COLOR: '1' }, [], true],
  [{ FORCE_COLOR: '0' }, [], false],
  [{ FORCE_COLOR: '1', NO_COLOR: '1' }, [], false],
  [{ FORCE_COLOR: '1', NO_COLOR: '' }, [], true],
  [{ FORCE_COLOR: '1' }, ['--no-color'], false],
];

for (const [env, args, wanted] of rows) {
  test(`a pipe with ${JSON.stringify(env)} and ${JSON.stringify(args)} is ${wanted ? '' : 'not '}coloured`, (t) => {
    t.is(wantsColor(args, 1_000_000, env), wanted);
  });
}

test('FORCE_COLOR colours the command of an error line and nothing else', async (t) => {
  const port = String(await closedPort());
  const plain = await runCli(t, ['connect', '127.0.0.1', port]);
  const coloured = await runCli(t, ['connect', '127.0.0.1', port], '', { env: { FORCE_COLOR: '1' } });
  t.is(coloured.stderr, plain.stderr.replace('tnet connect:', '\u001b[31mtnet connect:\u001b[39m'));
});
