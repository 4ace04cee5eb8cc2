import test from 'ava';
import { errorCode } from '../../src/errors.ts';
import { runCli, startCli } from '../helpers/cli.ts';
import { exchange } from '../helpers/proxy.ts';
import { startFull } from '../helpers/net/full-backlog.ts';

test.serial('clients of a Unix socket whose backlog is full wait for a place', async (t) => {
  const { path } = await startFull(t, 2_000);
  const runs = await Promise.all([1, 2].map(() => runCli(t, ['connect', '-U', path])));
  for (const { code, stdout, stderr } of runs)
    t.deepEqual([code, stdout.toString(), stderr], [0, 'hello', '']);
});

for (const flags of ['-w 300ms', '-z -w 300ms']) {
  test.serial(`connect ${flags} to a full backlog waits no longer, and ends with status 124`, async (t) => {
    const { path } = await startFull(t, 60_000);
    const { code, stderr } = await runCli(t, ['connect', '-v', ...flags.split(' '), '-U', path]);
    t.is(code, 124);
    t.regex(stderr, /no answer from .* within 300 ms/);
  });
}

for (const engine of ['1', '0']) {
  test.serial(`the proxy waits for a place in its target's backlog, TNET_EXPRESS=${engine}`, async (t) => {
    const { path } = await startFull(t, 2_500);
    const cli = startCli(t, ['proxy', '127.0.0.1:0', path], { env: { TNET_EXPRESS: engine } });
    const { bytes } = await exchange(t, await cli.address());
    t.is(bytes.toString(), 'hello');
  });

  test.serial(`the proxy waits for it no longer than -w, TNET_EXPRESS=${engine}`, async (t) => {
    const { path } = await startFull(t, 60_000);
    const cli = startCli(t, ['proxy', '-w', '300ms', '127.0.0.1:0', path], { env: { TNET_EXPRESS: engine } });
    t.is(errorCode((await exchange(t, await cli.address())).error), 'ECONNRESET');
    await cli.said(/no answer from .*within 300 ms/);
  });
}
