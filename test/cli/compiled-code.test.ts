import { chmodSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { runCli } from '../helpers/cli.ts';
import { tempDir } from '../helpers/temp.ts';

/** Runs `tnet isip` with its compiled code in this folder, and gives what is kept for it, without its folder. */
async function run(t: ExecutionContext, cache: string): Promise<readonly string[]> {
  const env = { NODE_COMPILE_CACHE: cache };
  const { code, stdout, stderr } = await runCli(t, ['isip', '::1'], '', { env });
  t.deepEqual([code, stdout.toString(), stderr], [0, '6\n', '']);
  return keptIn(cache);
}

function keptIn(cache: string): readonly string[] {
  return readdirSync(cache, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.includes('tnet-'))
    .map((name) => join(cache, name));
}

/** How many runs have had a part in it. */
function runsOf(file: string): number {
  return readFileSync(file)[0]!;
}

test.serial('the compiled code of a command is kept from its first runs, and then left alone', async (t) => {
  const cache = tempDir(t);
  for (const runs of [1, 2, 3, 4, 4]) {
    const [file, ...others] = await run(t, cache);
    t.regex(file!, /tnet-isip-[0-9a-f]{16}$/);
    t.deepEqual([runsOf(file!), others], [runs, []]);
    t.is(statSync(file!).mode & 0o777, 0o600);
  }
});

for (const [what, spoil] of [
  ['is cut short', (file: string) => truncateSync(file, 5_000)],
  ['is empty', (file: string) => truncateSync(file, 0)],
  ['is of something else', (file: string) => writeFileSync(file, Buffer.alloc(20_000, 1))],
] as const) {
  test.serial(`compiled code that ${what} is made again`, async (t) => {
    const cache = tempDir(t);
    const [file] = await run(t, cache);
    const whole = statSync(file!).size;
    spoil(file!);
    await run(t, cache);
    t.is(runsOf(file!), 1);
    t.true(statSync(file!).size > whole / 2);
  });
}

test.serial('a folder for compiled code that cannot be written to does not matter', async (t) => {
  const cache = tempDir(t);
  const [file] = await run(t, cache);
  chmodSync(join(file!, '..'), 0o500);
  await run(t, cache);
  t.teardown(() => chmodSync(join(file!, '..'), 0o700));
  const env = { NODE_COMPILE_CACHE: file! };
  t.is((await runCli(t, ['isip', '::1'], '', { env })).code, 0);
  t.is((await runCli(t, ['isip', '::1'], '', { env: { NODE_DISABLE_COMPILE_CACHE: '1' } })).code, 0);
});
