import test from 'ava';
import { runCli, startCli } from '../helpers/cli.ts';
import { loadNativeAddon } from '../../src/native/addon.ts';

const env = { TNET_NATIVE: '', TNET_EXPRESS: '' };
const withoutFamily = /this system has no vsock|EAFNOSUPPORT|not supported/;

for (const words of [
  ['listen', '-d', 'vsock:any:0'],
  ['echo', 'vsock:any:0'],
  ['proxy', 'vsock:any:0', '127.0.0.1:9'],
]) {
  test(`tnet ${words.join(' ')} is bound to a port of its own, or says why not`, async (t) => {
    if (!loadNativeAddon()) {
      t.log('skipped: no native addon');
      t.pass();
      return;
    }
    const cli = startCli(t, words, { env });
    const said = await Promise.race([
      cli.said(/listening on vsock:any:[1-9]\d*\n/).then(() => 'bound'),
      cli.exit.then(({ code }) => code),
    ]);
    if (said !== 'bound') {
      t.is(said, 2);
      t.regex(cli.stderr(), withoutFamily);
      return;
    }
    cli.child.kill('SIGTERM');
    t.is((await cli.exit).code, 143);
  });
}

test('connecting to a machine that is not there is one line, and no success', async (t) => {
  const { code, stdout, stderr } = await runCli(t, ['connect', '-w', '2s', 'vsock:4000000000:9'], '', {
    env,
  });
  t.true([1, 2, 124].includes(code), stderr);
  t.is(stdout.length, 0);
  t.is(stderr.trimEnd().split('\n').length, 1, stderr);
  t.regex(stderr, /^tnet connect: (no answer from )?vsock:4000000000:9\b/);
});

test('without the addon vsock is one line and status 2', async (t) => {
  const { code, stderr } = await runCli(t, ['connect', 'vsock:2:9'], '', { env: { TNET_NATIVE: '0' } });
  t.is(code, 2);
  t.regex(stderr, /^tnet connect: vsock:2:9: .*native addon: TNET_NATIVE=0 turns it off.*\n$/);
});
