import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { collect, payload, sameBytes } from '../../helpers/bytes.ts';
import { runCli, startCli, tnetPath } from '../../helpers/cli.ts';
import { readText } from '../../helpers/lines.ts';
import { connectPeer, serverWords, startPeerServer } from '../../helpers/peers.ts';
import { untilDead } from '../../helpers/processes.ts';
import { tempDir } from '../../helpers/temp.ts';

for (const family of ['tcp', 'unix'] as const) {
  test.serial(`listen -e carries every byte both ways, half-close by half-close, on ${family}`, async (t) => {
    const server = startCli(t, ['listen', '-e', 'cat', ...serverWords(t, family)]);
    const client = await connectPeer(t, await server.address());
    const sent = payload(3_000_000);
    const received = collect(client);
    client.end(sent);
    sameBytes(t, await received, sent);
    t.is((await server.exit).code, 0);
  });

  test.serial(`connect -c answers after the peer's end on ${family}`, async (t) => {
    const server = await startPeerServer(t, family);
    const cli = startCli(t, ['connect', '-c', 'wc -c; exit 5', ...server.words]);
    const peer = await server.accept();
    peer.end(payload(100_000));
    t.is((await collect(peer)).toString().trim(), '100000');
    t.is((await cli.exit).code, 5);
  });
}

test.serial('the program knows the connection by its environment', async (t) => {
  const server = startCli(t, [
    'listen',
    '-c',
    'env -u TNET_NATIVE -u TNET_EXPRESS | grep ^TNET_ | sort',
    '0',
    '--insecure-exec',
  ]);
  const port = await server.port();
  const client = await connectPeer(t, `127.0.0.1:${port}`);
  const local = client.localPort!;
  t.is(
    (await collect(client)).toString(),
    `TNET_CONNECTION_ID=1\nTNET_LOCAL_ADDR=127.0.0.1\nTNET_LOCAL_PORT=${port}\nTNET_PROTO=tcp\n` +
      `TNET_REMOTE_ADDR=127.0.0.1\nTNET_REMOTE_PORT=${local}\n`,
  );
});

test.serial('the program of a Unix socket gets its path', async (t) => {
  const words = serverWords(t, 'unix');
  const server = startCli(t, [
    'listen',
    '-c',
    'echo $TNET_PROTO $TNET_LOCAL_ADDR:$TNET_LOCAL_PORT',
    ...words,
  ]);
  const client = await connectPeer(t, await server.address());
  t.is((await collect(client)).toString(), `unix ${words[1]!}:\n`);
});

test.serial("the program's stderr is ours", async (t) => {
  const server = startCli(t, ['listen', '-c', 'echo to stderr >&2', '127.0.0.1:0']);
  const client = await connectPeer(t, await server.address());
  t.is((await collect(client)).length, 0);
  await server.said(/to stderr\n/);
});

const statuses: [command: string, status: number][] = [
  ['exit 0', 0],
  ['exit 42', 42],
  ['kill -TERM $$', 143],
  ['kill -KILL $$', 137],
];

for (const [command, status] of statuses) {
  test.serial(`a program that does '${command}' makes status ${status}`, async (t) => {
    const server = startCli(t, ['listen', '-c', command, '127.0.0.1:0']);
    (await connectPeer(t, await server.address())).end();
    t.is((await server.exit).code, status);
  });
}

test.serial('a program that ends while the peer goes on sending loses none of its output', async (t) => {
  const server = startCli(t, ['listen', '-c', 'head -c 400000 /dev/zero', '127.0.0.1:0']);
  const client = await connectPeer(t, await server.address());
  client.write(payload(5_000_000));
  t.is((await collect(client)).length, 400_000);
  client.end();
  t.is((await server.exit).code, 0);
});

test.serial('a peer that holds on after the program has gone does not hold the command', async (t) => {
  const server = startCli(t, ['listen', '-e', 'true', '127.0.0.1:0']);
  await connectPeer(t, await server.address());
  t.is((await server.exit).code, 0);
});

test.serial('a reset ends the program and all it has started', async (t) => {
  const file = join(tempDir(t), 'pid');
  const server = startCli(t, [
    'listen',
    '-c',
    `sleep 98 & echo $! > ${file}; echo ready; wait`,
    '127.0.0.1:0',
  ]);
  const client = await connectPeer(t, await server.address());
  await once(client, 'data');
  client.resetAndDestroy();
  t.is((await server.exit).code, 1);
  t.regex(server.stderr(), /connection reset by peer \(ECONNRESET\)/);
  await t.notThrowsAsync(untilDead(Number(readFileSync(file, 'latin1'))));
});

