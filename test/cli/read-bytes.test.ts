import test from 'ava';
import { collect, payload, sameBytes } from '../helpers/bytes.ts';
import { runCli, startCli } from '../helpers/cli.ts';
import { connectPeer, serverWords, startPeerServer } from '../helpers/peers.ts';

for (const family of ['tcp', 'unix'] as const) {
  for (const [word, bytes] of [
    ['1', 1],
    ['70000', 70_000],
    ['64k', 65_536],
  ] as const) {
    test.serial(
      `connect --read-bytes ${word} on ${family} writes so many bytes and no more, though the peer goes on`,
      async (t) => {
        const sent = payload(300_000);
        // It never ends, and neither does stdin.
        const server = await startPeerServer(t, family, (socket) => {
          socket.write(sent);
          socket.resume();
        });
        const cli = startCli(t, ['connect', '--read-bytes', word, ...server.words]);
        const [stdout, exit] = await Promise.all([collect(cli.stdout), cli.exit]);
        t.is(exit.code, 0, cli.stderr());
        t.is(cli.stderr(), '');
        sameBytes(t, stdout, sent.subarray(0, bytes));
      },
    );
  }

  test.serial(
    `connect --read-bytes on ${family} sends its whole input before the bytes that it waits for`,
    async (t) => {
      const sent = payload(200_000);
      const server = await startPeerServer(t, family, (socket) => {
        void collect(socket).then((bytes) => socket.write(bytes));
      });
      const run = await runCli(t, ['connect', '--read-bytes', '200000', ...server.words], sent);
      t.is(run.code, 0, run.stderr);
      sameBytes(t, run.stdout, sent);
    },
  );

  test.serial(`listen --read-bytes on ${family} ends with its client's first bytes`, async (t) => {
    const server = startCli(t, ['listen', '--read-bytes', '5', ...serverWords(t, family)]);
    const client = await connectPeer(t, await server.address());
    client.on('error', () => undefined).write('hello and more');
    const [stdout, exit] = await Promise.all([collect(server.stdout), server.exit]);
    t.is(exit.code, 0, server.stderr());
    t.is(stdout.toString(), 'hello');
  });
}

test.serial(
  'fewer bytes than --read-bytes before the end are written, and status 1 with their number',
  async (t) => {
    const server = await startPeerServer(t, 'tcp', (socket) => socket.end('abc'));
    const run = await runCli(t, ['connect', '--read-bytes', '10', ...server.words]);
    t.is(run.code, 1);
    t.is(run.stdout.toString(), 'abc');
    t.regex(
      run.stderr,
      /^tnet connect: 127\.0\.0\.1:\d+: the peer ended after 3 of the 10 bytes of --read-bytes \(TNET_E_TRUNCATED\)\n$/,
    );
  },
);

test.serial('fewer bytes than listen --read-bytes are status 1 with their number', async (t) => {
  const server = startCli(t, ['listen', '-d', '--read-bytes', '10', '127.0.0.1:0']);
  const client = await connectPeer(t, await server.address());
  client.end('abcd');
  const [stdout, exit] = await Promise.all([collect(server.stdout), server.exit]);
  t.is(exit.code, 1);
  t.is(stdout.toString(), 'abcd');
  t.regex(server.stderr(), /the peer ended after 4 of the 10 bytes of --read-bytes \(TNET_E_TRUNCATED\)\n$/);
});

test.serial('exactly the bytes of --read-bytes and then the end are status 0', async (t) => {
  const server = await startPeerServer(t, 'tcp', (socket) => socket.end('0123456789'));
  const run = await runCli(t, ['connect', '-d', '--read-bytes', '10', ...server.words]);
  t.is(run.code, 0, run.stderr);
  t.is(run.stdout.toString(), '0123456789');
});

test.serial('a reset before the bytes of --read-bytes is told as that, in one line', async (t) => {
  const server = await startPeerServer(t, 'tcp', (socket) => {
    socket.write('abc', () => socket.resetAndDestroy());
  });
  const run = await runCli(t, ['connect', '-d', '--read-bytes', '10', ...server.words]);
  t.is(run.code, 1);
  t.is(run.stdout.toString(), 'abc');
  t.regex(run.stderr, /^[^\n]*ECONNRESET\)\n$/);
});

test.serial('a time limit before the bytes of --read-bytes is status 124', async (t) => {
  const server = await startPeerServer(t, 'tcp', (socket) => {
    socket.write('abc');
    socket.resume();
  });
  const run = await runCli(t, ['connect', '-d', '--idle', '500ms', '--read-bytes', '10', ...server.words]);
  t.is(run.code, 124);
  t.is(run.stderr.split('\n').length, 2);
});

test.serial('--read-bytes counts what is written, after --crlf', async (t) => {
  const server = await startPeerServer(t, 'tcp', (socket) => socket.end('ab\r\ncdef'));
  const run = await runCli(t, ['connect', '--crlf', 'in', '--read-bytes', '4', ...server.words]);
  t.is(run.code, 0, run.stderr);
  t.is(run.stdout.toString(), 'ab\nc');
});

for (const flags of [['--send-only'], ['-e', 'cat'], ['-z']]) {
  test.serial(`--read-bytes does not go with ${flags[0]!}`, async (t) => {
    const run = await runCli(t, ['connect', ...flags, '--read-bytes', '4', '127.0.0.1', '9']);
    t.is(run.code, 2);
    t.regex(run.stderr, /--read-bytes does not go with/);
  });
}

test.serial('--read-bytes of nothing, or of no size, is status 2', async (t) => {
  for (const word of ['0', 'x', '-1'])
    t.is((await runCli(t, ['connect', `--read-bytes=${word}`, '127.0.0.1', '9'])).code, 2, word);
});
