import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import { loadNativeAddon } from '../../src/native/addon.ts';
import { payload } from '../helpers/bytes.ts';
import { runCli, startCli, type Cli } from '../helpers/cli.ts';
import { readText } from '../helpers/lines.ts';
import { bindDatagramPeer, testMessages } from '../helpers/messages.ts';
import { testWith } from '../helpers/programs.ts';
import { tempDir } from '../helpers/temp.ts';

/** The kinds, with what each is where an address has to be made. */
const kinds = ['unix-dgram', 'unix-seqpacket'] as const;

/** `test.serial` with the addon and these programs; else a skip, with the reason printed. */
function testPeer(...programs: string[]) {
  return loadNativeAddon() ? testWith(...programs) : test.serial.skip;
}

async function runPeer(
  t: ExecutionContext,
  command: string,
  args: readonly string[],
  input: string | Buffer = '',
): Promise<Buffer> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(child, 'close');
  return Buffer.concat(chunks);
}

async function startServer(
  t: ExecutionContext,
  args: readonly string[],
  stdin: 'pipe' | 'null' = 'null',
): Promise<Cli> {
  const server = startCli(t, args, { stdin });
  await server.said(/listening/);
  return server;
}

for (const kind of kinds) {
  testMessages(
    `connect and listen on ${kind}: carry both ways, remove the path, and name the client's process`,
    async (t) => {
      const path = join(tempDir(t), 's');
      const server = await startServer(t, ['listen', '-v', '--mode', '0600', `${kind}:${path}`], 'pipe');
      t.is(statSync(path).mode & 0o777, 0o600);
      const client = startCli(t, ['connect', `${kind}:${path}`]);
      const [atServer, atClient] = [readText(server.stdout), readText(client.stdout)];
      client.stdin.write('question');
      await atServer.until(/question/);
      server.stdin.write('answer');
      await atClient.until(/answer/);
      const [, pid] = await server.said(/connection from .* \(pid (\d+), uid \d+, gid \d+\)\n/);
      t.is(pid, String(client.child.pid));
      client.stdin.end();
      server.stdin.end();
      if (kind === 'unix-seqpacket') {
        t.deepEqual(await client.exit, { code: 0, signal: null });
        t.deepEqual(await server.exit, { code: 0, signal: null });
      } else {
        // Datagrams have no end.
        client.child.kill('SIGINT');
        await client.exit;
        server.child.kill('SIGINT');
        await server.exit;
      }
      t.false(existsSync(path));
    },
  );

  testMessages(`echo on ${kind} answers, and --ping finds every byte back`, async (t) => {
    const address = `${kind}:@${tempDir(t)}`;
    const server = await startServer(t, ['echo', '--json', address]);
    const { code, stdout } = await runCli(t, [
      'echo',
      '--ping',
      '-c',
      '20',
      '--rate',
      'none',
      '--size',
      '9000',
      address,
    ]);
    t.is(code, 0);
    t.regex(String(stdout), /20 sent, 20 back[^]*0 wrong/);
    await server.said(
      kind === 'unix-dgram' ? /"event":"datagram".*"uid":\d+/ : /"event":"accepted".*"uid":\d+/,
    );
  });

  testMessages(`-z says whether somebody has bound ${kind}`, async (t) => {
    const path = join(tempDir(t), 's');
    const gone = await runCli(t, ['connect', '-zv', `${kind}:${path}`]);
    t.is(gone.code, 1);
    t.regex(gone.stderr, /ENOENT/);
    const server = await startServer(t, ['listen', '-k', '-v', `${kind}:${path}`]);
    const there = await runCli(t, ['connect', '-z', `${kind}:${path}`]);
    t.is(there.code, 0);
    server.child.kill('SIGINT');
    await server.exit;
  });

  testMessages(`${kind} on both sides of a proxy keeps messages apart`, async (t) => {
    const folder = tempDir(t);
    const [near, far] = [`${kind}:${join(folder, 'near')}`, `${kind}:${join(folder, 'far')}`];
    await startServer(t, ['echo', '-v', far]);
    await startServer(t, ['proxy', '-v', near, far]);
    const { code, stdout } = await runCli(t, [
      'echo',
      '--ping',
      '-c',
      '50',
      '--rate',
      'none',
      '--size',
      '64',
      near,
    ]);
    t.is(code, 0);
    t.regex(String(stdout), /50 sent, 50 back/);
  });

  test(`without the addon ${kind} is refused with the reason`, async (t) => {
    const path = join(tempDir(t), 's');
    const env = { TNET_NATIVE: '0' };
    for (const words of [['connect'], ['listen'], ['echo'], ['connect', '-zv']]) {
      const { code, stderr } = await runCli(t, [...words, `${kind}:${path}`], '', { env });
      t.is(code, 2, stderr);
      t.regex(stderr, /this kind of socket needs the native addon: TNET_NATIVE=0 turns it off/);
    }
    t.deepEqual(readdirSync(join(path, '..')), []);
  });

  for (const [option, value] of [
    ['--tls', []],
    ['--accept-proxy', []],
    ['--workers', ['2']],
    ['--rcvbuf', ['64k']],
    ['--allow', ['127.0.0.1']],
  ] as const) {
    test(`${option} is refused with ${kind}`, async (t) => {
      const { code, stderr } = await runCli(t, [
        'echo',
        option,
        ...value,
        `${kind}:${join(tempDir(t), 's')}`,
      ]);
      t.is(code, 2);
      t.regex(stderr, /needs a stream, and this socket keeps messages apart|judge IP addresses/);
    });
  }
}

