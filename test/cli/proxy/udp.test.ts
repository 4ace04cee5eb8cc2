import { spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { collect, collectUntilClose, payload, sameBytes } from '../../helpers/bytes.ts';
import { closedPort, runCli, startCli, type Cli } from '../../helpers/cli.ts';
import { readText } from '../../helpers/lines.ts';
import { connectPeer, startPeerServer } from '../../helpers/peers.ts';
import { testWith } from '../../helpers/programs.ts';
import { exchange, startEcho } from '../../helpers/proxy.ts';
import { tempDir } from '../../helpers/temp.ts';

async function bindSocket(t: ExecutionContext, address = '127.0.0.1', port = 0): Promise<dgram.Socket> {
  const socket = dgram.createSocket('udp4');
  let isOpen = true;
  socket.once('close', () => (isOpen = false));
  t.teardown(() => isOpen && socket.close());
  socket.bind(port, address);
  await once(socket, 'listening');
  return socket;
}

/** A UDP server that answers each datagram with what `answer` makes of it; its address as tnet takes it. */
async function startServer(t: ExecutionContext, answer = (datagram: Buffer) => datagram): Promise<string> {
  const socket = await bindSocket(t);
  socket.on('message', (datagram, { port, address }) => socket.send(answer(datagram), port, address));
  return `udp://127.0.0.1:${socket.address().port}`;
}

/** Starts `tnet proxy` on a free UDP port. */
async function startUdpProxy(
  t: ExecutionContext,
  ...words: readonly string[]
): Promise<{ cli: Cli; port: number }> {
  const cli = startCli(t, ['proxy', 'udp://127.0.0.1:0', ...words]);
  const [, port] = await cli.said(/listening.*udp:\/\/127\.0\.0\.1:(\d+)/);
  return { cli, port: Number(port) };
}

/** Sends a datagram and waits for the next that comes. */
async function ask(socket: dgram.Socket, port: number, datagram: string | Buffer): Promise<Buffer> {
  const answer = once(socket, 'message');
  socket.send(datagram, port, '127.0.0.1');
  return ((await answer) as [Buffer])[0];
}

test.serial('each UDP client has a session of its own, and answers go to the right one', async (t) => {
  const seen = new Set<number>();
  const server = await bindSocket(t);
  server.on('message', (datagram, { port, address }) => {
    seen.add(port);
    server.send(Buffer.concat([Buffer.from('to '), datagram]), port, address);
  });
  const { cli, port } = await startUdpProxy(t, `udp://127.0.0.1:${server.address().port}`);
  const clients = await Promise.all(Array.from({ length: 8 }, () => bindSocket(t)));
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all(clients.map((client, index) => ask(client, port, `${round}/${index}`)));
    t.deepEqual(
      answers.map(String),
      clients.map((_client, index) => `to ${round}/${index}`),
    );
  }
  t.is(seen.size, 8);
  cli.child.kill('SIGUSR1');
  await cli.said(/8 connections \(8 open\), 72 bytes in, 144 bytes out/);
});

test.serial('datagrams without bytes and of the greatest length are carried, none merged', async (t) => {
  const { port } = await startUdpProxy(t, await startServer(t));
  const client = await bindSocket(t);
  for (const length of [0, 1, 1472, 65_507, 0]) {
    const sent = payload(length);
    sameBytes(t, await ask(client, port, sent), sent);
  }
  const got: string[] = [];
  client.on('message', (datagram) => got.push(String(datagram)));
  const sent = Array.from({ length: 20 }, (_, index) => (index % 4 === 3 ? '' : `datagram ${index}`));
  for (const text of sent) client.send(text, port, '127.0.0.1');
  while (got.length < sent.length) await once(client, 'message');
  t.deepEqual(got, sent);
});

test.serial('a silent session ends without an error, and its client may come again', async (t) => {
  const { cli, port } = await startUdpProxy(t, await startServer(t), '--idle', '1s', '--json');
  const client = await bindSocket(t);
  t.is(String(await ask(client, port, 'one')), 'one');
  const [line] = await cli.said(/\{.*"event":"ended".*\}/);
  const { id, reason, sentBytes, receivedBytes } = JSON.parse(line) as Record<string, unknown>;
  t.deepEqual(
    { id, reason, sentBytes, receivedBytes },
    { id: 1, reason: 'timeout', sentBytes: 3, receivedBytes: 3 },
  );
  t.is(String(await ask(client, port, 'two')), 'two');
  await cli.said(/"event":"accepted","id":2/);
  t.notRegex(cli.stderr(), /"event":"error"/);
});

