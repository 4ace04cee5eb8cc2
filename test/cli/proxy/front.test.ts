import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { encodeProxyV2 } from '../../../src/protocol/proxy-protocol/encode.ts';
import { collectUntilClose } from '../../helpers/bytes.ts';
import { createAuthority } from '../../helpers/certificates.ts';
import { closedPort, runCli, startCli, type Cli } from '../../helpers/cli.ts';
import { startDns } from '../../helpers/dns.ts';
import { connectPeer } from '../../helpers/peers.ts';
import { exchange, startEcho, startNamed, startProxy } from '../../helpers/proxy.ts';
import { tempDir } from '../../helpers/temp.ts';

const authority = createAuthority();
test.after.always(() => authority.remove());
const own = authority.issue('localhost', 'DNS:localhost,IP:127.0.0.1');
const secure = ['--tls-cert', own.certFile, '--tls-key', own.keyFile];

/** What a proxy's metrics say of themselves. */
async function scrape(t: ExecutionContext, cli: Cli): Promise<string> {
  const [, address = ''] = await cli.said(/metrics at http:\/\/(\S+)\/metrics/);
  return (
    await exchange(t, address, 'GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  ).bytes.toString();
}

test.serial('no request to --metrics ends the proxy: what is no path is answered 400', async (t) => {
  const { cli, address } = await startProxy(t, await startEcho(t), '--metrics', '127.0.0.1:0');
  const [, metrics = ''] = await cli.said(/metrics at http:\/\/(\S+)\/metrics/);
  for (const [request, status] of [
    ['GET // HTTP/1.1', 400],
    ['GET //metrics HTTP/1.1', 400],
    ['GET http:///metrics HTTP/1.1', 400],
    ['GET http://[/ HTTP/1.1', 404],
    ['OPTIONS * HTTP/1.1', 400],
    ['GET  HTTP/1.1', 400],
    ['GET /%zz HTTP/1.1', 404],
    ['GET http://a.example/healthz HTTP/1.1', 200],
    ['GET /healthz?check=1 HTTP/1.1', 200],
    ['GET /metrics HTTP/1.1', 200],
  ] as const) {
    const { bytes } = await exchange(t, metrics, `${request}\r\nHost: a\r\nConnection: close\r\n\r\n`);
    t.regex(bytes.toString(), new RegExp(`^HTTP/1\\.1 ${status} `), request);
  }
  t.is((await exchange(t, address, 'alive')).bytes.toString(), 'alive');
});

for (const [args, why] of [
  [['127.0.0.1:9160', 'localhost:9160'], 'its target localhost:9160 is the relay itself'],
  [['udp://127.0.0.1:9160', 'udp://localhost:9160'], 'its target udp://localhost:9160 is the relay itself'],
  [['0.0.0.0:9160', '127.0.0.1:9160', '--workers', '2'], 'its target 127.0.0.1:9160 is the relay itself'],
  [['-L', '9160=9161', '-L', '9161=9160'], 'the relays form a loop: 127.0.0.1:9160 to 127.0.0.1:9161'],
  [['/tmp/tnet-loop.sock', '/tmp/../tmp/tnet-loop.sock'], 'is the relay itself'],
] as const) {
  test.serial(`proxy ${args.join(' ')} is refused: it leads to itself`, async (t) => {
    const { code, stderr } = await runCli(t, ['proxy', ...args]);
    t.is(code, 2);
    t.true(stderr.includes(why), stderr);
    t.regex(stderr, /\(TNET_E_LOOP\)\n$/);
    t.is(stderr.trimEnd().split('\n').length, 1, stderr);
  });
}

for (const workers of [0, 2]) {
  test.serial(
    `a name that leads to the relay itself is seen before a round is made (${workers} workers)`,
    async (t) => {
      const dns = await startDns(t, { 'self.test': { a: ['127.0.0.1'], ttl: 60 } });
      const port = await closedPort();
      const flags = [
        '--dns-server',
        dns.address,
        '-v',
        ...(workers > 0 ? ['--workers', String(workers)] : []),
      ];
      const cli = startCli(t, ['proxy', `0.0.0.0:${port}`, `self.test:${port}`, ...flags]);
      await cli.address();
      const { error } = await exchange(t, `127.0.0.1:${port}`, 'x');
      t.is((error as NodeJS.ErrnoException).code, 'ECONNRESET');
      await cli.said(/the relay leads back to itself through 127\.0\.0\.1:\d+ \(TNET_E_LOOP\)/);
      cli.child.kill('SIGTERM');
      await cli.exit;
      t.is(cli.stderr().match(/connection from/g)?.length, 1, cli.stderr());
    },
  );
}

test.serial('a ring by names is cut when it closes', async (t) => {
  const dns = await startDns(t, { 'self.test': { a: ['127.0.0.1'], ttl: 60 } });
  const [one, other] = [await closedPort(), await closedPort()];
  const pairs = ['-L', `${one}=self.test:${other}`, '-L', `${other}=self.test:${one}`];
  const cli = startCli(t, ['proxy', ...pairs, '--dns-server', dns.address, '-v']);
  await cli.said(/listening on [^]*listening on .*\n/);
  const before = readdirSync(`/proc/${cli.child.pid!}/fd`).length;
  t.truthy((await exchange(t, `127.0.0.1:${one}`, 'x')).error);
  await cli.said(/TNET_E_LOOP/);
  cli.child.kill('SIGUSR1');
  await cli.said(/2 connections/);
  t.true(readdirSync(`/proc/${cli.child.pid!}/fd`).length <= before + 4);
});

test.serial('a reload to a relay to itself is refused whole', async (t) => {
  const file = join(tempDir(t), 'proxy.json');
  const listen = `127.0.0.1:${await closedPort()}`;
  const write = (target: string) =>
    writeFileSync(file, JSON.stringify({ pairs: [{ listen, targets: [target] }] }));
  write(await startNamed(t, 'in'));
  const cli = startCli(t, ['proxy', '--config', file]);
  await cli.address();
  write(listen);
  cli.child.kill('SIGHUP');
  await cli.said(/TNET_E_LOOP/);
  t.is((await exchange(t, listen)).bytes.toString(), 'in');
});

/** Asks a SOCKS 5 server for a target, and gives the code of its reply. */
async function askSocks(
  t: ExecutionContext,
  proxy: string,
  address: number[],
  port: number,
): Promise<number> {
  const client = await connectPeer(t, proxy);
  client.end(Buffer.from([5, 1, 0, 5, 1, 0, ...address, port >> 8, port & 255]));
  return (await collectUntilClose(client)).bytes[3] ?? -1;
}

async function askConnect(t: ExecutionContext, proxy: string, target: string): Promise<string> {
  const request = `CONNECT ${target} HTTP/1.1\r\nHost: a\r\n\r\n`;
  return (await exchange(t, proxy, request)).bytes.toString().slice(9, 12);
}

const nameBytes = (name: string) => [3, name.length, ...Buffer.from(name)];
const v6 = (...groups: number[]) => [4, ...groups.flatMap((group) => [group >> 8, group & 255])];

test.serial(
  'clients from elsewhere reach neither loopback, nor the link, nor the proxy itself',
  async (t) => {
    const port = Number((await startEcho(t)).split(':').at(-1));
    const flags = ['--socks', '--http-connect', '--allow', '127.0.0.1', '-w', '2s', '--metrics', '0.0.0.0:0'];
    const cli = startCli(t, ['proxy', '0.0.0.0:0', ...flags]);
    const ownPort = await cli.port();
    const proxy = `127.0.0.1:${ownPort}`;
    const [, metrics = ''] = await cli.said(/metrics at http:\/\/\S+:(\d+)\/metrics/);
    const elsewhere = Object.values(networkInterfaces())
      .flat()
      .find((one) => one?.family === 'IPv4' && !one.internal)?.address;
    const cases: [what: string, address: number[], target: string, port: number][] = [
      ['loopback', [1, 127, 0, 0, 1], '127.0.0.1', port],
      ['another loopback address', [1, 127, 9, 9, 9], '127.9.9.9', port],
      ['loopback by a name', nameBytes('localhost'), 'localhost', port],
      ['IPv6 loopback', v6(0, 0, 0, 0, 0, 0, 0, 1), '[::1]', port],
      ['loopback in the mapped form', v6(0, 0, 0, 0, 0, 0xffff, 0x7f00, 1), '[::ffff:127.0.0.1]', port],
      ['every address', [1, 0, 0, 0, 0], '0.0.0.0', port],
      ['every IPv6 address', v6(0, 0, 0, 0, 0, 0, 0, 0), '[::]', port],
      ['the link', [1, 169, 254, 169, 254], '169.254.169.254', 80],
      ['the link by IPv6', v6(0xfe80, 0, 0, 0, 0, 0, 0, 1), '[fe80::1]', 80],
      ...(elsewhere === undefined
        ? []
        : ([
            ['the proxy itself', [1, ...elsewhere.split('.').map(Number)], elsewhere, ownPort],
            ['its metrics', [1, ...elsewhere.split('.').map(Number)], elsewhere, Number(metrics)],
          ] as [string, number[], string, number][])),
    ];
    for (const [what, address, target, at] of cases) {
      t.is(await askSocks(t, proxy, address, at), 2, what);
      t.is(await askConnect(t, proxy, `${target}:${at}`), '403', what);
    }
    await cli.said(/127\.0\.0\.1:\d+: a loopback address of this machine, which .* \(TNET_E_DENIED\)/);
    cli.child.kill('SIGUSR1');
    await cli.said(/refused \(target not allowed\)/);
  },
);

test.serial('clients of this machine reach its loopback', async (t) => {
  const port = Number((await startEcho(t)).split(':').at(-1));
  for (const listen of ['127.0.0.1:0', '[::1]:0', 'localhost:0', join(tempDir(t), 's')]) {
    const cli = startCli(t, ['proxy', listen, '--socks', '--http-connect']);
    const proxy = await cli.address();
    t.is(await askSocks(t, proxy, [1, 127, 0, 0, 1], port), 0, listen);
    t.is(await askConnect(t, proxy, `127.0.0.1:${port}`), '200', listen);
  }
});

/** Comes, and waits until it is gone. */
async function visit(address: string, leave: (socket: net.Socket) => void = () => undefined): Promise<void> {
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(address) ?? [];
  const socket = net.connect({ host, port: Number(port) });
  socket.on('error', () => undefined).resume();
  socket.once('connect', () => leave(socket));
  await new Promise((resolve) => socket.once('close', resolve));
}

/** Clients that come and go without a word: with a reset, and with an end, which the server then answers with its own. */
async function probe(address: string): Promise<void> {
  await visit(address, (socket) => socket.resetAndDestroy());
  await visit(address, (socket) => socket.end());
}

const waiting: [what: string, args: string[]][] = [
  ['proxy --socks', ['proxy', '127.0.0.1:0', '--socks']],
  ['proxy --http-connect', ['proxy', '127.0.0.1:0', '--http-connect']],
  ['proxy --socks --http-connect', ['proxy', '127.0.0.1:0', '--socks', '--http-connect']],
  ['proxy --tls-in', ['proxy', '127.0.0.1:0', '127.0.0.1:1', '--tls-in', ...secure]],
  ['proxy --accept-proxy', ['proxy', '127.0.0.1:0', '127.0.0.1:1', '--accept-proxy']],
  [
    'proxy --accept-proxy --workers 2',
    ['proxy', '127.0.0.1:0', '127.0.0.1:1', '--accept-proxy', '--workers', '2'],
  ],
  ['proxy --route without a default', ['proxy', '127.0.0.1:0', '--route', 'proto:ssh=127.0.0.1:1']],
  ['listen -k --tls', ['listen', '-dk', '127.0.0.1:0', '--tls', ...secure]],
  ['listen -k --accept-proxy', ['listen', '-dk', '127.0.0.1:0', '--accept-proxy']],
  ['echo --tls', ['echo', '127.0.0.1:0', '--tls', ...secure]],
  ['echo --accept-proxy', ['echo', '127.0.0.1:0', '--accept-proxy']],
];

for (const [what, args] of waiting) {
  test.serial(`a connection without a word is no line and no failure at ${what}`, async (t) => {
    const cli = startCli(t, args);
    await probe(await cli.address());
    cli.child.kill('SIGTERM');
    await cli.exit;
    // A worker may not have told yet that the last one has left.
    const lines = cli.stderr().trimEnd().split('\n');
    const [first, totals, ...more] = lines.filter((line) => !line.includes('waiting for'));
    t.regex(first!, /listening on/);
    t.deepEqual(more, []);
    t.regex(totals!, /\(2 without a word\)/);
  });
}

test.serial('a check that does its part of the greeting and leaves is no failure either', async (t) => {
  const args = ['--accept-proxy', '--tls-in', ...secure, '--socks', '--metrics', '127.0.0.1:0'];
  const cli = startCli(t, ['proxy', '127.0.0.1:0', ...args]);
  const address = await cli.address();
  const local = encodeProxyV2({ command: 'local', ends: { family: 'unknown' }, values: [] });
  const client = await connectPeer(t, address);
  client.end(local);
  await collectUntilClose(client);
  const second = await connectPeer(t, address);
  second.write(local);
  const layer = tls.connect({ socket: second, rejectUnauthorized: false });
  await once(layer, 'secureConnect');
  layer.on('error', () => undefined).end();
  await collectUntilClose(layer);
  const text = await scrape(t, cli);
  t.regex(text, /^tnet_proxy_probes_total 2$/m);
  t.regex(text, /^tnet_proxy_failed_total 0$/m);
  t.notRegex(cli.stderr(), /TNET_E|ECONN/);
});

test.serial('with -v a client without a word is said', async (t) => {
  const cli = startCli(t, ['proxy', '127.0.0.1:0', '--socks', '-v']);
  await probe(await cli.address());
  t.truthy(await cli.said(/127\.0\.0\.1:\d+: left without a word\n/));
});

test.serial('a client that says something wrong is a failure still', async (t) => {
  const cli = startCli(t, ['proxy', '127.0.0.1:0', '--socks']);
  await exchange(t, await cli.address(), Buffer.from([5]));
  t.truthy(await cli.said(/the client ended the connection in the middle of its request/));
});

test.serial('a target that refuses everybody is a line a second, and each client is counted', async (t) => {
  // Without the lane, whose events may come after the totals.
  const env = { TNET_EXPRESS: '0' };
  const cli = startCli(t, ['proxy', '127.0.0.1:0', `127.0.0.1:${await closedPort()}`], { env });
  const address = await cli.address();
  for (let n = 0; n < 10; n++) {
    await Promise.all(Array.from({ length: 20 }, () => visit(address)));
  }
  cli.child.kill('SIGTERM');
  await cli.exit;
  t.regex(cli.stderr(), /200 connections \(200 failed\)/);
  const lines = cli
    .stderr()
    .split('\n')
    .filter((line) => line.includes('ECONNREFUSED'));
  t.true(lines.length < 20, `${lines.length} lines`);
  const told = lines.map((line) => Number(/and (\d+) more within 1 s/.exec(line)?.[1] ?? 1));
  t.is(
    told.reduce((sum, count) => sum + count, 0),
    200,
  );
});

test.serial('with --json every failure is an event', async (t) => {
  const { cli, address } = await startProxyJson(t);
  await Promise.all(Array.from({ length: 30 }, () => visit(address)));
  cli.child.kill('SIGTERM');
  await cli.exit;
  t.is(cli.stderr().match(/"event":"error",.*"ECONNREFUSED"/g)?.length, 30);
});

async function startProxyJson(t: ExecutionContext): Promise<{ cli: Cli; address: string }> {
  const cli = startCli(t, ['proxy', '127.0.0.1:0', `127.0.0.1:${await closedPort()}`, '--json'], {
    env: { TNET_EXPRESS: '0' },
  });
  const [, address = ''] = await cli.said(/"event":"listening","address":"([^"]+)"/);
  return { cli, address };
}
