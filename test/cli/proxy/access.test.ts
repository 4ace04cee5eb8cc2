import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { encodeProxyV2 } from '../../../src/protocol/proxy-protocol/encode.ts';
import { collect } from '../../helpers/bytes.ts';
import { runCli, startCli } from '../../helpers/cli.ts';
import { connectPeer } from '../../helpers/peers.ts';
import { exchange, startEcho, startNamed, startProxy, waitEnd } from '../../helpers/proxy.ts';
import { tempDir } from '../../helpers/temp.ts';

/** Connects from another address of loopback, and gives what comes until the end. */
async function exchangeFrom(t: ExecutionContext, localAddress: string, address: string): Promise<string> {
  const port = Number(address.split(':').at(-1));
  const socket = net.connect({ host: '127.0.0.1', port, localAddress, allowHalfOpen: true });
  t.teardown(() => socket.destroy());
  socket.end();
  return (await collect(socket)).toString();
}

test.serial('--allow and --deny turn clients away by address, and each is said and counted', async (t) => {
  const { cli, address } = await startProxy(
    t,
    await startNamed(t, 'in'),
    ...['--allow', '127.0.0.0/29', '--deny', '127.0.0.3'],
  );
  t.is(await exchangeFrom(t, '127.0.0.2', address), 'in');
  await t.throwsAsync(exchangeFrom(t, '127.0.0.3', address), { code: 'ECONNRESET' });
  await t.throwsAsync(exchangeFrom(t, '127.0.0.9', address), { code: 'ECONNRESET' });
  await cli.said(/refused 127\.0\.0\.3:\d+: denied by 127\.0\.0\.3\n/);
  await cli.said(/refused 127\.0\.0\.9:\d+: not allowed\n/);
  cli.child.kill('SIGUSR1');
  await cli.said(/1 connection \(1 refused \(denied\), 1 refused \(not allowed\)\)/);
});

test.serial('SIGHUP reads the access lists again, and who has been let in stays', async (t) => {
  const file = join(tempDir(t), 'clients');
  writeFileSync(file, '127.0.0.1\n');
  const { cli, address } = await startProxy(t, await startEcho(t), '--allow', file, '-v');
  const held = await connectPeer(t, address);
  held.write('a');
  await once(held, 'data');
  writeFileSync(file, '127.0.0.2\n127.0.0.3\n');
  cli.child.kill('SIGHUP');
  await cli.said(/access lists read again: 2 allowed, 0 denied/);
  t.is(await waitEnd(t, address), 'ECONNRESET');
  held.end('b');
  t.is((await collect(held)).toString(), 'b');
  writeFileSync(file, 'no address\n');
  cli.child.kill('SIGHUP');
  await cli.said(/TNET_E_ACCESS/);
  t.is(await waitEnd(t, address), 'ECONNRESET');
});

test.serial('each pair of a file has its own lists, and SIGHUP reads them again', async (t) => {
  const file = join(tempDir(t), 'proxy.json');
  const target = await startNamed(t, 'in');
  const write = (allow: string) => {
    const pairs = [
      { listen: '127.0.0.1:0', targets: [target], allow: [allow] },
      { listen: '127.0.0.1:0', targets: [target] },
    ];
    writeFileSync(file, JSON.stringify({ pairs }));
  };
  write('127.0.0.8');
  const cli = startCli(t, ['proxy', '--config', file]);
  await cli.said(/listening on [^]*listening on .*\n/);
  const [closed = '', open = ''] = [...cli.stderr().matchAll(/listening on (.+)\n/g)].map(
    (match) => match[1],
  );
  t.is(await waitEnd(t, closed), 'ECONNRESET');
  t.is((await exchange(t, open)).bytes.toString(), 'in');
  write('127.0.0.1');
  cli.child.kill('SIGHUP');
  await cli.said(/reloaded/);
  t.is((await exchange(t, closed)).bytes.toString(), 'in');
});