test.serial('a program that ignores its signals is killed after the grace', async (t) => {
  const server = startCli(t, [
    'listen',
    '-c',
    "trap '' HUP TERM; echo ready; while :; do sleep 1; done",
    '127.0.0.1:0',
  ]);
  const client = await connectPeer(t, await server.address());
  await once(client, 'data');
  client.resetAndDestroy();
  t.is((await server.exit).code, 1);
});

test.serial('a SIGTERM to tnet ends the program', async (t) => {
  const server = startCli(t, ['listen', '-k', '-v', '-c', 'echo ready; sleep 98', '127.0.0.1:0']);
  const client = await connectPeer(t, await server.address());
  await once(client, 'data');
  server.child.kill('SIGTERM');
  t.is((await server.exit).code, 143);
  t.regex(server.stderr(), /the program of connection 1 ended by SIG(HUP|TERM)\n/);
});

test.serial('-i ends a program that moves no byte', async (t) => {
  const server = startCli(t, ['listen', '-i', '200ms', '-c', 'sleep 98', '127.0.0.1:0']);
  await connectPeer(t, await server.address());
  t.is((await server.exit).code, 124);
});

test.serial('with -k every client has a program of its own, and the statuses are events', async (t) => {
  const server = startCli(t, [
    'listen',
    '-k',
    '--json',
    '-c',
    'read x; echo "$TNET_CONNECTION_ID $x"; exit 3',
    '127.0.0.1:0',
  ]);
  const [, port] = await server.said(/"address":"127\.0\.0\.1:(\d+)"/);
  const clients = [await connectPeer(t, `127.0.0.1:${port!}`), await connectPeer(t, `127.0.0.1:${port!}`)];
  const answers = clients.map((client) => collect(client));
  clients[1]!.end('b\n');
  t.is((await answers[1]!).toString(), '2 b\n');
  clients[0]!.end('a\n');
  t.is((await answers[0]!).toString(), '1 a\n');
  await server.said(/"event":"program-ended","id":1,"status":3/);
  await server.said(/"event":"program-ended","id":2,"status":3/);
  t.pass();
});

test.serial('-e runs no shell', async (t) => {
  const server = startCli(t, ['listen', '-e', 'printf "%s|" $HOME "a b" *', '127.0.0.1:0']);
  const client = await connectPeer(t, await server.address());
  t.is((await collect(client)).toString(), '$HOME|a b|*|');
});

test.serial('-u -e answers a datagram', async (t) => {
  const server = startCli(t, ['listen', '-u', '-i', '2s', '-c', 'read x; echo "got $x"', '127.0.0.1:0']);
  const port = String(await server.port());
  const { stdout } = await runCli(t, ['connect', '-u', '--wait-reply=1s', '127.0.0.1', port], 'hello\n');
  t.is(stdout.toString(), 'got hello\n');
});

for (const address of ['0', '0.0.0.0:0', '[::]:0', '192.0.2.1:0', 'example.org:0']) {
  test.serial(`-e on ${address} is refused without --allow or --insecure-exec`, async (t) => {
    const { code, stderr } = await runCli(t, ['listen', '-e', 'cat', address]);
    t.is(code, 2);
    t.regex(stderr, /needs --allow, or --insecure-exec if anyone may run it \(TNET_E_EXPOSED\)\n$/);
    t.notRegex(stderr, /listening/);
  });
}

for (const words of [
  ['127.0.0.1:0'],
  ['[::1]:0'],
  ['127.9.9.9:0'],
  ['--allow', '10.0.0.0/8', '0'],
  ['--insecure-exec', '0'],
]) {
  test.serial(`-e is served with ${words.join(' ')}`, async (t) => {
    await startCli(t, ['listen', '-e', 'cat', ...words]).address();
    t.pass();
  });
}

const linuxTest = process.platform === 'linux' ? test.serial : test.serial.skip;

/** Starts `tnet listen ARGS…` with a socket that listens as its descriptor 3. */
async function startWithSocket(t: ExecutionContext, options: net.ListenOptions, args: readonly string[]) {
  const other = net.createServer().listen(options);
  await once(other, 'listening');
  const { fd } = (other as unknown as { _handle: { fd: number } })._handle;
  const words = ['-c', 'LISTEN_PID=$$ exec "$@"', 'sh', process.execPath, tnetPath, 'listen', ...args];
  const child = spawn('sh', words, {
    stdio: ['ignore', 'pipe', 'pipe', fd],
    env: { ...process.env, LISTEN_FDS: '1' },
  });
  t.teardown(() => child.kill('SIGKILL'));
  const address = other.address();
  other.close();
  return { child, stderr: readText(child.stderr!), address };
}