testMessages('-u with a path is a socket of Unix datagrams', async (t) => {
  const path = join(tempDir(t), 's');
  const server = await startServer(t, ['listen', '-v', '-u', '-U', path]);
  const heard = readText(server.stdout);
  const { code } = await runCli(t, ['connect', '-u', '-U', path, '--send-only'], 'over there');
  t.is(code, 0);
  await heard.until(/over there/);
  t.is(heard.text(), 'over there');
});

for (const words of [
  ['listen', '-v'],
  ['listen', '-k', '-v'],
]) {
  testMessages(
    `${words.join(' ')} has the message of a client that has left before it is read`,
    async (t) => {
      const path = join(tempDir(t), 's');
      const server = await startServer(t, [...words, `unix-dgram:${path}`]);
      const heard = readText(server.stdout);
      server.child.kill('SIGSTOP');
      const { code } = await runCli(t, ['connect', '--send-only', `unix-dgram:${path}`], 'last words');
      t.is(code, 0);
      server.child.kill('SIGCONT');
      await heard.until(/last words/);
      t.notRegex(server.stderr(), /refused/);
    },
  );
}

testMessages('a client without a name is heard, and what is sent to it is an error', async (t) => {
  const path = join(tempDir(t), 's');
  const server = await startServer(t, ['listen', '-v', `unix-dgram:${path}`], 'pipe');
  const heard = readText(server.stdout);
  const addon = loadNativeAddon()!;
  const fd = addon.openSocket(0);
  t.is(addon.sendMessage(fd, Buffer.from('from nobody'), Buffer.from(path)), 1);
  await heard.until(/from nobody/);
  server.stdin.write('an answer');
  t.deepEqual(await server.exit, { code: 1, signal: null });
  t.regex(server.stderr(), /the client has no name, so nothing can be sent to it \(TNET_E_UNSENT\)/);
});

testMessages('a slow target holds up the senders of datagrams, and none is lost', async (t) => {
  const folder = tempDir(t);
  const near = join(folder, 'near');
  const far = bindDatagramPeer(t, join(folder, 'far'));
  await startServer(t, [
    'proxy',
    '-v',
    '--bandwidth',
    '400k',
    `unix-dgram:${near}`,
    `unix-dgram:${join(folder, 'far')}`,
  ]);
  const client = startCli(t, ['connect', '--send-only', `unix-dgram:${near}`]);
  const sent = payload(1_000_000);
  client.stdin.end(sent);
  t.is((await client.exit).code, 0);
  let heard: Buffer[] = [];
  for (let count = 1; Buffer.concat(heard).length < sent.length; count++)
    heard = (await far.until(count)).map(({ bytes }) => bytes);
  t.deepEqual(Buffer.concat(heard), sent);
});

testMessages('a peer of packets that leaves for good is found although stdin is open', async (t) => {
  const path = join(tempDir(t), 's');
  const server = await startServer(t, ['listen', '-v', '-d', `unix-seqpacket:${path}`]);
  const client = startCli(t, ['connect', `unix-seqpacket:${path}`]);
  await server.said(/connection from/);
  server.child.kill('SIGKILL');
  t.deepEqual(await client.exit, { code: 0, signal: null });
});