test.serial('a target where nobody listens is named, and the client may try again', async (t) => {
  const target = await closedPort();
  const { cli, port } = await startUdpProxy(t, `udp://127.0.0.1:${target}`);
  const client = await bindSocket(t);
  client.send('x', port, '127.0.0.1');
  await cli.said(
    new RegExp(`tnet proxy: udp://127\\.0\\.0\\.1:${target}: connection refused \\(ECONNREFUSED\\)\n`),
  );
  const server = await bindSocket(t, '127.0.0.1', target);
  server.on('message', (datagram, { port: from }) => server.send(datagram, from, '127.0.0.1'));
  t.is(String(await ask(client, port, 'y')), 'y');
  cli.child.kill('SIGUSR1');
  await cli.said(/2 connections \(1 open, 1 failed\)/);
});

test.serial('-m bounds the sessions, and a client beyond it is said once and counted', async (t) => {
  const { cli, port } = await startUdpProxy(t, await startServer(t), '-m', '1', '--idle', '1500ms', '-v');
  const [first, second] = [await bindSocket(t), await bindSocket(t)];
  await ask(first, port, 'a');
  for (let round = 0; round < 3; round++) second.send('b', port, '127.0.0.1');
  await cli.said(new RegExp(`refused 127\\.0\\.0\\.1:${second.address().port}: too many peers\n`));
  await cli.said(/: timeout, 1 byte in, 1 byte out/);
  t.is(String(await ask(second, port, 'c')), 'c');
  t.is(cli.stderr().match(/refused/g)?.length, 1);
  cli.child.kill('SIGUSR1');
  await cli.said(/2 connections \(1 open, \d refused \(too many peers\)\)/);
});

test.serial('access lists and the rate of new clients hold for UDP', async (t) => {
  const target = await startServer(t);
  const listed = await startUdpProxy(t, target, '--deny', '127.0.0.7');
  const denied = await bindSocket(t, '127.0.0.7');
  denied.send('x', listed.port, '127.0.0.1');
  await listed.cli.said(/refused 127\.0\.0\.7:\d+: denied by 127\.0\.0\.7\n/);
  t.is(String(await ask(await bindSocket(t), listed.port, 'in')), 'in');
  const rated = await startUdpProxy(t, target, '--rate', '1/h');
  const first = await bindSocket(t);
  t.is(String(await ask(first, rated.port, 'in')), 'in');
  (await bindSocket(t)).send('x', rated.port, '127.0.0.1');
  await rated.cli.said(/refused 127\.0\.0\.1:\d+: too many new connections\n/);
  t.is(String(await ask(first, rated.port, 'still in')), 'still in');
});

test.serial('UDP clients take turns among targets, and one that refuses them is left out', async (t) => {
  const down = `udp://127.0.0.1:${await closedPort()}`;
  const targets = [
    await startServer(t, () => Buffer.from('a')),
    down,
    await startServer(t, () => Buffer.from('b')),
  ];
  const { cli, port } = await startUdpProxy(t, ...targets, '--health-fall', '1', '--eject', '1h');
  t.is(String(await ask(await bindSocket(t), port, '1')), 'a');
  (await bindSocket(t)).send('2', port, '127.0.0.1');
  await cli.said(new RegExp(`${down}: connection refused`));
  await cli.said(new RegExp(`${down}: down, left out`));
  const answers = [];
  for (let client = 0; client < 4; client++) answers.push(String(await ask(await bindSocket(t), port, '3')));
  t.deepEqual(answers.sort(), ['a', 'a', 'b', 'b']);
});

test.serial('faults act on datagrams and keep them apart', async (t) => {
  const target = await startServer(t);
  const lossy = await startUdpProxy(
    t,
    target,
    '--loss',
    '1',
    '--direction',
    'down',
    '--idle',
    '200ms',
    '--json',
  );
  (await bindSocket(t)).send('lost', lossy.port, '127.0.0.1');
  const [line] = await lossy.cli.said(/\{.*"event":"ended".*\}/);
  t.regex(line, /"sentBytes":0,"receivedBytes":4/);
  const slow = await startUdpProxy(t, target, '--latency', '100ms', '--bandwidth', '1M');
  const client = await bindSocket(t);
  const startedAt = performance.now();
  t.is((await ask(client, slow.port, '')).length, 0);
  t.true(performance.now() - startedAt >= 175);
  const sent = payload(5_000);
  const corrupted = [];
  for (let run = 0; run < 2; run++) {
    const proxy = await startUdpProxy(t, target, '--corrupt', '0.01', '--seed', '7');
    corrupted.push(await ask(await bindSocket(t), proxy.port, sent));
  }
  t.notDeepEqual(corrupted[0], sent);
  sameBytes(t, corrupted[1]!, corrupted[0]!);
});

