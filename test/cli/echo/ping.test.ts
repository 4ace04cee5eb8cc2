import dgram from 'node:dgram';
import { once } from 'node:events';
import test, { type ExecutionContext } from 'ava';
import { closedPort, runCli, startCli } from '../../helpers/cli.ts';
import { startPeerServer, serverWords } from '../../helpers/peers.ts';
import { startEcho, startProxy } from '../../helpers/proxy.ts';
import { startProgram, waitForPort } from '../../helpers/processes.ts';
import { testWith } from '../../helpers/programs.ts';

interface Result {
  readonly event: string;
  readonly [member: string]: unknown;
}

/** Runs a ping to its end, and reads its result. */
async function runPing(t: ExecutionContext, ...words: readonly string[]) {
  const { code, stdout, stderr } = await runCli(t, ['echo', '--ping', '--json', ...words]);
  const lines = stdout.toString().split('\n');
  t.is(lines.length, 2, stderr);
  return { code, stderr, result: JSON.parse(lines[0]!) as Result };
}

const clean = { lost: 0, pending: 0, wrong: 0, wrongBytes: 0, duplicates: 0, reordered: 0 };

/** A UDP server that is given each datagram and what sends an answer. */
async function startUdp(
  t: ExecutionContext,
  answer: (datagram: Buffer, send: (bytes: Buffer) => void) => void,
): Promise<string> {
  const socket = dgram.createSocket('udp4');
  t.teardown(() => socket.close());
  socket.on('message', (datagram, { port, address }) =>
    answer(datagram, (bytes) => socket.send(bytes, port, address)),
  );
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return `udp://127.0.0.1:${socket.address().port}`;
}

for (const [size, rate, count] of [
  ['8', 'none', '500'],
  ['64', '1000/s', '100'],
  ['100000', 'none', '50'],
  ['3M', 'none', '3'],
] as const) {
  for (const family of ['tcp', 'unix'] as const) {
    test.serial(
      `--ping of ${count} payloads of ${size} at ${rate} finds our echo right (${family})`,
      async (t) => {
        const server = startCli(t, ['echo', ...serverWords(t, family)]);
        const words = ['-c', count, '--size', size, '--rate', rate, await server.address()];
        const { code, result, stderr } = await runPing(t, ...words);
        t.is(code, 0, stderr);
        t.like(result, { ...clean, event: 'ping', sent: Number(count), received: Number(count) });
        t.is(result.receivedBytes, result.sentBytes);
        const { minMs, p50Ms, p90Ms, p99Ms, maxMs } = result as unknown as Record<string, number>;
        t.true(0 < minMs! && minMs! <= p50Ms! && p50Ms! <= p90Ms! && p90Ms! <= p99Ms! && p99Ms! <= maxMs!);
      },
    );
  }
}

// No more than a socket's buffer holds: a busy machine may let all of them wait, and what is more is lost.
for (const [size, rate, count] of [
  ['8', '200/s', 20],
  ['1400', '200/s', 20],
  ['65507', '10/s', 2],
] as const) {
  test.serial(`--ping -u with ${size} bytes at ${rate} finds our echo right`, async (t) => {
    const server = startCli(t, ['echo', '-u', '127.0.0.1:0']);
    const words = [
      '-u',
      '-c',
      String(count),
      '--size',
      size,
      '--rate',
      rate,
      '127.0.0.1',
      String(await server.port()),
    ];
    const { code, result, stderr } = await runPing(t, ...words);
    t.is(code, 0, stderr);
    t.like(result, { ...clean, sent: count, received: count });
  });
}

for (const family of ['-4', '-6']) {
  test.serial(`--ping -u ${family} of a lone port finds the echo that a lone port has opened`, async (t) => {
    const server = startCli(t, ['echo', '-u', family, '0']);
    const words = ['-u', family, '-c', '3', '--rate', '20/s', String(await server.port())];
    const { code, result, stderr } = await runPing(t, ...words);
    t.is(code, 0, stderr);
    t.like(result, { ...clean, sent: 3, received: 3 });
  });
}

test.serial(
  '--ping tls:// finds our TLS echo right, and refuses its certificate unless told otherwise',
  async (t) => {
    const server = startCli(t, ['echo', '--tls', '127.0.0.1:0']);
    const address = `tls://${await server.address()}`;
    const refused = await runCli(t, ['echo', '--ping', '-c', '1', address]);
    t.is(refused.code, 1);
    t.is(refused.stdout.length, 0);
    t.regex(refused.stderr, /self-signed/);
    const { code, result } = await runPing(t, '--tls-insecure', '-c', '20', '--rate', 'none', address);
    t.is(code, 0);
    t.like(result, { ...clean, sent: 20, received: 20 });
  },
);

