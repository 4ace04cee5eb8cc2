import { once } from 'node:events';
import { createServer } from 'node:net';
import test from 'ava';
import { collect } from '../../helpers/bytes.ts';
import { closedPort, runCli, startCli } from '../../helpers/cli.ts';
import { startPeerServer } from '../../helpers/peers.ts';

test.serial('--wait 10s on a closed port takes 10 s and ends with status 124', async (t) => {
  const port = await closedPort();
  const words = ['127.0.0.1', String(port)];
  const { code, stderr } = await runCli(t, ['connect', '--json', '--wait', '10s', ...words]);
  t.is(code, 124);
  const events = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { time: string; event: string; message: string });
  const [first] = events;
  const last = events.at(-1)!;
  t.is(last.message, 'no connection within 10 s: connection refused, ECONNREFUSED');
  // From the first failure on, so that the start of the program on a busy machine does not count.
  const tookMs = Date.parse(last.time) - Date.parse(first!.time);
  t.log(`${tookMs} ms`);
  // 10 s ± 0.3 on a machine that has a processor to spare; the upper limit is one for a busy machine.
  t.true(tookMs > 9_700 && tookMs < 13_000, `${tookMs} ms`);
});

test.serial('--wait connects once the server accepts, and the session follows', async (t) => {
  const port = await closedPort();
  const cli = startCli(t, ['connect', '-v', '--wait', '20s', '127.0.0.1', String(port)]);
  await cli.said(/retry 2 in/);
  const server = createServer((socket) => socket.end('up')).listen(port, '127.0.0.1');
  t.teardown(() => server.close());
  t.is((await collect(cli.stdout)).toString(), 'up');
  cli.stdin.end();
  t.is((await cli.exit).code, 0);
});

test.serial(
  '--retry says each try with -v, waits longer each time, and ends with the last error',
  async (t) => {
    const port = await closedPort();
    const args = ['connect', '-v', '--retry', '3', '--retry-delay', '100ms', '127.0.0.1', String(port)];
    const { code, stderr } = await runCli(t, args);
    t.is(code, 1);
    const address = `127.0.0.1:${port}`;
    const refused = `tnet connect: ${address}: connection refused (ECONNREFUSED)`;
    const lines = stderr.trim().split('\n');
    t.is(lines.length, 4);
    t.is(lines[3], refused);
    const delays = lines.slice(0, 3).map((line, index) => {
      const match = /^(.*); retry (\d) of 3 in (\d\.\d) s$/.exec(line)!;
      t.deepEqual([match[1], match[2]], [refused, String(index + 1)]);
      return Number(match[3]);
    });
    t.true(delays[0]! < delays[2]!);
  },
);

test.serial('--retry forever goes on until it is told to stop', async (t) => {
  const args = ['connect', '-v', '--retry', 'forever', '--retry-delay', '20ms'];
  const cli = startCli(t, [...args, '127.0.0.1', String(await closedPort())]);
  await cli.said(/retry 4 in/);
  cli.child.kill('SIGTERM');
  t.is((await cli.exit).code, 143);
});

test.serial('--retry does not repeat what cannot get better', async (t) => {
  const args = ['connect', '--retry', 'forever', '-s', '192.0.2.1', '127.0.0.1', String(await closedPort())];
  t.is((await runCli(t, args)).code, 2);
});

test.serial(
  '--stable tries again when the connection does not hold, and loses no byte of the one that does',
  async (t) => {
    let connections = 0;
    const server = await startPeerServer(t, 'tcp', (socket) => {
      if (++connections < 3) socket.end('not yet');
      else {
        socket.write('hel');
        setTimeout(() => socket.end('lo'), 600);
      }
    });
    const { code, stdout } = await runCli(t, [
      'connect',
      '--wait',
      '20s',
      '--stable',
      '300ms',
      ...server.words,
    ]);
    t.is(code, 0);
    t.is(connections, 3);
    t.is(stdout.toString(), 'hello');
  },
);