for (const host of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1']) {
  for (const words of [['fd:3'], []]) {
    linuxTest(
      `-e is served on a passed socket of ${host}, named ${words[0] ?? 'by LISTEN_FDS'}`,
      async (t) => {
        const { stderr, address } = await startWithSocket(t, { host, port: 0 }, ['-e', 'cat', ...words]);
        await stderr.until(/listening on/);
        const { port } = address as net.AddressInfo;
        const client = net.connect(port, host);
        client.end('to and fro');
        t.is((await collect(client)).toString(), 'to and fro');
      },
    );
  }
}

for (const [host, isServed] of [
  ['127.0.0.1', true],
  ['0.0.0.0', false],
] as const) {
  linuxTest(
    `proxy --socks on a passed socket of ${host} is ${isServed ? 'served' : 'refused as exposed'}`,
    async (t) => {
      const other = net.createServer().listen(0, host);
      await once(other, 'listening');
      const { fd } = (other as unknown as { _handle: { fd: number } })._handle;
      const words = [tnetPath, 'proxy', '--socks', 'fd:3'];
      const child = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'pipe', fd] });
      t.teardown(() => child.kill('SIGKILL'));
      other.close();
      await readText(child.stderr!).until(isServed ? /listening on/ : /may be reached from other machines/);
      t.pass();
    },
  );
}

linuxTest('-e is served on a passed Unix socket', async (t) => {
  const { stderr } = await startWithSocket(t, { path: join(tempDir(t), 's') }, ['-e', 'cat', 'fd:3']);
  await stderr.until(/listening on/);
  t.pass();
});

for (const host of ['0.0.0.0', '::']) {
  linuxTest(`-e on a passed socket of ${host} is refused without --allow or --insecure-exec`, async (t) => {
    const { child, stderr } = await startWithSocket(t, { host, port: 0 }, ['-e', 'cat', 'fd:3']);
    const exit = once(child, 'exit');
    await stderr.until(/^tnet listen: .*needs --allow, or --insecure-exec .*\(TNET_E_EXPOSED\)\n$/);
    t.deepEqual(await exit, [2, null]);
  });
}

test.serial('a program that is not there is status 2 before anything is bound or called', async (t) => {
  const file = join(tempDir(t), 'data');
  writeFileSync(file, 'no program');
  for (const [name, reason] of [
    ['no-such-program', 'there is no such program'],
    [file, 'the program is not executable'],
  ]) {
    const { code, stderr } = await runCli(t, ['listen', '-e', name!, '127.0.0.1:0']);
    t.is(code, 2);
    t.is(stderr, `tnet listen: ${name!}: ${reason!} (TNET_E_PROGRAM)\n`);
  }
});

for (const words of [
  ['-e', 'cat', '-c', 'cat'],
  ['-e', 'cat', '--broadcast'],
  ['-e', 'cat', '--expect', 'x'],
  ['-e', 'cat', '--keep-sending'],
  ['-e', '"cat'],
]) {
  test.serial(`tnet listen ${words.join(' ')} is a usage error`, async (t) => {
    t.is((await runCli(t, ['listen', ...words, '127.0.0.1:0'])).code, 2);
  });
}

test.serial('the output of a program that goes on in the background reaches the peer', async (t) => {
  const server = startCli(t, ['listen', '-c', '(sleep 0.3; echo later) & echo now', '127.0.0.1:0']);
  const client = await connectPeer(t, await server.address());
  const reading = readText(client);
  await once(client, 'end');
  t.is(reading.text(), 'now\nlater\n');
});

for (const [words, stdin, answer] of [
  [['-C', '-c', 'echo abc'], '', 'abc\r\n'],
  [['--crlf', 'out', '-c', 'echo abc'], '', 'abc\r\n'],
  [['--crlf', 'both', '-c', 'tr a b'], 'a\r\n', 'b\r\n'],
  [['--delay', '1ms', '-c', 'echo a; echo b'], '', 'a\nb\n'],
  [['--send-only', '-c', 'cat; echo end'], 'dropped', 'end\n'],
  [['-d', '-c', 'cat'], 'never back', ''],
  [['-q', '200ms', '-c', 'echo a; exec >&-; sleep 60'], '', 'a\n'],
] as const) {
  test.serial(`tnet listen ${words.join(' ')} answers ${JSON.stringify(answer)}`, async (t) => {
    const server = startCli(t, ['listen', ...words, '127.0.0.1:0']);
    const client = await connectPeer(t, await server.address());
    client.end(stdin);
    t.is((await collect(client)).toString(), answer);
    await server.exit;
  });
}
