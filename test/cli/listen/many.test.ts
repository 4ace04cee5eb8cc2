import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { collect, payload, sameBytes } from '../../helpers/bytes.ts';
import { runCli, startCli } from '../../helpers/cli.ts';
import { readText } from '../../helpers/lines.ts';
import { connectPeer, serverWords } from '../../helpers/peers.ts';
import { tempDir } from '../../helpers/temp.ts';
import { engines } from '../../helpers/ways.ts';

for (const family of ['tcp', 'unix'] as const) {
  test.serial(`--broadcast sends stdin to every client and stdin's end too on ${family}`, async (t) => {
    const server = startCli(t, ['listen', '--broadcast', '-v', ...serverWords(t, family)]);
    const address = await server.address();
    const clients = await Promise.all([1, 2, 3].map(() => connectPeer(t, address)));
    await server.said(/(connection from[^]*){3}/);
    const received = clients.map((client) => collect(client));
    const sent = payload(500_000);
    server.stdin.end(sent);
    for (const bytes of await Promise.all(received)) sameBytes(t, bytes, sent);
  });
}

test.serial('with --broadcast nothing of stdin is lost before the first client comes', async (t) => {
  const server = startCli(t, ['listen', '--broadcast', '127.0.0.1:0']);
  const sent = payload(100_000);
  server.stdin.end(sent);
  sameBytes(t, await collect(await connectPeer(t, await server.address())), sent);
});

test.serial('with --broadcast stdout has the bytes of all clients', async (t) => {
  const server = startCli(t, ['listen', '--broadcast', '127.0.0.1:0']);
  const stdout = readText(server.stdout);
  const address = await server.address();
  for (const text of ['one', 'two']) (await connectPeer(t, address)).end(text);
  await stdout.until(/one[^]*two|two[^]*one/);
  t.is(stdout.text().length, 6);
});

