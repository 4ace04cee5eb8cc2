import { once } from 'node:events';
import tls from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { createAuthority } from '../../helpers/certificates.ts';
import { startCli, type Cli } from '../../helpers/cli.ts';
import { readText } from '../../helpers/lines.ts';
import { connectPeer } from '../../helpers/peers.ts';

const authority = createAuthority();
const pair = authority.issue('server', 'DNS:localhost,IP:127.0.0.1');
test.after.always(() => authority.remove());

interface Kind {
  readonly args: readonly string[];
  /** Comes through, and says hello and ends. */
  readonly greet: (t: ExecutionContext, cli: Cli) => Promise<void>;
}

const kinds: Record<string, Kind> = {
  '--tls': {
    args: ['--tls-cert', pair.certFile, '--tls-key', pair.keyFile],
    async greet(t, cli) {
      const socket = await connectPeer(t, await cli.address());
      const secure = tls.connect({ socket, ca: authority.ca, host: 'localhost' });
      secure.on('error', () => undefined);
      await once(secure, 'secureConnect');
      secure.resume().end('hello');
    },
  },
  '--accept-proxy': {
    args: ['--accept-proxy'],
    async greet(t, cli) {
      const socket = await connectPeer(t, await cli.address());
      socket.resume().end('PROXY TCP4 192.0.2.7 192.0.2.8 1234 80\r\nhello');
    },
  },
};

for (const [name, { args, greet }] of Object.entries(kinds)) {
  test.serial(`clients that say nothing do not keep others out of tnet listen ${name}`, async (t) => {
    const cli = startCli(t, ['listen', ...args, '127.0.0.1:0'], { stdin: 'null' });
    const silent = [await connectPeer(t, await cli.address()), await connectPeer(t, await cli.address())];
    const gone = silent.map((peer) => once(peer.on('error', () => undefined).resume(), 'end'));
    const [heard] = await Promise.all([once(cli.stdout, 'data') as Promise<[Buffer]>, greet(t, cli)]);
    t.is(String(heard[0]), 'hello');
    // They had a place to try for, and it is taken.
    await Promise.all(gone);
    t.deepEqual(await cli.exit, { code: 0, signal: null });
    t.is(cli.stderr().replace(/^.*listening on .*\n/, ''), '');
  });

  test.serial(`-w of tnet listen ${name} does not end for a client that says nothing`, async (t) => {
    const cli = startCli(t, ['listen', '-w', '2s', ...args, '127.0.0.1:0'], { stdin: 'null' });
    const peer = await connectPeer(t, await cli.address());
    peer.on('error', () => undefined).resume();
    t.is((await cli.exit).code, 124);
    t.regex(cli.stderr(), /no client within 2 s \(TNET_E_TIMEOUT\)/);
  });
}

test.serial('only one of many clients that greet at once is served', async (t) => {
  const { args, greet } = kinds['--accept-proxy']!;
  const cli = startCli(t, ['listen', ...args, '127.0.0.1:0'], { stdin: 'null' });
  let received = '';
  cli.stdout.on('data', (chunk) => (received += String(chunk)));
  await Promise.allSettled(Array.from({ length: 20 }, () => greet(t, cli)));
  t.is((await cli.exit).code, 0, cli.stderr());
  t.is(received, 'hello');
});

test.serial(
  'who ends its side of a chat gets what was said until then, and leaves though others talk',
  async (t) => {
    const cli = startCli(t, ['listen', '--chat', '127.0.0.1:0'], { stdin: 'null' });
    const talker = await connectPeer(t, await cli.address());
    const told = readText(talker);
    const leaver = await connectPeer(t, await cli.address());
    const timer = setInterval(() => talker.write('on and on\n'), 20);
    t.teardown(() => clearInterval(timer));
    let heard = '';
    leaver.on('data', (chunk) => (heard += String(chunk)));
    while (!heard.includes('on and on')) await once(leaver, 'data');
    leaver.end('bye\n');
    await once(leaver, 'end');
    t.regex(heard, /\n$/, 'whole lines');
    await t.notThrowsAsync(told.until(/user 2 left/));
  },
);
