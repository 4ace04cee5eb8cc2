import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { collect, payload, sameBytes } from '../../helpers/bytes.ts';
import { closedPort, runCli, startCli } from '../../helpers/cli.ts';
import { connectPeer, startPeerServer } from '../../helpers/peers.ts';
import { untilDead } from '../../helpers/processes.ts';
import { tempDir } from '../../helpers/temp.ts';

test.serial('connect carries every byte to a program and back, half-close by half-close', async (t) => {
  const sent = payload(3_000_000);
  const { code, stdout } = await runCli(t, ['connect', 'exec:cat'], sent);
  sameBytes(t, stdout, sent);
  t.is(code, 0);
});

test.serial('a program answers after the end of its input', async (t) => {
  const { code, stdout } = await runCli(t, ['connect', 'sh:wc -c; exit 5'], payload(100_000));
  t.is(stdout.toString().trim(), '100000');
  t.is(code, 5);
});

const statuses: [command: string, status: number][] = [
  ['exit 0', 0],
  ['exit 42', 42],
  ['kill -TERM $$', 143],
  ['exec >&-; cat >/dev/null; exit 6', 6],
];

for (const command of ['connect', 'listen'] as const) {
  for (const [line, status] of statuses) {
    test.serial(`${command} with a program that does '${line}' ends with status ${status}`, async (t) => {
      const { code, stderr } = await runCli(t, [command, '--json', `sh:${line}`]);
      t.is(code, status);
      const events = stderr
        .trim()
        .split('\n')
        .map((text) => JSON.parse(text) as Record<string, unknown>);
      t.is(events.find(({ event }) => event === 'program-ended')?.['status'], status);
    });
  }
}

test.serial('the status of a program that is the client of a proxy is the status of the proxy', async (t) => {
  const server = await startPeerServer(t, 'unix', (socket) => void socket.resume().end('answer\n'));
  const { code } = await runCli(t, ['proxy', 'sh:cat; exit 9', (server.target as { path: string }).path]);
  t.is(code, 9);
});

test.serial('a program that leaves input unread is an error with the number of bytes', async (t) => {
  const { code, stdout, stderr } = await runCli(t, ['connect', 'exec:head -c 3'], payload(2_000_000));
  t.is(stdout.length, 3);
  t.regex(
    stderr,
    /^tnet connect: exec:head -c '3': the peer did not take (?:all of )?the last \d+ bytes of the input \(TNET_E_UNSENT\)\n$/,
  );
  t.is(code, 1);
});

test.serial('a reader of stdout that is gone ends the program, and is no failure', async (t) => {
  const cli = startCli(t, ['connect', 'exec:yes']);
  await once(cli.stdout, 'readable');
  cli.stdout.destroy();
  t.deepEqual(await cli.exit, { code: 0, signal: null });
  t.is(cli.stderr(), '');
});

test.serial('input that stays open does not hold up connect when its program has exited', async (t) => {
  const cli = startCli(t, ['connect', 'exec:true']);
  t.is((await cli.exit).code, 0);
});

test.serial('SIGINT ends the program of connect with all it has started', async (t) => {
  const file = join(tempDir(t), 'pid');
  const cli = startCli(t, ['connect', `sh:sleep 97 & echo $! > ${file}; echo ready; wait`]);
  await once(cli.stdout, 'readable');
  cli.child.kill('SIGINT');
  t.is((await cli.exit).signal, 'SIGINT');
  await t.notThrowsAsync(untilDead(Number(readFileSync(file, 'latin1'))));
});

test.serial('--send-only lets a program read everything and end by itself', async (t) => {
  const file = join(tempDir(t), 'got');
  const sent = payload(500_000);
  const { code } = await runCli(t, ['connect', '--send-only', `sh:sleep 0.2; cat > ${file}; exit 3`], sent);
  sameBytes(t, readFileSync(file), sent);
  t.is(code, 3);
});

test.serial('listen gives its input to a program and prints what the program says', async (t) => {
  const { code, stdout } = await runCli(t, ['listen', 'exec:tr a-z A-Z'], 'hello\n');
  t.is(stdout.toString(), 'HELLO\n');
  t.is(code, 0);
});