test.serial('--stable without --wait ends with status 1 and says so', async (t) => {
  const server = await startPeerServer(t, 'tcp', (socket) => socket.end());
  const { code, stderr } = await runCli(t, ['connect', '--stable', '200ms', ...server.words]);
  t.is(code, 1);
  t.regex(stderr, /the connection was ended by the peer within 200 ms \(TNET_E_UNSTABLE\)\n$/);
});

test.serial('-- COMMAND is run once all addresses are there, and its exit status is ours', async (t) => {
  const first = await startPeerServer(t, 'tcp', (socket) => socket.end());
  const port = await closedPort();
  const shell = ['--', 'sh', '-c', 'cat; echo "$0 $1"; exit 7', 'one', '-v'];
  const cli = startCli(t, [
    'connect',
    '--wait',
    '20s',
    first.words.join(':'),
    '127.0.0.1',
    String(port),
    ...shell,
  ]);
  cli.stdin.end('for the command\n');
  const second = createServer((socket) => socket.end());
  t.teardown(() => second.close());
  await once(first.server, 'connection');
  second.listen(port, '127.0.0.1');
  t.is((await collect(cli.stdout)).toString(), 'for the command\none -v\n');
  t.is((await cli.exit).code, 7);
});

test.serial('-- COMMAND is not run when an address is not there', async (t) => {
  const port = await closedPort();
  const { code, stdout, stderr } = await runCli(t, [
    'connect',
    '127.0.0.1',
    String(port),
    '--',
    'echo',
    'ran',
  ]);
  t.is(code, 1);
  t.is(stdout.length, 0);
  t.is(stderr, `tnet connect: 127.0.0.1:${port}: connection refused (ECONNREFUSED)\n`);
});

test.serial('a signal is handed on to the command, and its death by the signal is ours too', async (t) => {
  const server = await startPeerServer(t, 'tcp', (socket) => socket.end());
  const cli = startCli(t, ['connect', ...server.words, '--', 'sh', '-c', 'echo $$; exec sleep 60']);
  await once(cli.stdout, 'data');
  cli.child.kill('SIGTERM');
  t.deepEqual(await cli.exit, { code: 143, signal: 'SIGTERM' });
});

for (const [what, command, status, message] of [
  ['is not there', '/no/such/command', 127, 'no such file or directory (ENOENT)'],
  ['is nowhere in PATH', 'no-such-command', 127, 'no such file or directory (ENOENT)'],
  ['may not be run', '/etc/passwd', 126, 'permission denied (EACCES)'],
  ['is a folder', '/etc', 126, 'permission denied (EACCES)'],
] as const) {
  test.serial(`a command that ${what} is said, with a shell's status ${status}`, async (t) => {
    const server = await startPeerServer(t, 'tcp', (socket) => socket.end());
    const { code, stderr } = await runCli(t, ['connect', ...server.words, '--', command]);
    t.is(code, status);
    t.is(stderr, `tnet connect: ${command}: ${message}\n`);
  });
}

test.serial('--timeout ends the whole run with status 124, with what came before delivered', async (t) => {
  const server = await startPeerServer(t, 'tcp', (socket) => socket.write('early').valueOf());
  const cli = startCli(t, ['connect', '--timeout', '2s', ...server.words]);
  t.is((await collect(cli.stdout)).toString(), 'early');
  t.is((await cli.exit).code, 124);
  t.is(cli.stderr(), 'tnet connect: --timeout: the run reached its limit of 2 s (TNET_E_TIMEOUT)\n');
});

test.serial('--timeout ends the connecting too', async (t) => {
  const args = [
    'connect',
    '--timeout',
    '300ms',
    '--retry',
    'forever',
    '127.0.0.1',
    String(await closedPort()),
  ];
  t.is((await runCli(t, args)).code, 124);
});
