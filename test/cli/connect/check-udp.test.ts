import dgram from 'node:dgram';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test, { type ExecutionContext } from 'ava';
import { closedPort, runCli } from '../../helpers/cli.ts';
import { makeNamespace, silentAddress, testInNamespace } from '../../helpers/netns.ts';
import { testWith } from '../../helpers/programs.ts';

/** A UDP socket on loopback that does something with each datagram. */
async function bindPeer(
  t: ExecutionContext,
  take: (socket: dgram.Socket, datagram: Buffer, remote: dgram.RemoteInfo) => void,
): Promise<number> {
  const socket = dgram.createSocket('udp4');
  t.teardown(() => socket.close());
  socket.on('message', (datagram, remote) => take(socket, datagram, remote)).bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket.address().port;
}

const echo = (socket: dgram.Socket, datagram: Buffer, { port, address }: dgram.RemoteInfo) =>
  socket.send(datagram, port, address);

for (const [how, flags, address] of [
  ['-u', ['-u'], (port: number) => ['127.0.0.1', String(port)]],
  ['udp://', [], (port: number) => [`udp://127.0.0.1:${port}`]],
] as const) {
  test.serial(`-z with ${how} is 0 for an answer, and 1 for the word that nobody listens`, async (t) => {
    const asked: Buffer[] = [];
    const port = await bindPeer(t, (socket, datagram, remote) => {
      asked.push(datagram);
      echo(socket, datagram, remote);
    });
    const open = await runCli(t, ['connect', '-z', ...flags, ...address(port)]);
    t.deepEqual([open.code, open.stderr, open.stdout.length], [0, '', 0]);
    t.is(asked[0]?.length, 0);
    const closed = await runCli(t, ['connect', '-z', ...flags, ...address(await closedPort())]);
    t.deepEqual([closed.code, closed.stderr], [1, '']);
  });
}

test.serial('silence is said in words, with status 124, after a few datagrams', async (t) => {
  let count = 0;
  const port = await bindPeer(t, () => count++);
  const { code, stderr } = await runCli(t, ['connect', '-zu', '-w', '600ms', '127.0.0.1', String(port)]);
  t.is(code, 124);
  t.is(
    stderr,
    `tnet connect: udp://127.0.0.1:${port}: no answer within 600 ms: open or filtered (TNET_E_TIMEOUT)\n`,
  );
  t.true(count >= 2 && count <= 3, String(count));
});

test.serial('-zuv has a line for each port, in the words of nc', async (t) => {
  const open = await bindPeer(t, echo);
  const silent = await bindPeer(t, () => undefined);
  const closed = await closedPort();
  const args = ['connect', '-zuv', '-w', '2s', '127.0.0.1', `${open},${silent},${closed}`];
  const { code, stderr } = await runCli(t, args);
  t.is(code, 0);
  t.deepEqual(
    stderr.trim().split('\n').sort(),
    [
      `tnet connect: connection to 127.0.0.1 ${open} port [udp/*] succeeded!`,
      `tnet connect: 127.0.0.1 port ${silent} (udp): no answer within 2 s: open or filtered (TNET_E_TIMEOUT)`,
      `tnet connect: connect to 127.0.0.1 port ${closed} (udp) failed: connection refused (ECONNREFUSED)`,
    ].sort(),
  );
});

test.serial('of many silent ports the number is said', async (t) => {
  const first = await bindPeer(t, () => undefined);
  const second = await bindPeer(t, () => undefined);
  const args = ['connect', '-zu', '-w', '300ms', '127.0.0.1', `${first},${second}`];
  const { code, stderr } = await runCli(t, args);
  t.is(code, 124);
  t.is(stderr, 'tnet connect: 2 of 2 gave no answer: open or filtered\n');
});