test.serial('one client killed and one stopped do not delay the third, and memory is bounded', async (t) => {
  const server = startCli(t, ['listen', '--broadcast', '-v', '127.0.0.1:0']);
  const port = await server.port();
  const nc = () => {
    const child = spawn('nc.openbsd', ['-d', '127.0.0.1', String(port)], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    t.teardown(() => child.kill('SIGKILL'));
    return child;
  };
  const [killed, stopped, live] = [nc(), nc(), nc()];
  await server.said(/(connection from[^]*){3}/);
  killed.stdout.resume();
  stopped.stdout.resume();
  const lines = readText(live.stdout);
  server.stdin.write('line 0\n');
  await lines.until(/line 0\n/);
  killed.kill('SIGKILL');
  stopped.kill('SIGSTOP');
  for (let number = 1; number <= 20; number++) {
    server.stdin.write(`line ${number}\n`);
    await lines.until(new RegExp(`line ${number}\n`));
  }
  const total = 96 * 1024 * 1024;
  let received = 0;
  live.stdout.removeAllListeners('data').on('data', (chunk: Buffer) => (received += chunk.length));
  const block = Buffer.alloc(1024 * 1024, 'x');
  for (let sent = 0; sent < total; sent += block.length) {
    if (!server.stdin.write(block)) await once(server.stdin, 'drain');
  }
  await server.said(/dropped: more than 8388608 bytes were waiting for it \(TNET_E_OVERRUN\)/);
  while (received < total) await once(live.stdout, 'data');
  t.is(received, total);
  const peakKib = Number(
    /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${server.child.pid!}/status`, 'latin1'))?.[1],
  );
  t.log(`peak memory ${peakKib} KiB`);
  t.true(peakKib < 160 * 1024, `${peakKib} KiB`);
});

test.serial('--broker gives the bytes of each client to all the others, and to nobody else', async (t) => {
  const server = startCli(t, ['listen', '--broker', '-v', '127.0.0.1:0']);
  const address = await server.address();
  const clients = await Promise.all([1, 2, 3].map(() => connectPeer(t, address)));
  await server.said(/(connection from[^]*){3}/);
  const [first, second, third] = clients.map((client) => readText(client));
  clients[0]!.write('from one;');
  await Promise.all([second!.until(/from one;/), third!.until(/from one;/)]);
  clients[1]!.write('from two;');
  await Promise.all([first!.until(/from two;/), third!.until(/from two;/)]);
  server.stdin.write('from stdin;');
  await Promise.all([first, second, third].map((reading) => reading!.until(/from stdin;/)));
  t.is(first!.text(), 'from two;from stdin;');
  t.is(second!.text(), 'from one;from stdin;');
  t.is(third!.text(), 'from one;from two;from stdin;');
  t.is(server.stdout.read(), null);
});

test.serial('--broker carries every byte value unchanged', async (t) => {
  const server = startCli(t, ['listen', '--broker', '-v', '127.0.0.1:0']);
  const address = await server.address();
  const [from, to] = [await connectPeer(t, address), await connectPeer(t, address)];
  await server.said(/(connection from[^]*){2}/);
  const sent = payload(2_000_000);
  const chunks: Buffer[] = [];
  to.on('data', (chunk: Buffer) => chunks.push(chunk));
  from.write(sent);
  while (chunks.reduce((sum, { length }) => sum + length, 0) < sent.length) await once(to, 'data');
  sameBytes(t, Buffer.concat(chunks), sent);
});

test.serial('--chat labels whole lines, escapes control bytes, and says who comes and goes', async (t) => {
  const server = startCli(t, ['listen', '--chat', '-v', '127.0.0.1:0']);
  const address = await server.address();
  const first = await connectPeer(t, address);
  const firstReading = readText(first);
  await firstReading.until(/^<announce> you are user 1; here: nobody else\n/);
  const second = await connectPeer(t, address);
  const secondReading = readText(second);
  await secondReading.until(/<announce> you are user 2; here: user 1 from 127\.0\.0\.1:\d+\n/);
  await firstReading.until(/<announce> user 2 joined from 127\.0\.0\.1:\d+\n/);
  second.write('hel');
  second.write('lo \x1b[2J\r\n<user 1> forged\n');
  await firstReading.until(/<user 2> hello \\x1b\[2J\n<user 2> <user 1> forged\n/);
  server.stdin.write('stdin says\n');
  await firstReading.until(/<user 0> stdin says\n/);
  await secondReading.until(/<user 0> stdin says\n/);
  second.end('no newline');
  await firstReading.until(/<user 2> no newline\n<announce> user 2 left\n/);
  t.notRegex(secondReading.text(), /hello/);
});

test.serial('--chat shows the host what guests write, and not what the host has typed', async (t) => {
  const server = startCli(t, ['listen', '--chat', '127.0.0.1:0']);
  const stdout = readText(server.stdout);
  const guest = await connectPeer(t, await server.address());
  await stdout.until(/^<announce> user 1 joined from 127\.0\.0\.1:\d+\n/);
  const heard = readText(guest);
  server.stdin.write('from the host\n');
  await heard.until(/<user 0> from the host\n/);
  guest.end('from a guest \x1b[2J\n');
  await stdout.until(/<user 1> from a guest \\x1b\[2J\n<announce> user 1 left\n/);
  t.notRegex(stdout.text(), /from the host/);
});

test.serial('a --chat whose standard output nobody reads any more ends quietly', async (t) => {
  const server = startCli(t, ['listen', '--chat', '127.0.0.1:0']);
  const address = await server.address();
  server.stdout.destroy();
  const guest = await connectPeer(t, address);
  guest.on('error', () => undefined);
  guest.write('hello\n');
  guest.end();
  t.is((await server.exit).code, 0);
  t.notRegex(server.stderr(), /EPIPE/);
});

test.serial('--label marks each line on stdout with its client and never mixes lines', async (t) => {
  const server = startCli(t, ['listen', '-k', '--label', '-v', '127.0.0.1:0']);
  const stdout = readText(server.stdout);
  const address = await server.address();
  const first = await connectPeer(t, address);
  await server.said(/connection from/);
  const second = await connectPeer(t, address);
  await server.said(/(connection from[^]*){2}/);
  const [firstPort, secondPort] = [first.localPort!, second.localPort!];
  first.write('half ');
  second.write('whole\n');
  await stdout.until(/\n/);
  first.write('and half\n');
  await stdout.until(/\n.*\n/);
  second.end('last');
  await stdout.until(/last\n/);
  t.is(
    stdout.text(),
    `[2 127.0.0.1:${secondPort}] whole\n` +
      `[1 127.0.0.1:${firstPort}] half and half\n` +
      `[2 127.0.0.1:${secondPort}] last\n`,
  );
});

test.serial('--output-dir gives every client a file of its own and overwrites none', async (t) => {
  const dir = join(tempDir(t), 'new');
  mkdirSync(dir);
  const server = startCli(t, ['listen', '-k', '-d', '-v', '--output-dir', dir, '127.0.0.1:0']);
  const address = await server.address();
  const first = await connectPeer(t, address);
  await server.said(/connection from/);
  const second = await connectPeer(t, address);
  await server.said(/(connection from[^]*){2}/);
  const [one, two] = [payload(200_000), payload(10)];
  const names = [`1-127.0.0.1-${first.localPort!}`, `2-127.0.0.1-${second.localPort!}`];
  first.end(one);
  second.end(two);
  await server.said(/200000 bytes in/);
  await server.said(/: eof, 10 bytes in/);
  t.deepEqual(readdirSync(dir).sort(), names);
  sameBytes(t, readFileSync(join(dir, names[0]!)), one);
  sameBytes(t, readFileSync(join(dir, names[1]!)), two);
});

test.serial('--output-dir leaves a file that is there as it is', async (t) => {
  const dir = tempDir(t);
  writeFileSync(join(dir, '1'), 'kept');
  const server = startCli(t, ['listen', '-k', '-d', '-v', '--output-dir', dir, ...serverWords(t, 'unix')]);
  (await connectPeer(t, await server.address())).end('new');
  await server.said(/eof, 3 bytes in/);
  t.is(readFileSync(join(dir, '1'), 'latin1'), 'kept');
  t.is(readFileSync(join(dir, '1.2'), 'latin1'), 'new');
});

test.serial('a client whose file cannot be created is broken off, and it is said', async (t) => {
  const dir = tempDir(t);
  const server = startCli(t, ['listen', '-k', '-d', '--output-dir', dir, '127.0.0.1:0']);
  const port = await server.port();
  rmSync(dir, { recursive: true });
  t.is(await codeOfEnd(net.connect(port, '127.0.0.1')), 'ECONNRESET');
  await server.said(/1-127\.0\.0\.1-\d+: no such file or directory \(ENOENT\)/);
});

test.serial('a client whose file is on a full disk is broken off, and the others go on', async (t) => {
  const dir = tempDir(t);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tnet', dir]);
  if (mounted.status !== 0) {
    t.log('skipped: a small file system cannot be mounted here');
    t.pass();
    return;
  }
  t.teardown(() => spawnSync('umount', ['-l', dir]));
  const server = startCli(t, ['listen', '-k', '-d', '-v', '--output-dir', dir, '127.0.0.1:0']);
  const address = await server.address();
  const large = await connectPeer(t, address);
  large.write(payload(200_000));
  t.is(await codeOfEnd(large), 'ECONNRESET');
  await server.said(/1-127\.0\.0\.1-\d+: no space left on device \(ENOSPC\)/);
  // Emptied and not removed: its space is to be free at once, and the server may still be closing it.
  truncateSync(join(dir, `1-127.0.0.1-${server.stderr().match(/1-127\.0\.0\.1-(\d+)/)![1]!}`));
  (await connectPeer(t, address)).end('small');
  await server.said(/eof, 5 bytes in/);
});

/** The code of the error that a socket ends with; undefined for a clean end. */
function codeOfEnd(socket: net.Socket): Promise<string | undefined> {
  return new Promise((resolve) => {
    let code: string | undefined;
    socket.on('error', (error: NodeJS.ErrnoException) => (code = error.code));
    socket.on('close', () => resolve(code));
    socket.resume();
  });
}

test.serial('--output-dir that cannot be written to is status 2 before anything is bound', async (t) => {
  const file = join(tempDir(t), 'file');
  writeFileSync(file, '');
  const { code, stderr } = await runCli(t, ['listen', '-k', '--output-dir', file, '127.0.0.1:0']);
  t.is(code, 2);
  t.regex(stderr, /^tnet listen: .*file: no files can be created there \(EEXIST\) \(TNET_E_USAGE\)\n$/);
});

test.serial('-m with --reject resets the client over the limit and says so', async (t) => {
  const server = startCli(t, ['listen', '-k', '-d', '-m', '1', '--reject', '127.0.0.1:0']);
  const address = await server.address();
  const first = await connectPeer(t, address);
  const second = await connectPeer(t, address);
  const [error] = (await once(second, 'error')) as [{ code: string }];
  t.is(error.code, 'ECONNRESET');
  await server.said(/refused 127\.0\.0\.1:\d+: too many connections\n/);
  first.end('still served');
  t.is((await readText(server.stdout).until(/still served/))[0], 'still served');
});

for (const { engine, env } of engines) {
  for (const flags of [['-k'], ['--broadcast'], ['--broker']]) {
    test.serial(
      `the place of a client that has ended is given to the next at once, with a quiet stdin (${flags.join(' ')}, ${engine})`,
      async (t) => {
        const server = startCli(t, ['listen', ...flags, '-m', '1', '127.0.0.1:0'], { env });
        const address = await server.address();
        const first = await connectPeer(t, address);
        first.resume().end('first');
        const second = await connectPeer(t, address);
        const heard = readText(second);
        // Waits in the backlog until the first has ended, and would be refused with --reject.
        second.end('second');
        if (flags[0] !== '--broker') await readText(server.stdout).until(/first[^]*second/);
        else await once(second, 'end');
        t.is(heard.text(), '');
      },
    );
  }
}

for (const { engine, env } of engines) {
  for (const flags of [['-k'], ['--broadcast'], ['--broker']]) {
    test.serial(
      `with --reject the place of a client that has ended is the next one's, with a quiet stdin (${flags.join(' ')}, ${engine})`,
      async (t) => {
        const args = ['listen', ...flags, '-m', '1', '--reject', '--json', '127.0.0.1:0'];
        const server = startCli(t, args, { env });
        const [, address = ''] = await server.said(/"address":"([^"]+)"/);
        const stdout = readText(server.stdout);
        const first = await connectPeer(t, address);
        const refused = await connectPeer(t, address);
        await new Promise((resolve) => refused.resume().once('close', resolve));
        first.resume().end('first');
        if (flags[0] === '--broker') await once(first, 'end');
        else await server.said(/"event":"sending-on"/);
        const second = await connectPeer(t, address);
        second.resume().end('second');
        if (flags[0] === '--broker') await once(second, 'end');
        else await stdout.until(/first[^]*second/);
        t.is(server.stderr().match(/"event":"accepted"/g)?.length, 2);
      },
    );
  }
}