test.serial('echo sends back to a program what it prints', async (t) => {
  const file = join(tempDir(t), 'got');
  const { code } = await runCli(t, ['echo', `sh:echo one; read line; echo "$line" > ${file}; exit 4`]);
  t.is(readFileSync(file, 'latin1'), 'one\n');
  t.is(code, 4);
});

test.serial('echo --ping checks a program that copies', async (t) => {
  const { code, stdout } = await runCli(t, ['echo', '--ping', '-c', '3', '--rate', 'none', 'exec:cat']);
  t.regex(stdout.toString(), /3 sent, 3 back/);
  t.is(code, 0);
});

test.serial('a target that is a program is run for each client, and told who that is', async (t) => {
  const line = 'sh:read word; echo "$word from $TNET_REMOTE_ADDR port $TNET_REMOTE_PORT by $TNET_PROTO"';
  const proxy = startCli(t, ['proxy', '127.0.0.1:0', line]);
  const address = await proxy.address();
  for (const word of ['first', 'second']) {
    const client = await connectPeer(t, address);
    const { localPort } = client;
    client.end(`${word}\n`);
    t.is((await collect(client)).toString(), `${word} from 127.0.0.1 port ${localPort!} by tcp\n`);
  }
});

test.serial('a client that breaks off ends the program that is its target', async (t) => {
  const proxy = startCli(t, ['proxy', '--json', '127.0.0.1:0', 'sh:echo ready; sleep 96']);
  const client = await connectPeer(t, (await proxy.said(/"listening".*"address":"([^"]+)"/))[1]!);
  await once(client, 'readable');
  client.resetAndDestroy();
  await proxy.said(/"program-ended".*"status":129/);
  t.pass();
});

test.serial('SIGTERM ends a proxy whose client is a program, with the program', async (t) => {
  const server = await startPeerServer(t, 'unix', (socket) => void socket.resume());
  const proxy = startCli(t, [
    'proxy',
    '-v',
    'sh:echo up; sleep 95',
    (server.target as { path: string }).path,
  ]);
  await proxy.said(/connected to/);
  proxy.child.kill('SIGTERM');
  t.is((await proxy.exit).signal, 'SIGTERM');
  t.regex(proxy.stderr(), /the program of connection 1 ended by SIGHUP/);
});

test.serial('-z checks that a program is there, without running it', async (t) => {
  const file = join(tempDir(t), 'made');
  const found = await runCli(t, ['connect', '-z', `exec:touch ${file}`]);
  t.is(found.code, 0);
  t.false(existsSync(file));
  const missing = await runCli(t, ['connect', '-zv', 'pty:no-such-program']);
  t.is(missing.code, 2);
  t.regex(missing.stderr, /there is no such program \(TNET_E_PROGRAM\)/);
});

for (const words of [['connect'], ['listen'], ['echo'], ['proxy', '127.0.0.1:0'], ['proxy', '-L']]) {
  test.serial(`${words.join(' ')} with a program that is not there is one line and status 2`, async (t) => {
    const pair = words.includes('-L') ? '127.0.0.1:0=exec:no-such-program' : 'exec:no-such-program x';
    const { code, stderr } = await runCli(t, [...words, pair]);
    t.is(code, 2);
    t.regex(stderr, /^tnet \w+: .*no-such-program.*: there is no such program \(TNET_E_PROGRAM\)\n$/);
  });
}

test.serial('a target that refuses is the status of a proxy whose client is stdin', async (t) => {
  const address = `127.0.0.1:${await closedPort()}`;
  const { code, stderr } = await runCli(t, ['proxy', '-', address], 'x');
  t.is(stderr, `tnet proxy: ${address}: connection refused (ECONNREFUSED)\n`);
  t.is(code, 1);
});

test.serial('proxy joins stdin and stdout to a server', async (t) => {
  const server = await startPeerServer(t, 'tcp');
  const address = server.words.join(':');
  const cli = startCli(t, ['proxy', '-', address]);
  const [up, down] = [payload(800_000), payload(900_000)];
  cli.stdin.end(up);
  const received = collect(cli.stdout);
  const peer = await server.accept();
  const sent = collect(peer);
  peer.end(down);
  sameBytes(t, await sent, up);
  sameBytes(t, await received, down);
  t.is((await cli.exit).code, 0);
});

test.serial('stdin and stdout are the target of one client, and refused to the next', async (t) => {
  const proxy = startCli(t, ['proxy', '127.0.0.1:0', '-']);
  const address = await proxy.address();
  const first = await connectPeer(t, address);
  const printed = collect(proxy.stdout);
  first.end('to stdout\n');
  proxy.stdin.end('from stdin\n');
  t.is((await collect(first)).toString(), 'from stdin\n');
  t.is((await printed).toString(), 'to stdout\n');
  (await connectPeer(t, address)).resume();
  await proxy.said(/-: standard input and output are for one connection, and another one has had them/);
  t.pass();
});

test.serial('echo - copies stdin to stdout', async (t) => {
  const sent = payload(200_000);
  const { code, stdout } = await runCli(t, ['echo', '-'], sent);
  sameBytes(t, stdout, sent);
  t.is(code, 0);
});

for (const words of [
  ['connect', '-'],
  ['connect', '-z', '-'],
  ['echo', '--ping', '-'],
]) {
  test.serial(`${words.join(' ')} is refused`, async (t) => {
    const { code, stderr } = await runCli(t, words);
    t.is(code, 2);
    t.regex(stderr, /-: standard input and output cannot be connected to \(TNET_E_UNSUPPORTED\)/);
  });
}

for (const target of ['exec:cat', 'pty:cat', 'file:/tmp/x', 'serial:/dev/null', '-']) {
  test.serial(`${target} behind an address that other machines reach needs --allow`, async (t) => {
    const { code, stderr } = await runCli(t, ['proxy', '0.0.0.0:0', target]);
    t.is(code, 2);
    t.regex(
      stderr,
      /behind an address that other machines reach needs --allow, or --insecure-exec if anyone may use it \(TNET_E_EXPOSED\)/,
    );
  });
}

for (const flags of [['--allow', '127.0.0.0/8'], ['--insecure-exec']]) {
  test.serial(`a program is served on every address with ${flags.join(' ')}`, async (t) => {
    const proxy = startCli(t, ['proxy', ...flags, '0.0.0.0:0', 'exec:cat']);
    const client = await connectPeer(t, await proxy.address());
    client.end('hello');
    t.is((await collect(client)).toString(), 'hello');
  });
}

test.serial('--insecure-exec without a program is refused', async (t) => {
  const { code, stderr } = await runCli(t, ['proxy', '--insecure-exec', '127.0.0.1:0', '127.0.0.1:1']);
  t.is(code, 2);
  t.regex(stderr, /--insecure-exec: makes sense only with a target that is a program, a file or a device/);
});

/** Reads all and then answers, or answers and then reads all: each side ends first once. */
const orders = {
  'the client ends first': (bytes: number) => `cat; head -c ${bytes} /dev/zero`,
  'the program ends first': (bytes: number) => `head -c ${bytes} /dev/zero; exec >&-; cat >/dev/null`,
};

test.serial('relays between clients and programs lose no byte, whichever side ends first', async (t) => {
  for (const [order, script] of Object.entries(orders)) {
    const bytes = 50_000;
    const proxy = startCli(t, ['proxy', '127.0.0.1:0', `sh:${script(bytes)}`]);
    const address = await proxy.address();
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 20_000 }), { maxLength: 5 }), async (chunks) => {
        const client = await connectPeer(t, address);
        const received = collect(client);
        const own = order === 'the program ends first' ? Buffer.alloc(0) : Buffer.concat(chunks);
        if (order === 'the program ends first') await once(client, 'end');
        for (const chunk of chunks) client.write(chunk);
        client.end();
        return (await received).equals(Buffer.concat([own, Buffer.alloc(bytes)]));
      }),
      { numRuns: 8 },
    );
    proxy.child.kill('SIGTERM');
    t.is((await proxy.exit).signal, 'SIGTERM', order);
  }
});
