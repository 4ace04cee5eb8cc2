import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { ask } from '../../helpers/bytes.ts';
import { closedPort, runCli, startCli } from '../../helpers/cli.ts';
import { connectPeer, startPeerServer } from '../../helpers/peers.ts';
import { startProgram, waitForPort } from '../../helpers/processes.ts';
import { testWith } from '../../helpers/programs.ts';
import { exchange, startEcho, startProxy } from '../../helpers/proxy.ts';
import { startSocks } from '../../helpers/socks.ts';
import { tempDir } from '../../helpers/temp.ts';

/** Without a half-close: other proxies than ours may take it for the end of both directions. */
async function askThrough(t: ExecutionContext, address: string): Promise<void> {
  const client = await connectPeer(t, address);
  t.is((await ask(client, 'there and back', 14)).toString(), 'there and back');
  client.destroy();
}

testWith('microsocks')(
  'a relay goes through a chain: our own SOCKS server, then microsocks with a password',
  async (t) => {
    const own = startCli(t, ['proxy', '--socks', '127.0.0.1:0', '-v']);
    const first = await own.address();
    const port = await closedPort();
    const child = startProgram(t, 'microsocks', [
      '-i',
      '127.0.0.1',
      '-p',
      String(port),
      '-u',
      'ada',
      '-P',
      's3cret',
    ]);
    await waitForPort(port, child);
    const file = join(tempDir(t), 'password');
    writeFileSync(file, 's3cret\n');
    const chain = ['-x', `socks5://${first}`, '-x', `socks5://ada@127.0.0.1:${port}`];
    const { address } = await startProxy(t, await startEcho(t), ...chain, '--proxy-password-file', file);
    await askThrough(t, address);
    await own.said(new RegExp(`127\\.0\\.0\\.1:${port}`));
  },
);

testWith('tinyproxy')('a relay goes through tinyproxy', async (t) => {
  const port = await closedPort();
  const file = join(tempDir(t), 'tinyproxy.conf');
  writeFileSync(file, [`Port ${port}`, 'Listen 127.0.0.1', 'Timeout 60', 'MaxClients 10', ''].join('\n'));
  await waitForPort(port, startProgram(t, 'tinyproxy', ['-d', '-c', file]));
  const { address } = await startProxy(t, await startEcho(t), '-x', `http://127.0.0.1:${port}`);
  await askThrough(t, address);
});

test.serial('clients of --socks, routes and health checks go through the proxy of -x too', async (t) => {
  const proxy = await startSocks(t);
  const via = ['-x', `127.0.0.1:${proxy.port}`];
  const echo = await startEcho(t);
  const socks = startCli(t, ['proxy', '--socks', '127.0.0.1:0', ...via]);
  const { address } = await startProxy(t, echo, '-x', await socks.address());
  t.is((await exchange(t, address, 'x')).bytes.toString(), 'x');
  const routed = startCli(t, ['proxy', '127.0.0.1:0', '--route', `proto:http=${echo}`, ...via]);
  const request = 'GET / HTTP/1.0\r\n\r\n';
  t.is((await exchange(t, await routed.address(), request)).bytes.toString(), request);
  t.is(proxy.requests.length, 2);
  const checked = await startProxy(t, echo, '--health', '60s', ...via);
  t.is((await exchange(t, checked.address, 'x')).bytes.toString(), 'x');
  t.is(proxy.requests.length, 4, 'a check and a client');
});

test.serial(
  'a target behind a proxy may have the address of the listener: it is on another machine',
  async (t) => {
    const proxy = await startSocks(t);
    const port = await closedPort();
    const cli = startCli(t, [
      'proxy',
      `127.0.0.1:${port}`,
      `localhost:${port}`,
      '-x',
      `127.0.0.1:${proxy.port}`,
    ]);
    t.is(await cli.address(), `127.0.0.1:${port}`);
  },
);

test.serial('targets are connected to from the address of -s', async (t) => {
  const target = await startPeerServer(t, 'tcp');
  const { address } = await startProxy(t, target.words.join(':'), '-s', '127.0.0.7');
  void exchange(t, address, 'x');
  t.is((await target.accept()).remoteAddress, '127.0.0.7');
});

for (const [words, message] of [
  [['0', 'udp://127.0.0.1:9', '-x', 'h:1'], /--via: UDP targets take datagrams, and it needs a stream/],
  [['0', '/tmp/tnet-nobody', '-x', 'h:1'], /--via: makes no sense with a Unix socket/],
  [
    ['0', '1', '--route', 'proto:http=/tmp/tnet-nobody', '-x', 'h:1'],
    /--via: makes no sense with a Unix socket/,
  ],
  [['0', '/tmp/tnet-nobody', '-s', '127.0.0.1'], /--source: makes no sense with a Unix socket/],
  [['0', '1', '--proxy-password-file', '/nowhere'], /--proxy-password-file: makes sense only with --via/],
  [['0', '1', '-x', 'socks5://ada:s3cret@h:1'], /no password on the command line/],
  [['0', '1', '-x', 'socks5://ada@h:1'], /the proxy user needs a password: in TNET_PROXY_PASSWORD/],
] as const) {
  test.serial(`tnet proxy ${words.join(' ')} is refused`, async (t) => {
    const run = await runCli(t, ['proxy', ...words]);
    t.is(run.code, 2, run.stderr);
    t.regex(run.stderr, message);
    t.false(run.stderr.includes('s3cret'));
  });
}

for (const [command, number, told] of [
  ['BIND', 2, 'BIND'],
  ['UDP ASSOCIATE', 3, 'UDP'],
] as const) {
  test.serial(`a client's ${command} is refused behind -x, and takes no other way`, async (t) => {
    const first = await startSocks(t);
    const cli = startCli(t, ['proxy', '--socks', '127.0.0.1:0', '-x', `127.0.0.1:${first.port}`]);
    const client = await connectPeer(t, await cli.address());
    await ask(client, Buffer.from([5, 1, 0]), 2);
    const reply = await ask(client, Buffer.from([5, number, 0, 1, 127, 0, 0, 1, 0, 0]), 10);
    // Command not supported: RFC 1928 section 6.
    t.deepEqual([...reply.subarray(0, 2)], [5, 7]);
    await cli.said(new RegExp(`${told} does not go through other proxies \\(TNET_E_UNSUPPORTED\\)`));
    t.is(first.requests.length, 0);
  });
}
