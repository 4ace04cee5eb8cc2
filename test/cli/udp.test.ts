import { spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { payload, sameBytes } from '../helpers/bytes.ts';
import { closedPort, runCli, startCli } from '../helpers/cli.ts';
import { readText } from '../helpers/lines.ts';
import { testWith } from '../helpers/programs.ts';
import { tempDir } from '../helpers/temp.ts';

/** A plain UDP socket on loopback. */
async function bindSocket(t: ExecutionContext, type: 'udp4' | 'udp6' = 'udp4') {
  const socket = dgram.createSocket(type);
  t.teardown(() => socket.close());
  socket.bind(0, type === 'udp4' ? '127.0.0.1' : '::1');
  await once(socket, 'listening');
  return socket;
}

for (const [title, words] of [
  ['-u HOST PORT', (port: number) => ['-u', '127.0.0.1', String(port)]],
  ['udp://HOST:PORT', (port: number) => [`udp://127.0.0.1:${port}`]],
] as const) {
  test.serial(`connect ${title}: a chunk is a datagram, and so is an answer`, async (t) => {
    const socket = await bindSocket(t);
    const cli = startCli(t, ['connect', ...words(socket.address().port)]);
    const stdout = readText(cli.stdout);
    cli.stdin.write('one');
    const [message, remote] = (await once(socket, 'message')) as [Buffer, dgram.RemoteInfo];
    t.is(message.toString(), 'one');
    cli.stdin.write('two');
    t.is(String((await once(socket, 'message'))[0]), 'two');
    socket.send('', remote.port, remote.address);
    socket.send('answer', remote.port, remote.address);
    await stdout.until(/^answer$/);
  });
}

test.serial('connect -u speaks IPv6', async (t) => {
  const socket = await bindSocket(t, 'udp6');
  startCli(t, ['connect', '-u', '::1', String(socket.address().port)]).stdin.write('six');
  t.is(String((await once(socket, 'message'))[0]), 'six');
});

test.serial('--wait-reply ends when no reply has come for its time, with status 0', async (t) => {
  const socket = await bindSocket(t);
  socket.on('message', (_message, { port, address }) => socket.send('pong', port, address));
  const words = ['connect', '-u', '--wait-reply=200ms', '127.0.0.1', String(socket.address().port)];
  const { code, stdout } = await runCli(t, words, 'ping');
  t.is(code, 0);
  t.is(stdout.toString(), 'pong');
});

test.serial('--wait-reply takes a datagram without bytes for a reply', async (t) => {
  const socket = await bindSocket(t);
  socket.on('message', (_message, { port, address }) => socket.send('', port, address));
  const words = ['connect', '-u', '--wait-reply=200ms', '127.0.0.1', String(socket.address().port)];
  t.is((await runCli(t, words, 'ping')).code, 0);
});

test.serial('--wait-reply without a reply is status 124', async (t) => {
  const socket = await bindSocket(t);
  const words = ['connect', '-u', '--wait-reply=200ms', '127.0.0.1', String(socket.address().port)];
  const { code, stderr } = await runCli(t, words, 'ping');
  t.is(code, 124);
  t.regex(stderr, /: no reply within 200 ms \(TNET_E_TIMEOUT\)\n$/);
});

test.serial('a port where nobody listens is status 1 and a sentence', async (t) => {
  const port = await closedPort();
  const { code, stderr } = await runCli(t, ['connect', '-u', '127.0.0.1', String(port)], 'x');
  t.is(code, 1);
  t.is(stderr, `tnet connect: 127.0.0.1:${port}: connection refused (ECONNREFUSED)\n`);
});

test.serial('a file is cut into datagrams without a byte lost, and it is said', async (t) => {
  const sent = payload(150_000);
  const file = join(tempDir(t), 'data');
  writeFileSync(file, sent);
  const socket = await bindSocket(t);
  socket.setRecvBufferSize(1024 * 1024);
  const cli = startCli(t, ['connect', '-u', '-v', '127.0.0.1', String(socket.address().port)], {
    stdin: { file },
  });
  const received: Buffer[] = [];
  while (Buffer.concat(received).length < sent.length) {
    received.push(((await once(socket, 'message')) as [Buffer])[0]);
  }
  t.deepEqual(
    received.map(({ length }) => length),
    [65_507, 65_507, 18_986],
  );
  sameBytes(t, Buffer.concat(received), sent);
  await cli.said(/150000 bytes of input cut into datagrams of 65507 and less\n/);
});

test.serial('listen -u is joined to its first peer, and another is told that nobody listens', async (t) => {
  const server = startCli(t, ['listen', '-u', '-v', '127.0.0.1:0']);
  const stdout = readText(server.stdout);
  const port = await server.port();
  const [first, second] = [await bindSocket(t), await bindSocket(t)];
  first.send('', port, '127.0.0.1');
  first.send('hello', port, '127.0.0.1');
  await stdout.until(/^hello$/);
  server.stdin.write('answer');
  t.is(String((await once(first, 'message'))[0]), 'answer');
  second.connect(port, '127.0.0.1');
  await once(second, 'connect');
  second.send('me too');
  t.is(((await once(second, 'error'))[0] as { code: string }).code, 'ECONNREFUSED');
  first.send(' again', port, '127.0.0.1');
  await stdout.until(/^hello again$/);
});

test.serial('listen -u -k serves every peer, and stdin goes to the first', async (t) => {
  const server = startCli(t, ['listen', '-u', '-k', '-v', '127.0.0.1:0']);
  const stdout = readText(server.stdout);
  const port = await server.port();
  const [first, second] = [await bindSocket(t), await bindSocket(t)];
  first.send('one;', port, '127.0.0.1');
  await stdout.until(/one;/);
  second.send('two;', port, '127.0.0.1');
  await stdout.until(/one;two;/);
  await server.said(new RegExp(`connection from 127\\.0\\.0\\.1:${second.address().port}\n`));
  server.stdin.write('to the first');
  t.is(String((await once(first, 'message'))[0]), 'to the first');
});

test.serial('listen -u --broadcast sends a chunk to every peer as a datagram', async (t) => {
  const server = startCli(t, ['listen', '-u', '--broadcast', '-v', '127.0.0.1:0']);
  const port = await server.port();
  const peers = [await bindSocket(t), await bindSocket(t)];
  for (const peer of peers) peer.send('', port, '127.0.0.1');
  await server.said(/(connection from[^]*){2}/);
  const messages = peers.map((peer) => once(peer, 'message'));
  server.stdin.write('to all');
  for (const [message] of await Promise.all(messages)) t.is(String(message), 'to all');
});

test.serial('listen -u -k --broker passes datagrams on, those without bytes too', async (t) => {
  const server = startCli(t, ['listen', '-u', '--broker', '-v', '127.0.0.1:0']);
  const port = await server.port();
  const [from, to] = [await bindSocket(t), await bindSocket(t)];
  to.send('', port, '127.0.0.1');
  await server.said(/connection from/);
  const lengths: number[] = [];
  to.on('message', (message) => lengths.push(message.length));
  for (const text of ['abc', '', 'de']) from.send(text, port, '127.0.0.1');
  while (lengths.length < 3) await once(to, 'message');
  t.deepEqual(lengths, [3, 0, 2]);
});

test.serial('-i lets a peer of listen -u -k go, and it may come again', async (t) => {
  const server = startCli(t, ['listen', '-u', '-k', '-v', '-i', '200ms', '127.0.0.1:0']);
  const peer = await bindSocket(t);
  const port = await server.port();
  peer.send('x', port, '127.0.0.1');
  await server.said(/: timeout, 1 byte in/);
  peer.send('y', port, '127.0.0.1');
  await server.said(/(connection from[^]*){2}/);
  t.pass();
});

test.serial('listen -u is ended by SIGTERM before and after its first peer', async (t) => {
  for (const hasPeer of [false, true]) {
    const server = startCli(t, ['listen', '-u', '-v', '127.0.0.1:0']);
    const port = await server.port();
    if (hasPeer) {
      (await bindSocket(t)).send('x', port, '127.0.0.1');
      await server.said(/connection from/);
    }
    server.child.kill('SIGTERM');
    t.is((await server.exit).code, 143);
  }
});

test.serial('--send-only ends when everything is sent', async (t) => {
  const socket = await bindSocket(t);
  const words = ['connect', '-u', '--send-only', '127.0.0.1', String(socket.address().port)];
  const message = once(socket, 'message');
  t.is((await runCli(t, words, 'fire and forget')).code, 0);
  t.is(String((await message)[0]), 'fire and forget');
});

const faults: [words: string[], message: RegExp][] = [
  [['connect', '--wait-reply=1s', '127.0.0.1', '9'], /--wait-reply goes with -u/],
  [['connect', '-u', '--wait', '1s', '127.0.0.1', '9'], /needs a connection, and UDP has none/],
  [
    ['connect', '-u', '--tls', '127.0.0.1', '9'],
    /--tls does not go with this address: DTLS, which is TLS for datagrams, is not supported/,
  ],
  [['connect', '-x', 'socks5://127.0.0.1:1', 'udp://127.0.0.1:9'], /-x needs a connection, and UDP has none/],
  [['connect', '-t', '-u', '127.0.0.1', '9'], /-t needs a connection, and UDP has none/],
  [['connect', '-u', '--linger', '1s', '127.0.0.1', '9'], /--linger needs a connection, and UDP has none/],
  [['connect', '--keepalive', '9s', 'udp://127.0.0.1:9'], /--keepalive needs a connection, and UDP has none/],
  [['connect', '--no-nodelay', 'udp://127.0.0.1:9'], /--nodelay needs a connection, and UDP has none/],
  [['listen', '-u', '--linger', '9s', '127.0.0.1:0'], /--linger needs a connection, and UDP has none/],
  [
    ['listen', '-u', '--tls', '127.0.0.1:0'],
    /--tls does not go with this address: DTLS, which is TLS for datagrams, is not supported/,
  ],
  [['listen', '-u', '--accept-proxy', '127.0.0.1:0'], /--accept-proxy needs a connection, and UDP has none/],
  [['connect', '-u', '--wait-reply=soon', '127.0.0.1', '9'], /a time is a number/],
];

for (const [words, message] of faults) {
  test.serial(`tnet ${words.join(' ')} is status 2`, async (t) => {
    const { code, stderr } = await runCli(t, words);
    t.is(code, 2);
    t.regex(stderr, message);
  });
}

const clients: [name: string, words: (port: string) => string[]][] = [
  ['ncat', (port) => ['-u', '127.0.0.1', port]],
  ['nc.openbsd', (port) => ['-u', '127.0.0.1', port]],
  ['socat', (port) => ['-', `UDP:127.0.0.1:${port}`]],
];

for (const [name, words] of clients) {
  testWith(name)(`${name} and listen -u talk both ways`, async (t) => {
    const server = startCli(t, ['listen', '-u', '127.0.0.1:0']);
    const child = spawn(name, words(String(await server.port())), { stdio: ['pipe', 'pipe', 'inherit'] });
    t.teardown(() => child.kill('SIGKILL'));
    const [here, there] = [readText(server.stdout), readText(child.stdout)];
    child.stdin.on('error', () => undefined).write('to tnet\n');
    await here.until(/^to tnet\n$/);
    server.stdin.write('from tnet\n');
    await there.until(/^from tnet\n$/);
    t.pass();
  });
}

const servers: [name: string, words: (port: string) => string[]][] = [
  ['ncat', (port) => ['-u', '-l', '127.0.0.1', port]],
  ['nc.openbsd', (port) => ['-u', '-l', '127.0.0.1', port]],
  ['socat', (port) => ['-', `UDP-LISTEN:${port},bind=127.0.0.1`]],
];

for (const [name, words] of servers) {
  testWith(name)(`connect -u and ${name} listening talk both ways`, async (t) => {
    const port = String(await closedPort());
    const child = spawn(name, words(port), { stdio: ['pipe', 'pipe', 'inherit'] });
    t.teardown(() => child.kill('SIGKILL'));
    const there = readText(child.stdout);
    const here = await firstAnswered(t, port);
    await there.until(/to peer\n/);
    child.stdin.on('error', () => undefined).write('from peer\n');
    await here.until(/from peer\n/);
    t.pass();
  });
}

/** Sends until the peer has bound its port: a refusal says that it has not. */
async function firstAnswered(t: ExecutionContext, port: string) {
  for (;;) {
    const cli = startCli(t, ['connect', '-u', '127.0.0.1', port]);
    cli.stdin.write('to peer\n');
    const refused = cli.exit.then(() => true);
    const settled = new Promise<boolean>((resolve) => setTimeout(resolve, 400, false));
    if (!(await Promise.race([refused, settled]))) return readText(cli.stdout);
  }
}
