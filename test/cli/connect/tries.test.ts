import { createServer } from 'node:net';
import test from 'ava';
import { closedPort, runCli, startCli } from '../../helpers/cli.ts';
import { startPeerServer } from '../../helpers/peers.ts';
import { makeNamespace, silentAddress, testInNamespace } from '../../helpers/netns.ts';

for (const flags of [['-c', '3'], ['--count', '3'], ['-c3']]) {
  test.serial(
    `-z ${flags.join(' ')} tries three times, with a line for each and the result on stdout`,
    async (t) => {
      const server = await startPeerServer(t, 'tcp', (socket) => socket.end());
      const address = server.words.join(':');
      const args = ['connect', '-z', ...flags, '--interval', '10ms', ...server.words];
      const { code, stdout, stderr } = await runCli(t, args);
      t.is(code, 0);
      const lines = stderr.trim().split('\n');
      t.is(lines.length, 3);
      for (const [at, line] of lines.entries())
        t.regex(line, new RegExp(`^tnet connect: ${address}: try ${at + 1} open in \\d+\\.\\d{3} ms$`));
      t.regex(
        stdout.toString(),
        new RegExp(
          `^${address}: 3 tried, 3 open, 0 failed \\(0 %\\), in \\d+\\.\\d{3} s\ntime: min [\\d.]+, avg [\\d.]+, p50 [\\d.]+, p90 [\\d.]+, p99 [\\d.]+, max [\\d.]+ ms\n$`,
        ),
      );
    },
  );
}

test.serial('a try that fails is counted, and the status is 1', async (t) => {
  const server = await startPeerServer(t, 'tcp', (socket) => socket.end());
  const closed = await closedPort();
  const ports = [server.words.join(':'), `127.0.0.1:${closed}`];
  const { code, stdout, stderr } = await runCli(t, [
    'connect',
    '-z',
    '-c',
    '2',
    '--interval',
    '10ms',
    ...ports,
  ]);
  t.is(code, 1);
  t.regex(stdout.toString(), new RegExp(`127.0.0.1:${closed}: 2 tried, 0 open, 2 failed \\(100 %\\)`));
  t.regex(stdout.toString(), new RegExp(`${ports[0]}: 2 tried, 2 open, 0 failed`));
  t.regex(
    stderr,
    new RegExp(`127.0.0.1:${closed}: try 2 failed after [\\d.]+ ms: connection refused \\(ECONNREFUSED\\)`),
  );
});

test.serial('-z -c --json has an event for each try on stderr, and the result on stdout', async (t) => {
  const server = await startPeerServer(t, 'tcp', (socket) => socket.end());
  const args = ['connect', '-z', '--json', '-c', '2', '--interval', '10ms', ...server.words];
  const { code, stdout, stderr } = await runCli(t, args);
  t.is(code, 0);
  const tries = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  t.deepEqual(
    tries.map(({ event, sequence, state }) => [event, sequence, state]),
    [
      ['try', 1, 'open'],
      ['try', 2, 'open'],
    ],
  );
  const result = JSON.parse(stdout.toString()) as Record<string, number | string>;
  t.deepEqual([result['event'], result['tried'], result['opened'], result['failed']], ['tries', 2, 2, 0]);
  t.true(result['minMs']! <= result['avgMs']! && result['avgMs']! <= result['maxMs']!);
});

test.serial(
  '--interval without a number of tries goes on until it is interrupted, and prints the result',
  async (t) => {
    const server = await startPeerServer(t, 'tcp', (socket) => socket.end());
    const cli = startCli(t, ['connect', '-z', '--interval', '20ms', ...server.words]);
    let stdout = '';
    cli.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    await cli.said(/try 3 open/);
    cli.child.kill('SIGINT');
    t.is((await cli.exit).code, 130);
    t.regex(stdout, /: \d+ tried, \d+ open, 0 failed/);
  },
);

test.serial('a server that comes and goes is seen in the tries', async (t) => {
  const port = await closedPort();
  const cli = startCli(t, ['connect', '-z', '-c', '1000', '--interval', '20ms', '127.0.0.1', String(port)]);
  cli.stdout.resume();
  await cli.said(/try 1 failed/);
  const server = createServer((socket) => socket.end()).listen(port, '127.0.0.1');
  await cli.said(/try \d+ open/);
  server.close();
  await cli.said(/ open in .*\n(?:.*\n)*.*failed after/);
  cli.child.kill('SIGTERM');
  t.is((await cli.exit).code, 143);
});

testInNamespace()('a try without an answer says so, and costs -w', async (t) => {
  const { inside } = makeNamespace(t, silentAddress);
  const args = ['connect', '-z', '-c', '2', '--interval', '10ms', '-w', '100ms', '10.9.9.2', '80'];
  const { code, stdout, stderr } = await runCli(t, args, '', { inside });
  t.is(code, 1);
  t.regex(
    stderr,
    /try 2 unanswered after [\d.]+ ms: no answer from 10\.9\.9\.2:80 within 100 ms \(TNET_E_TIMEOUT\)\n$/,
  );
  t.regex(stdout.toString(), /^10\.9\.9\.2:80: 2 tried, 0 open, 2 failed \(100 %\), in [\d.]+ s\n$/);
});

test.serial('echo --ping --interval sends at that pace', async (t) => {
  const server = await startPeerServer(t, 'tcp', (socket) => socket.pipe(socket));
  const { code, stdout } = await runCli(t, [
    'echo',
    '--ping',
    '-c',
    '5',
    '--interval',
    '10ms',
    ...server.words,
  ]);
  t.is(code, 0);
  t.regex(stdout.toString(), /5 sent, 5 back/);
});
