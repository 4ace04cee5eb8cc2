import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'ava';
import { nativeStatus } from '../../../src/native/addon.ts';
import { runCli, startCli } from '../../helpers/cli.ts';
import { connectPeer, startPeerServer } from '../../helpers/peers.ts';
import { testWith } from '../../helpers/programs.ts';
import { exchange, startEcho, startProxy } from '../../helpers/proxy.ts';
import { tempDir } from '../../helpers/temp.ts';

/** What ss(8) says of a connection, seen from its end at this port. */
function askSystem(localPort: string | number): string {
  return execFileSync('ss', ['-tonimH', '--tos', 'state', 'established', `sport = :${localPort}`]).toString();
}

testWith('ss')('a proxy sets keepalive and type of service on clients and towards targets', async (t) => {
  const target = await startPeerServer(t, 'tcp');
  const flags = ['--keepalive', '600s,10s,4', '--tos', 'lowdelay'];
  const { address } = await startProxy(t, target.words.join(':'), ...flags);
  const client = await connectPeer(t, address);
  const accepted = await target.accept();
  for (const port of [address.split(':')[1]!, accepted.remotePort!])
    t.regex(askSystem(port), /timer:\(keepalive,9min\d+sec,0\) tos:0x10/);
  client.destroy();
});

for (const [flags, shown] of [
  [['--rcvbuf', '50000'], /rb100000/],
  [['--sndbuf', '60000'], /tb120000/],
] as const) {
  (nativeStatus().used ? testWith('ss') : test.serial.skip)(
    `a proxy sets ${flags.join(' ')} on clients and towards targets`,
    async (t) => {
      const target = await startPeerServer(t, 'tcp');
      const { address } = await startProxy(t, target.words.join(':'), ...flags);
      const client = await connectPeer(t, address);
      const accepted = await target.accept();
      for (const port of [address.split(':')[1]!, accepted.remotePort!]) t.regex(askSystem(port), shown);
      client.destroy();
    },
  );
}

test.serial(
  'options that a side does not have are left out there: a Unix socket has no packets',
  async (t) => {
    const flags = ['--no-nodelay', '--keepalive', '60', '--tos', 'ef'];
    const path = join(tempDir(t), 'socket');
    const behind = startCli(t, ['proxy', path, await startEcho(t), ...flags]);
    await behind.said(/listening on/);
    const { cli, address } = await startProxy(t, path, ...flags);
    t.is((await exchange(t, address, 'there and back')).bytes.toString(), 'there and back');
    t.notRegex(behind.stderr() + cli.stderr(), /E[A-Z]{4,}/);
  },
);

test.serial(
  'an option that the engine does not set keeps clients in JavaScript, also one that is turned off',
  async (t) => {
    const { cli } = await startProxy(t, '127.0.0.1:9', '--no-nodelay', '-v');
    await cli.said(/listening on/);
    t.notRegex(cli.stderr(), /express lane$/m);
  },
);

for (const [words, message] of [
  [
    ['udp://127.0.0.1:0', 'udp://127.0.0.1:9', '--ttl', '3'],
    /--ttl: it needs a stream, and both ends are UDP/,
  ],
  [['udp://127.0.0.1:0', 'udp://127.0.0.1:9', '--no-nodelay'], /--nodelay: it needs a stream/],
  [['/tmp/tnet-nobody', '/tmp/tnet-nothing', '--tos', 'ef'], /--tos: makes no sense with a Unix socket/],
  [['0', '127.0.0.1:9', '--tos', '256'], /--tos 256: expected a number from 0 to 255/],
] as const) {
  test.serial(`tnet proxy ${words.join(' ')} is refused`, async (t) => {
    const run = await runCli(t, ['proxy', ...words]);
    t.is(run.code, 2);
    t.regex(run.stderr, message);
  });
}

test.serial('a socket option that needs the addon is exit 2 without it', async (t) => {
  const run = await runCli(t, ['proxy', '0', '127.0.0.1:9', '--ttl', '3'], '', { env: { TNET_NATIVE: '0' } });
  t.is(run.code, 2);
  t.regex(run.stderr, /^tnet proxy: --ttl: needs tnet's native addon/);
});
