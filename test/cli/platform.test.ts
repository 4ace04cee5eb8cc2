import test from 'ava';
import { runCli } from '../helpers/cli.ts';

/** Makes a tnet believe that it runs elsewhere. Nothing is opened there: all of these end before. */
function pretend(platform: NodeJS.Platform): Readonly<Record<string, string>> {
  const source = `Object.defineProperty(process,"platform",{value:"${platform}"})`;
  // A Node that takes itself for Windows' has no folder for its compile cache, and makes one in this.
  return {
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(source)}`,
    NODE_DISABLE_COMPILE_CACHE: '1',
  };
}

const refusals: readonly (readonly [NodeJS.Platform, readonly string[], RegExp])[] = [
  [
    'win32',
    ['connect', '-U', '/tmp/socket'],
    /Windows has named pipes instead of Unix sockets: \\\\\.\\pipe\\NAME/,
  ],
  ['win32', ['echo', './socket'], /Windows has named pipes instead of Unix sockets/],
  ['win32', ['proxy', '8080', '/var/run/docker.sock'], /Windows has named pipes instead of Unix sockets/],
  ['win32', ['listen', 'fd:3'], /Windows cannot pass sockets by descriptor/],
  [
    'win32',
    ['listen', '--mode', '0600', '\\\\.\\pipe\\tnet'],
    /--mode and --owner: named pipes have no permissions/,
  ],
  ['win32', ['connect', 'unix:@name'], /abstract Unix sockets exist on Linux only/],
  ['darwin', ['connect', 'unix:@name'], /abstract Unix sockets exist on Linux only/],
  ['darwin', ['connect', `/${'x'.repeat(103)}`], /is 104 bytes long, and the limit for a Unix socket is 103/],
  ['darwin', ['connect', '--ttl', '3', '127.0.0.1:1'], /Linux/],
];

for (const [platform, args, message] of refusals) {
  test(`on ${platform}, tnet ${args.join(' ').slice(0, 40)} is one line and status 2`, async (t) => {
    const { code, stdout, stderr } = await runCli(t, args, '', { env: pretend(platform) });
    t.is(code, 2, stderr);
    t.is(stdout.length, 0);
    t.regex(stderr, message);
    t.is(stderr.split('\n').length, 2, stderr);
  });
}

test('on darwin, tnet says why it has no native engine', async (t) => {
  const { stdout } = await runCli(t, ['--version', '-v'], '', { env: pretend('darwin') });
  t.regex(stdout.toString(), /flow engine: Node streams \(it needs Linux, and this is darwin\)/);
});