test.serial(
  'behind --accept-proxy both the proxy in front and the client of its header are judged',
  async (t) => {
    const target = await startNamed(t, 'in');
    const { cli, address } = await startProxy(
      t,
      target,
      ...['--accept-proxy', '--allow', '127.0.0.1,192.0.2.0/24', '--deny', '192.0.2.66'],
    );
    const header = (client: string) => `PROXY TCP4 ${client} 127.0.0.1 1000 80\r\n`;
    t.is((await exchange(t, address, header('192.0.2.1'))).bytes.toString(), 'in');
    t.is((await exchange(t, address, 'PROXY UNKNOWN\r\n')).bytes.toString(), 'in');
    t.truthy((await exchange(t, address, header('192.0.2.66'))).error);
    await cli.said(/refused 192\.0\.2\.66:1000: denied by 192\.0\.2\.66\n/);
    t.truthy((await exchange(t, address, header('198.51.100.1'))).error);
    await cli.said(/refused 198\.51\.100\.1:1000: not allowed\n/);
    await t.throwsAsync(exchangeFrom(t, '127.0.0.2', address), { code: 'ECONNRESET' });
    await cli.said(/refused 127\.0\.0\.2:\d+: not allowed\n/);
  },
);

test.serial('on a Unix socket, a client of no known address is not on the list', async (t) => {
  const path = join(tempDir(t), 's');
  const target = await startNamed(t, 'in');
  const cli = startCli(t, ['proxy', path, target, '--accept-proxy', '--allow', '10.0.0.0/8']);
  await cli.address();
  const v2 = encodeProxyV2;
  const header = (source: string) => `PROXY TCP4 ${source} 192.0.2.1 1000 80\r\n`;
  const unknown = { family: 'unknown' } as const;
  const unix = { family: 'unix', source: '/a', destination: '/b' } as const;
  for (const [what, head, isServed] of [
    ['an address on the list', header('10.0.0.1'), true],
    ['LOCAL, which is the proxy in front itself', v2({ command: 'local', ends: unknown, values: [] }), true],
    ['an address that is not', header('192.0.2.1'), false],
    ['UNKNOWN of version 1', 'PROXY UNKNOWN\r\n', false],
    ['UNSPEC of version 2', v2({ command: 'proxy', ends: unknown, values: [] }), false],
    ['a Unix client', v2({ command: 'proxy', ends: unix, values: [] }), false],
  ] as const) {
    const { bytes } = await exchange(t, path, head);
    t.is(bytes.toString(), isServed ? 'in' : '', what);
  }
  await cli.said(/refused unknown: it has no address\n/);
});

test.serial('a SOCKS server beyond loopback starts with --allow, and serves only those', async (t) => {
  const cli = startCli(t, ['proxy', '0.0.0.0:0', '--socks', '--http-connect', '--allow', '127.0.0.1']);
  const address = `127.0.0.1:${await cli.port()}`;
  // It is heard; loopback is no target of such a server.
  const request = 'CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n';
  t.regex((await exchange(t, address, request)).bytes.toString(), /^HTTP\/1\.1 403 /);
  await t.throwsAsync(exchangeFrom(t, '127.0.0.2', address), { code: 'ECONNRESET' });
});

for (const [args, message] of [
  [['0.0.0.0:0', '--socks'], /--socks: .*give --auth-file or --allow, or listen on loopback/],
  [['/tmp/x.sock', '1', '--allow', '::1'], /--allow: judges IP addresses/],
  [['0', '1', '--deny', '10.0.0.0/33'], /10\.0\.0\.0\/33: .*\(TNET_E_ACCESS\)/],
  [['0', '1', '--allow', './no-such-file', '--metrics', '0'], /the file cannot be read \(ENOENT\)/],
] as const) {
  test.serial(`proxy ${args.join(' ')} is refused in one line before any socket opens`, async (t) => {
    const { code, stderr } = await runCli(t, ['proxy', ...args]);
    t.is(code, 2);
    t.regex(stderr, message);
    t.is(stderr.trimEnd().split('\n').length, 1, stderr);
  });
}