test.serial('-z -u --send sends that datagram, and --expect wants its answer', async (t) => {
  const port = await bindPeer(t, (socket, datagram, { port: from, address }) => {
    if (datagram.toString() === 'PING\n') socket.send('PONG\n', from, address);
  });
  const ask = (...steps: string[]) =>
    runCli(t, ['connect', '-zu', '-w', '20s', ...steps, '127.0.0.1', String(port)]);
  t.is((await ask('--send', 'PING\\n')).code, 0);
  t.is((await ask('--send', 'PING\\n', '--expect', '^PONG')).code, 0);
  const wrong = await ask('--send', 'PING\\n', '--expect', '^ERR', '--step-timeout', '300ms');
  t.is(wrong.code, 1);
});

test.serial('-z -u -c is a ping by datagrams', async (t) => {
  let count = 0;
  const port = await bindPeer(t, (socket, datagram, remote) => {
    if (++count !== 2) echo(socket, datagram, remote);
  });
  const args = ['connect', '-zu', '-c', '3', '--interval', '10ms', '-w', '1s', '127.0.0.1', String(port)];
  const { code, stdout, stderr } = await runCli(t, args);
  t.is(code, 1, stderr);
  t.regex(stderr, /try 2 unanswered after [\d.]+ ms: no answer within 1 s: open or filtered/);
  t.regex(stdout.toString(), /3 tried, 2 open, 1 failed \(33 %\)/);
  t.is(count, 3);
});

test.serial('-z -u -- COMMAND runs it when the port has answered', async (t) => {
  const port = await bindPeer(t, echo);
  const { code, stdout } = await runCli(t, ['connect', `udp://127.0.0.1:${port}`, '--', 'echo', 'answered']);
  t.deepEqual([code, stdout.toString()], [0, 'answered\n']);
});

testInNamespace()('a host that is not there is silent, and one without a route has failed', async (t) => {
  const { inside } = makeNamespace(t, silentAddress);
  const silent = await runCli(t, ['connect', '-zu', '-w', '300ms', '10.9.9.2', '53'], '', { inside });
  t.is(silent.code, 124);
  t.regex(silent.stderr, /open or filtered/);
  const unreachable = await runCli(t, ['connect', '-zuv', '192.0.2.1', '53'], '', { inside });
  t.is(unreachable.code, 1);
  t.regex(unreachable.stderr, /ENETUNREACH/);
});

testWith('ncat')('-z -u agrees with ncat on an open and on a closed port', async (t) => {
  const open = await bindPeer(t, echo);
  const closed = await closedPort();
  for (const port of [open, closed]) {
    const peer = spawn('ncat', ['-z', '-u', '-w', '1', '127.0.0.1', String(port)], { stdio: 'ignore' });
    const [theirs] = (await once(peer, 'exit')) as [number];
    const ours = await runCli(t, ['connect', '-zu', '127.0.0.1', String(port)]);
    t.is(ours.code, theirs, String(port));
  }
});

for (const [args, line] of [
  [
    ['dtls://127.0.0.1:1'],
    /DTLS is not supported; for TLS over TCP, use tls:\/\/HOST:PORT \(TNET_E_ADDRESS\)\n$/,
  ],
  [
    ['-u', '--tls', '127.0.0.1', '1'],
    /--tls does not go with this address: DTLS.* is not supported \(TNET_E_USAGE\)\n$/,
  ],
  [['-z', '-u', '--tls-insecure', '127.0.0.1', '1'], /DTLS, which is TLS for datagrams, is not supported/],
  [['-z', '-u', '--banner', '127.0.0.1', '1'], /--banner needs a connection, and UDP has none/],
  [['-z', '-u', '--wait', '1', '127.0.0.1', '1'], /--wait needs a connection, and UDP has none/],
  [['-z', '-u', 'tls://127.0.0.1:1'], /-u goes with HOST PORT, PORT or a path/],
] as const) {
  test.serial(`tnet connect ${args.join(' ')} is refused in one line`, async (t) => {
    const { code, stderr } = await runCli(t, ['connect', ...args]);
    t.is(code, 2);
    t.regex(stderr, line);
    t.regex(stderr, /^tnet [^\n]*\n$/);
  });
}