test.serial(
  'a client of --broadcast that half-closed gets what comes, beside the one that has its place',
  async (t) => {
    const server = startCli(t, ['listen', '--broadcast', '-m', '1', '127.0.0.1:0']);
    const address = await server.address();
    const stdout = readText(server.stdout);
    const first = await connectPeer(t, address);
    first.end('first');
    const second = await connectPeer(t, address);
    second.write('second');
    await stdout.until(/first[^]*second/);
    const texts = [first, second].map((client) => readText(client));
    server.stdin.end('for both');
    await Promise.all(texts.map((text) => text.until(/^for both$/)));
    t.pass();
  },
);

test.serial('a client of --chat that ends leaves at once, while the others talk', async (t) => {
  const server = startCli(t, ['listen', '--chat', '-v', '127.0.0.1:0']);
  const address = await server.address();
  const first = await connectPeer(t, address);
  const heard = readText(first);
  await heard.until(/you are user 1/);
  const second = await connectPeer(t, address);
  await heard.until(/user 2 joined/);
  const talk = setInterval(() => first.write('talk\n'), 20);
  t.teardown(() => clearInterval(talk));
  const ended = collect(second);
  second.end('bye\n');
  await heard.until(/<user 2> bye\n[^]*<announce> user 2 left\n/);
  t.regex((await ended).toString('latin1'), /^<announce> you are user 2/);
});