test.serial('SIGHUP gives a UDP address its new target, and sessions keep theirs', async (t) => {
  const file = join(tempDir(t), 'proxy.json');
  const port = await closedPort();
  const write = (target: string) =>
    writeFileSync(
      file,
      JSON.stringify({ pairs: [{ listen: `udp://127.0.0.1:${port}`, targets: [target] }] }),
    );
  write(await startServer(t, () => Buffer.from('old')));
  const cli = startCli(t, ['proxy', '--config', file]);
  await cli.said(/listening/);
  const held = await bindSocket(t);
  t.is(String(await ask(held, port, 'x')), 'old');
  write(await startServer(t, () => Buffer.from('new')));
  cli.child.kill('SIGHUP');
  await cli.said(/reloaded/);
  t.is(String(await ask(await bindSocket(t), port, 'x')), 'new');
  t.is(String(await ask(held, port, 'x')), 'old');
  cli.child.kill('SIGINT');
  t.is((await cli.exit).code, 130);
});

test.serial('a UDP client reaches a stream, with a datagram a chunk', async (t) => {
  const { cli, port } = await startUdpProxy(t, await startEcho(t), '--idle', '1s', '-v');
  const client = await bindSocket(t);
  t.is(String(await ask(client, port, 'one')), 'one');
  t.is(String(await ask(client, port, 'two')), 'two');
  await cli.said(/: timeout, 6 bytes in, 6 bytes out/);
});

test.serial('--framing length carries datagrams through a stream unmerged, both ways', async (t) => {
  const udp = await startServer(t);
  // Back to UDP behind the stream: what comes out is what went in.
  const inner = startCli(t, ['proxy', '127.0.0.1:0', udp, '--framing', 'length']);
  const { port } = await startUdpProxy(t, await inner.address(), '--framing', 'length');
  const client = await bindSocket(t);
  const got: Buffer[] = [];
  client.on('message', (datagram) => got.push(datagram));
  const sent = [0, 1, 1000, 0, 65_507, 3].map(payload);
  for (const datagram of sent) client.send(datagram, port, '127.0.0.1');
  while (got.length < sent.length) await once(client, 'message');
  t.deepEqual(
    got.map(({ length }) => length),
    sent.map(({ length }) => length),
  );
  sent.forEach((datagram, index) => sameBytes(t, got[index]!, datagram));
});

test.serial(
  'a client of a stream that ended its side still gets the answers of UDP, then the end',
  async (t) => {
    const cli = startCli(t, ['proxy', '127.0.0.1:0', await startServer(t), '--idle', '2s']);
    const { bytes, error } = await exchange(t, await cli.address(), 'question');
    t.is(error, undefined);
    t.is(bytes.toString(), 'question');
  },
);

test.serial('a stream that ends within a datagram is an error, and its client is reset', async (t) => {
  const cli = startCli(t, ['proxy', '127.0.0.1:0', await startServer(t), '--framing', 'length']);
  const client = await connectPeer(t, await cli.address());
  client.end(Buffer.from([0, 9, 1]));
  t.truthy((await collectUntilClose(client)).error);
  await cli.said(/the stream ended inside a datagram.*\(TNET_E_FRAMING\)/);
});

test.serial('a target of a stream that ends its side ends the session of UDP', async (t) => {
  const server = await startPeerServer(t, 'tcp');
  const { cli, port } = await startUdpProxy(t, server.words.join(':'), '-v');
  const client = await bindSocket(t);
  client.send('hello', port, '127.0.0.1');
  const upstream = await server.accept();
  t.is(String((await once(upstream.resume(), 'data'))[0]), 'hello');
  const answer = once(client, 'message');
  upstream.end('bye');
  t.is(String((await answer)[0]), 'bye');
  await cli.said(/: eof, 5 bytes in, 3 bytes out/);
});