test.serial('a byte that a proxy changed is found, told by its place, and status 1', async (t) => {
  const proxy = await startProxy(t, await startEcho(t), '--corrupt', '0.0005', '--seed', '7');
  const words = ['-c', '100', '--size', '1k', '--rate', 'none', proxy.address];
  const { code, result, stderr } = await runPing(t, ...words);
  t.is(code, 1);
  t.is(result.received, 100);
  t.true((result.wrong as number) > 0 && (result.wrongBytes as number) >= (result.wrong as number));
  t.regex(stderr, /wrong: the first is byte \d+ of payload \d+"/);
});

test.serial('a server that sends more than it was sent is wrong', async (t) => {
  const { words } = await startPeerServer(t, 'tcp', (socket) => {
    socket.on('data', (chunk) => void socket.write(Buffer.concat([chunk, Buffer.from('!')])));
    socket.on('end', () => socket.end());
  });
  const { code, result } = await runPing(t, '-c', '1', ...words);
  t.is(code, 1);
  t.like(result, { sent: 1, received: 1, wrong: 1, wrongBytes: 1 });
});

test.serial('a server that ends early leaves payloads missing, and status 1', async (t) => {
  const { words } = await startPeerServer(t, 'tcp', (socket) => {
    socket.once('data', (chunk) => socket.end((chunk as Buffer).subarray(0, 10)));
    socket.on('end', () => socket.end());
  });
  const { code, result, stderr } = await runPing(t, '-c', '3', ...words);
  t.is(code, 1);
  t.like(result, { received: 0, receivedBytes: 10, wrong: 0 });
  t.regex(stderr, /the peer ended the connection before everything had come back/);
});

test.serial('a server that answers nothing is status 1 once -q has passed', async (t) => {
  const { words } = await startPeerServer(t, 'tcp', (socket) => void socket.resume());
  const { code, result, stderr } = await runPing(t, '-c', '2', '--rate', 'none', '-q', '200ms', ...words);
  t.is(code, 1);
  t.like(result, { sent: 2, received: 0, lost: 2 });
  t.regex(stderr, /2 of 2 payloads did not come back/);
});

test.serial('-i ends a ping when nothing comes back, with status 124', async (t) => {
  const { words } = await startPeerServer(t, 'tcp', (socket) => void socket.resume());
  const { code, stderr } = await runPing(t, '-i', '300ms', ...words);
  t.is(code, 124);
  t.regex(stderr, /nothing came back for 300 ms/);
});

test.serial('--timeout ends a ping with its result and status 124', async (t) => {
  const { code, result } = await runPing(t, '--timeout', '2s', '--rate', '50/s', await startEcho(t));
  t.is(code, 124);
  t.true((result.received as number) > 0);
  t.is(result.lost, 0);
});

test.serial('nobody there is status 1 and a line, without a result', async (t) => {
  const port = await closedPort();
  const { code, stdout, stderr } = await runCli(t, ['echo', '--ping', `127.0.0.1:${port}`]);
  t.is(code, 1);
  t.is(stdout.length, 0);
  t.is(stderr, `tnet echo: 127.0.0.1:${port}: connection refused (ECONNREFUSED)\n`);
});

test.serial('Ctrl-C ends a ping with its result and status 130', async (t) => {
  const cli = startCli(t, ['echo', '--ping', '-v', '--rate', '50/s', await startEcho(t)]);
  await cli.said(/payload 3 is back in [\d.]+ ms\n/);
  cli.child.kill('SIGINT');
  let stdout = '';
  for await (const chunk of cli.stdout) stdout += String(chunk);
  t.is((await cli.exit).code, 130);
  t.regex(
    stdout,
    /^127\.0\.0\.1:\d+: \d+ sent, \d+ back, of 64 bytes each, in [\d.]+ s\n0 lost \(0 %\), 0 wrong/,
  );
  t.regex(
    stdout,
    /\nround trip: min [\d.]+, p50 [\d.]+, p90 [\d.]+, p99 [\d.]+, max [\d.]+ ms\nthroughput: /,
  );
});

test.serial('datagrams that are lost are counted, and status 1', async (t) => {
  let count = 0;
  const address = await startUdp(t, (datagram, send) => {
    if (++count % 5 > 0) send(datagram);
  });
  const { code, result, stderr } = await runPing(t, '-c', '20', '--rate', '500/s', '-q', '2s', address);
  t.is(code, 1);
  t.like(result, { ...clean, sent: 20, received: 16, lost: 4 });
  t.regex(stderr, /4 of 20 payloads did not come back/);
});

test.serial('datagrams that are doubled or out of order are counted, and no failure', async (t) => {
  let held: Buffer | undefined;
  const address = await startUdp(t, (datagram, send) => {
    if (!held) {
      held = datagram;
      return;
    }
    send(datagram);
    send(held);
    send(held);
    held = undefined;
  });
  const { code, result, stderr } = await runPing(t, '-c', '10', '--rate', '200/s', address);
  t.is(code, 0, stderr);
  t.like(result, { sent: 10, received: 10, lost: 0, wrong: 0, reordered: 5 });
  // The last one may come when the result stands already.
  t.true([4, 5].includes(result.duplicates as number));
});

test.serial('a datagram with a wrong byte is found, and status 1', async (t) => {
  const address = await startUdp(t, (datagram, send) => {
    if (datagram.readUInt32BE(4) === 2) datagram[20]! ^= 0x80;
    send(datagram);
  });
  const { code, result, stderr } = await runPing(t, '-c', '5', '--rate', '200/s', address);
  t.is(code, 1);
  t.like(result, { sent: 5, received: 5, wrong: 1, wrongBytes: 1 });
  t.regex(stderr, /1 byte that came back is wrong: the first is byte 20 of payload 2/);
});

testWith('socat')('--ping finds the echo of socat right, on TCP and UDP', async (t) => {
  const port = await closedPort();
  const child = startProgram(t, 'socat', [`TCP-LISTEN:${port},bind=127.0.0.1,reuseaddr,fork`, 'EXEC:cat']);
  await waitForPort(port, child);
  const stream = await runPing(t, '-c', '200', '--size', '1k', '--rate', 'none', `127.0.0.1:${port}`);
  t.is(stream.code, 0, stream.stderr);
  t.like(stream.result, { ...clean, sent: 200, received: 200 });
  const words = [`UDP-RECVFROM:${port},bind=127.0.0.1,fork`, 'EXEC:cat'];
  startProgram(t, 'socat', words);
  // A refusal is told once: until socat is there, another try is needed.
  for (;;) {
    const { code, stdout, stderr } = await runCli(t, [
      'echo',
      '--ping',
      '-u',
      '--json',
      '-c',
      '5',
      `127.0.0.1:${port}`,
      '--rate',
      '20/s',
    ]);
    if (stderr.includes('ECONNREFUSED')) continue;
    t.is(code, 0, stderr);
    // A process for each datagram: which of them answers first is the system's affair.
    t.like(JSON.parse(stdout.toString()) as Result, { sent: 5, received: 5, wrong: 0, duplicates: 0 });
    break;
  }
});

testWith('ncat')('--ping finds the echo of ncat right', async (t) => {
  const port = await closedPort();
  const child = startProgram(t, 'ncat', ['-l', '-k', '127.0.0.1', String(port), '-e', '/bin/cat']);
  await waitForPort(port, child);
  const { code, result, stderr } = await runPing(t, '-c', '100', '--rate', 'none', `127.0.0.1:${port}`);
  t.is(code, 0, stderr);
  t.like(result, { ...clean, sent: 100, received: 100 });
});

for (const [words, message] of [
  [[], /name an address to ping/],
  [['-U', '/tmp/x', '127.0.0.1', '7'], /name one address to ping/],
  [['--size', '7', '127.0.0.1:7'], /--size is from 8 to 16777216 bytes here/],
  [['-u', '--size', '65508', '127.0.0.1:7'], /--size is from 8 to 65507 bytes here/],
  [['-c', '0', '127.0.0.1:7'], /a whole number of at least 1/],
  [['-m', '3', '127.0.0.1:7'], /-m does not go with --ping: it is a server's, and --ping is a client/],
  [
    ['--service', 'time', '127.0.0.1:7'],
    /--service does not go with --ping: it is a server's, and --ping is a client/,
  ],
  [['-p', '7'], /-p does not go with --ping: it is a server's, and --ping is a client/],
  [
    ['-u', '--tls', '127.0.0.1:7'],
    /--tls does not go with this address: DTLS, which is TLS for datagrams, is not supported/,
  ],
  [
    ['--tls-insecure', 'udp://127.0.0.1:7'],
    /--tls does not go with this address: DTLS, which is TLS for datagrams, is not supported/,
  ],
  [['--accept-proxy', '127.0.0.1:7'], /--accept-proxy does not go with --ping: it is a server's/],
] as const) {
  test(`echo --ping ${words.join(' ')} is a usage error`, async (t) => {
    const { code, stderr } = await runCli(t, ['echo', '--ping', ...words]);
    t.is(code, 2);
    t.regex(stderr, message);
    t.is(stderr.split('\n').length, 2);
  });
}

for (const words of [['-c', '1'], ['--size', '64'], ['-q', '1s'], ['--tls-insecure']]) {
  test(`echo ${words.join(' ')} without --ping is a usage error`, async (t) => {
    const { code, stderr } = await runCli(t, ['echo', ...words, '8124']);
    t.is(code, 2);
    t.regex(stderr, new RegExp(`${words[0]} goes with --ping`));
  });
}