testPeer('logger')('logger is heard, each message whole, and each process is told', async (t) => {
  const path = join(tempDir(t), 'log');
  const server = await startServer(t, ['listen', '-k', '-v', `unix-dgram:${path}`]);
  const heard = readText(server.stdout);
  for (const text of ['first words', 'second words'])
    execFileSync('logger', ['-u', path, '-t', 'tnet', text]);
  await heard.until(/<13>[^<]*tnet: first words[^]*<13>[^<]*tnet: second words/);
  await server.said(/connection from .* \(pid \d+, uid \d+, gid \d+\)\n[^]*connection from .* \(pid/);
  t.regex(heard.text(), /first words[^]*second words/);
});

testPeer('logger')('logger is relayed to syslog over UDP, a message a datagram', async (t) => {
  const path = join(tempDir(t), 'log');
  const sink = await startServer(t, ['listen', '-k', '-v', 'udp://127.0.0.1:0']);
  const heard = readText(sink.stdout);
  const [, port] = await sink.said(/listening on udp:\/\/127\.0\.0\.1:(\d+)/);
  await startServer(t, ['proxy', '-v', `unix-dgram:${path}`, `udp://127.0.0.1:${port}`]);
  execFileSync('logger', ['-u', path, '-t', 'tnet', 'over the wire']);
  t.truthy(await heard.until(/^<13>.*tnet: over the wire/));
});

testPeer('socat')('socat UNIX-SENDTO sends to listen, and UNIX-RECV hears connect', async (t) => {
  const folder = tempDir(t);
  const [ours, theirs] = [join(folder, 'ours'), join(folder, 'theirs')];
  const server = await startServer(t, ['listen', '-k', '-v', `unix-dgram:${ours}`]);
  const heard = readText(server.stdout);
  await runPeer(t, 'socat', ['-u', '-', `UNIX-SENDTO:${ours}`], 'from socat');
  await heard.until(/from socat/);
  const socat = spawn('socat', ['-u', `UNIX-RECV:${theirs}`, '-'], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => socat.kill('SIGKILL'));
  const there = readText(socat.stdout);
  while ((await runCli(t, ['connect', '-z', `unix-dgram:${theirs}`])).code !== 0);
  t.is((await runCli(t, ['connect', '--send-only', `unix-dgram:${theirs}`], 'to socat')).code, 0);
  await there.until(/to socat/);
  t.is(there.text(), 'to socat');
});

testPeer('socat')('socat with a name of its own gets answers from echo', async (t) => {
  const folder = tempDir(t);
  const [ours, theirs] = [join(folder, 'ours'), join(folder, 'theirs')];
  await startServer(t, ['echo', '-v', `unix-dgram:${ours}`]);
  const answer = await runPeer(t, 'socat', ['-t', '8', '-', `UNIX-SENDTO:${ours},bind=${theirs}`], 'echo me');
  t.is(String(answer), 'echo me');
});

testPeer('socat')('socat UNIX-CONNECT,type=5 talks to echo, and UNIX-LISTEN,type=5 to connect', async (t) => {
  const folder = tempDir(t);
  const [ours, theirs] = [join(folder, 'ours'), join(folder, 'theirs')];
  await startServer(t, ['echo', '-v', `unix-seqpacket:${ours}`]);
  const answer = await runPeer(t, 'socat', ['-t', '5', '-', `UNIX-CONNECT:${ours},type=5`], 'packets');
  t.is(String(answer), 'packets');
  const socat = spawn('socat', [`UNIX-LISTEN:${theirs},type=5`, 'EXEC:cat'], { stdio: 'inherit' });
  t.teardown(() => socat.kill('SIGKILL'));
  while (!existsSync(theirs)) await new Promise(setImmediate);
  const { code, stdout } = await runCli(t, ['connect', `unix-seqpacket:${theirs}`], 'back again');
  t.is(code, 0);
  t.is(String(stdout), 'back again');
});

testPeer('python3')('packets of Python come back one by one, also an empty one', async (t) => {
  const path = join(tempDir(t), 's');
  await startServer(t, ['echo', '-v', `unix-seqpacket:${path}`]);
  const script = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.settimeout(50)
s.connect(sys.argv[1])
for size in (1, 0, 70000, 3, 0, 200000):
    m = bytes([size % 251]) * size
    s.send(m)
    assert s.recv(300000) == m, size
s.shutdown(socket.SHUT_WR)
assert s.recv(10) == b''
print('all back')
`;
  t.is(String(await runPeer(t, 'python3', ['-c', script, path])), 'all back\n');
});