for (const [args, message] of [
  [['udp://0', 'udp://1', '--tls-in'], /--tls-in: /],
  [['udp://0', 'udp://1', '--slice'], /--slice: it needs a stream, and both ends are UDP/],
  [['udp://0', 'udp://1', '--drop-after', '1k'], /--drop-after: it needs a stream/],
  [['udp://0', 'udp://1', '--send-proxy', '2'], /--send-proxy: UDP clients/],
  [['udp://0', 'udp://1', '--health', '1s'], /--health: UDP targets/],
  [
    ['udp://0', 'udp://1', '--framing', 'length'],
    /--framing: makes sense only between a udp:\/\/ end and a stream/,
  ],
  [['udp://0', '--socks'], /--socks: UDP clients/],
  [['udp://0', '1', '--route', 'sni:a=2'], /--route: UDP clients/],
  [['udp://0', 'udp://1', '-m', '1', '--reject'], /--reject: UDP clients cannot wait/],
  [['0', '1', '--loss', '0.5'], /--loss: makes sense only between two udp:\/\/ ends/],
  [['0', 'udp://1', '--tls-out'], /--tls-out: UDP targets/],
  [['0', 'udp://1', '2'], /TARGET: udp:\/\/ has to be before all targets or before none/],
] as const) {
  test.serial(`proxy ${args.join(' ')} is a usage error in one line`, async (t) => {
    const { code, stderr } = await runCli(t, ['proxy', ...args]);
    t.is(code, 2);
    t.regex(stderr, message);
    t.is(stderr.trimEnd().split('\n').length, 1, stderr);
  });
}

testWith('socat')('socat speaks UDP through the proxy, as client and as server', async (t) => {
  const serverPort = await closedPort();
  const server = spawn('socat', [`UDP4-RECVFROM:${serverPort},bind=127.0.0.1,fork`, 'SYSTEM:tr a-z A-Z'], {
    stdio: 'ignore',
    detached: true,
  });
  t.teardown(() => process.kill(-server.pid!, 'SIGKILL'));
  const { port } = await startUdpProxy(t, `udp://127.0.0.1:${serverPort}`);
  for (let tries = 0; ; tries++) {
    const client = spawn('socat', ['-T', '1', '-t', '1', '-', `UDP4:127.0.0.1:${port}`]);
    client.stdin.on('error', () => undefined).end('hello');
    const text = (await collect(client.stdout)).toString();
    // socat may not have been listening yet.
    if (text === '' && tries < 20) continue;
    t.is(text, 'HELLO');
    break;
  }
});

/** Starts a name server that knows a.example, on a port that is free for UDP and for TCP. */
async function startDnsmasq(t: ExecutionContext, tries = 10): Promise<number> {
  const port = await closedPort();
  const dnsmasq = spawn('dnsmasq', [
    ...['--keep-in-foreground', '--log-facility=-', '--no-resolv', '--no-hosts', '--conf-file=/dev/null'],
    ...['--bind-interfaces', '--listen-address=127.0.0.1', `--port=${port}`, '--pid-file=', '--user=root'],
    '--address=/a.example/192.0.2.7',
  ]);
  t.teardown(() => dnsmasq.kill('SIGKILL'));
  const said = readText(dnsmasq.stderr);
  const hasStarted = await said.until(/started/).then(
    () => true,
    () => false,
  );
  if (hasStarted) return port;
  // A client's connection of another test may have come from that port, over TCP.
  if (tries === 1) throw new Error(said.text());
  return startDnsmasq(t, tries - 1);
}

testWith('dnsmasq')('dnsmasq answers through UDP to UDP, TCP to UDP and UDP to TCP', async (t) => {
  const dnsPort = await startDnsmasq(t);
  // A query for the address of a.example. Source: RFC 1035 section 4.
  const query = Buffer.from('1234010000010000000000000161076578616d706c650000010001', 'hex');
  const framed = Buffer.concat([Buffer.from([0, query.length]), query]);
  const address = Buffer.from([192, 0, 2, 7]);
  const udp = await startUdpProxy(t, `udp://127.0.0.1:${dnsPort}`);
  t.true((await ask(await bindSocket(t), udp.port, query)).includes(address));
  const up = await startUdpProxy(t, `127.0.0.1:${dnsPort}`, '--framing', 'length');
  t.true((await ask(await bindSocket(t), up.port, query)).includes(address));
  const down = startCli(t, ['proxy', '127.0.0.1:0', `udp://127.0.0.1:${dnsPort}`, '--framing', 'length']);
  const client = await connectPeer(t, await down.address());
  client.write(framed);
  t.true(((await once(client.resume(), 'data')) as [Buffer])[0].includes(address));
});