test.serial('a SIGTERM ends a broadcast that is waiting on stdin', async (t) => {
  const server = startCli(t, ['listen', '--broadcast', '127.0.0.1:0']);
  const client = await connectPeer(t, await server.address());
  server.stdin.write('x');
  await once(client, 'data');
  server.child.kill('SIGTERM');
  t.is((await server.exit).code, 143);
});

const usage: [words: string[], message: RegExp][] = [
  [['--label', '0'], /--label goes with -k/],
  [['--output-dir', '/tmp', '0'], /--output-dir goes with -k/],
  [['-k', '--reject', '0'], /--reject goes with -m/],
  [['--chat', '--broker', '0'], /--(chat|broker)' cannot be used with/],
  [['--broadcast', '-d', '0'], /cannot be used with/],
  [['--chat', '--label', '0'], /cannot be used with/],
];

for (const [words, message] of usage) {
  test.serial(`tnet listen ${words.join(' ')} is a usage error`, async (t) => {
    const { code, stderr } = await runCli(t, ['listen', ...words]);
    t.is(code, 2);
    t.regex(stderr, message);
  });
}

/** What a client that only looks whether somebody listens does. */
const probes = {
  'connect -z': async (t: ExecutionContext, address: string) => {
    t.is((await runCli(t, ['connect', '-z', address])).code, 0);
  },
  'a close at once': async (_t: ExecutionContext, address: string) => {
    const [host, port] = address.split(':');
    const socket = net.connect(Number(port), host).on('error', () => undefined);
    await once(socket, 'connect');
    socket.destroy();
    await once(socket, 'close');
  },
  'a reset at once': async (_t: ExecutionContext, address: string) => {
    const [host, port] = address.split(':');
    const socket = net.connect(Number(port), host).on('error', () => undefined);
    await once(socket, 'connect');
    socket.resetAndDestroy();
    await once(socket, 'close');
  },
};

for (const [what, probe] of Object.entries(probes)) {
  test.serial(`with -k stdin is for the client that takes it, and not for ${what}`, async (t) => {
    const server = startCli(t, ['listen', '-kv', '127.0.0.1:0']);
    const sent = payload(100_000);
    server.stdin.end(sent);
    const address = await server.address();
    await probe(t, address);
    await probe(t, address);
    await server.said(/(connection from[^]*){2}/);
    sameBytes(t, await collect(await connectPeer(t, address)), sent);
    // A reset is said of a client to whom nothing was offered.
    if (what !== 'a reset at once') t.false(server.stderr().includes('ECONNRESET'), server.stderr());
  });
}

/** Whether the system holds bytes for a socket that is not read. */
async function hasUnread({ localPort = 0 }: net.Socket): Promise<boolean> {
  const port = localPort.toString(16).toUpperCase().padStart(4, '0');
  const queues = new RegExp(`^ *\\d+: \\S+:${port} \\S+ \\S+ \\S+:0*[1-9A-F]`, 'm');
  return queues.test(await readFile('/proc/net/tcp', 'latin1'));
}

/**
 * A client that leaves without reading what its system has taken, as of a check whose machine is too busy to close in
 * time. Gives for how long at most its system has had the first bytes.
 */
async function leaveUnread(slow: net.Socket): Promise<number> {
  let emptyAt = performance.now();
  for (let at = emptyAt; !(await hasUnread(slow)); at = performance.now()) {
    emptyAt = at;
    await delay(5);
  }
  // As much as comes: nothing tells that no more will.
  await delay(300);
  slow.destroy();
  return performance.now() - emptyAt;
}

for (const [what, sent] of [
  ['what fits into one segment', Buffer.from('a line\n')],
  ['more than its system takes unread', payload(20_000_000)],
] as const) {
  test.serial(
    `with -k the input of a client that leaves without reading it is the next one's: ${what}`,
    async (t) => {
      // What fits is kept for a second, and a busy machine can take as long: such a round tells nothing.
      for (let round = 0; round < 20; round++) {
        const server = startCli(t, ['listen', '-kv', '127.0.0.1:0']);
        server.stdin.end(sent);
        const address = await server.address();
        const [host, port] = address.split(':');
        const slow = new net.Socket().on('error', () => undefined).pause();
        await once(slow.connect(Number(port), host!), 'connect');
        const second = await connectPeer(t, address);
        const received = collect(second);
        if ((await leaveUnread(slow)) > 700) continue;
        sameBytes(t, await received, sent);
        t.false(server.stderr().includes('ECONNRESET'), server.stderr());
        return;
      }
      t.fail('too busy a machine');
    },
  );
}

test.serial('with -k a sender that is reset is said, with a quiet stdin', async (t) => {
  const server = startCli(t, ['listen', '-kv', '127.0.0.1:0']);
  const client = await connectPeer(t, await server.address());
  client.on('error', () => undefined).write('half');
  await readText(server.stdout).until(/half/);
  client.resetAndDestroy();
  await server.said(/ECONNRESET/);
  t.pass();
});

test.serial(
  'with -k stdin that comes late is for the client that stays, and not for a check before it',
  async (t) => {
    const server = startCli(t, ['listen', '-kv', '127.0.0.1:0']);
    const address = await server.address();
    await probes['connect -z'](t, address);
    const client = await connectPeer(t, address);
    await server.said(/(connection from[^]*){2}/);
    const received = collect(client);
    // Later than a check could still be taken for a client.
    setTimeout(() => server.stdin.end('late'), 1_000);
    t.is((await received).toString(), 'late');
  },
);

test.serial('with -k stdin goes to a client that has nothing to say itself', async (t) => {
  const server = startCli(t, ['listen', '-k', '127.0.0.1:0']);
  const sent = payload(100_000);
  server.stdin.end(sent);
  const { code, stdout } = await runCli(t, ['connect', await server.address()]);
  t.is(code, 0);
  sameBytes(t, stdout, sent);
});

test.serial('SIGTERM ends listen -k after a check, with stdin open', async (t) => {
  const server = startCli(t, ['listen', '-kv', '127.0.0.1:0']);
  await probes['connect -z'](t, await server.address());
  await server.said(/connection from/);
  server.child.kill('SIGTERM');
  const { code, signal } = await server.exit;
  t.true(code === 143 || signal === 'SIGTERM');
});
