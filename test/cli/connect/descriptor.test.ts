import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import test, { type ExecutionContext } from 'ava';
import { collect, payload, sameBytes } from '../../helpers/bytes.ts';
import { createAuthority } from '../../helpers/certificates.ts';
import { runCli, tnetPath } from '../../helpers/cli.ts';
import { startPeerServer, type Family } from '../../helpers/peers.ts';
import { testWith } from '../../helpers/programs.ts';
import { startTlsServer } from '../../helpers/tls-server.ts';

const linuxTest = process.platform === 'linux' ? test.serial : test.serial.skip;
const authority = createAuthority();
const pair = authority.issue('server', 'DNS:localhost');
test.after.always(() => authority.remove());

interface Run {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Connects, and runs `tnet connect FLAGS fd:3` on the connection. */
async function runOn(
  t: ExecutionContext,
  target: net.NetConnectOpts,
  stdin: Buffer | string,
  { flags = [], env = {} }: { flags?: readonly string[]; env?: Record<string, string> } = {},
): Promise<Run> {
  const socket = net.connect({ ...target, onread: undefined, allowHalfOpen: true } as net.NetConnectOpts);
  socket.pause();
  await once(socket, 'connect');
  const child = spawn(process.execPath, [tnetPath, 'connect', ...flags, 'fd:3'], {
    stdio: ['pipe', 'pipe', 'pipe', socket],
    env: { ...process.env, ...env },
  });
  socket.destroy();
  t.teardown(() => child.kill('SIGKILL'));
  const [input, output, errors] = [child.stdin!, child.stdout!, child.stderr!];
  input.on('error', () => undefined).end(stdin);
  const closed = once(child, 'close');
  const [stdout, stderr] = await Promise.all([collect(output), text(errors)]);
  const [code] = (await closed) as [number | null];
  return { code, stdout, stderr };
}

for (const family of ['tcp', 'unix'] as const satisfies readonly Family[]) {
  for (const engine of ['1', '0']) {
    linuxTest(
      `connect fd:3 carries both directions of a passed ${family} connection to their ends (TNET_NATIVE=${engine})`,
      async (t) => {
        const { target } = await startPeerServer(t, family, (socket) => {
          void collect(socket).then((bytes) => socket.end(bytes));
        });
        const sent = payload(1_000_003);
        const run = await runOn(t, target, sent, { env: { TNET_NATIVE: engine } });
        t.is(run.stderr, '');
        t.is(run.code, 0);
        sameBytes(t, run.stdout, sent);
      },
    );
  }
}

linuxTest('connect fd:3 delivers what came before a reset, and tells the reset', async (t) => {
  const sent = payload(50_000);
  const { target } = await startPeerServer(t, 'tcp', (socket) => {
    socket.once('data', () => socket.write(sent, () => socket.resetAndDestroy()));
  });
  const run = await runOn(t, target, 'go');
  t.is(run.code, 1);
  t.regex(run.stderr, /^tnet connect: 127\.0\.0\.1:\d+: connection reset by peer \(ECONNRESET\)\n$/);
  sameBytes(t, run.stdout, sent);
});

linuxTest('connect fd:3 speaks TLS on a passed connection, for the name of --tls-servername', async (t) => {
  const target = await startTlsServer(t, pair, (socket) => {
    void collect(socket).then((bytes) => socket.end(bytes));
  });
  const flags = ['--tls', '--tls-ca', authority.caFile];
  const sent = payload(100_000);
  const run = await runOn(t, target, sent, { flags: [...flags, '--tls-servername', 'localhost'] });
  t.is(run.code, 0, run.stderr);
  sameBytes(t, run.stdout, sent);
  const unnamed = await runOn(t, target, sent, { flags });
  t.is(unnamed.code, 2);
  t.regex(unnamed.stderr, /a descriptor has no name that its certificate could be for/);
});

linuxTest('connect -v fd:3 names both ends of the passed connection', async (t) => {
  const { target } = await startPeerServer(t, 'tcp', (socket) => socket.end());
  const run = await runOn(t, target, '', { flags: ['-v'] });
  const { port } = target as net.TcpNetConnectOpts;
  t.is(run.code, 0);
  t.regex(run.stderr, new RegExp(`connected to 127\\.0\\.0\\.1:${port}`));
});

const makers = {
  'a listening TCP socket': [
    's=socket.socket(); s.bind(("127.0.0.1",0)); s.listen()',
    'the descriptor is a listening socket, for tnet listen',
  ],
  'a TCP socket that is not connected': ['s=socket.socket()', 'the socket is not connected'],
  'a UDP socket': [
    's=socket.socket(type=socket.SOCK_DGRAM)',
    'the descriptor is not a connected stream socket',
  ],
  'a listening Unix socket': [
    's=socket.socket(socket.AF_UNIX); s.bind(""); s.listen()',
    'the descriptor is a listening socket, for tnet listen',
  ],
  'a Unix socket that is not connected': ['s=socket.socket(socket.AF_UNIX)', 'the socket is not connected'],
  'a pair of Unix datagram sockets': [
    's,p=socket.socketpair(type=socket.SOCK_DGRAM)',
    'the descriptor is not a connected stream socket',
  ],
  'a pair of Unix sequenced-packet sockets': [
    's,p=socket.socketpair(type=socket.SOCK_SEQPACKET)',
    'the descriptor is not a connected stream socket',
  ],
  'a file': ['s=open("/etc/passwd")', 'the descriptor is not a connected stream socket (ENOTSOCK)'],
  'a pipe': [
    'import os; r,w=os.pipe(); s=os.fdopen(w)',
    'the descriptor is not a connected stream socket (ENOTSOCK)',
  ],
} as const;

/** A parent that makes something, and becomes tnet with it as descriptor 9. */
function become(maker: string, words: readonly string[]): string[] {
  const script = `import os,socket,sys
${maker}
os.dup2(s.fileno(), 9)
os.execv(sys.argv[1], sys.argv[1:])`;
  return ['-c', script, process.execPath, tnetPath, ...words];
}

for (const [what, [maker, said]] of Object.entries(makers)) {
  testWith('python3')(`connect fd:9 with ${what} is one line and status 2`, async (t) => {
    const child = spawn('python3', become(maker, ['connect', 'fd:9']), { stdio: ['ignore', 'pipe', 'pipe'] });
    t.teardown(() => child.kill('SIGKILL'));
    const closed = once(child, 'close');
    const stderr = await text(child.stderr);
    const [code] = (await closed) as [number | null];
    t.is(code, 2, stderr);
    t.true(stderr.startsWith(`tnet connect: fd:9: ${said}`), stderr);
    t.is(stderr.split('\n').length, 2);
  });
}

testWith('bash')('a shell goes on with its connection after connect fd:3, in the mode it had', async (t) => {
  const { target } = await startPeerServer(t, 'tcp', (socket) => {
    socket.write('one\n');
    void collect(socket).then((bytes) => socket.end(bytes));
  });
  const { port } = target as net.TcpNetConnectOpts;
  const script = `exec 3<>/dev/tcp/127.0.0.1/${port}
"$@" connect --no-shutdown --read-bytes 4 fd:3 < /dev/null
grep ^flags: /proc/self/fdinfo/3
printf two >&3`;
  const child = spawn('bash', ['-c', script, 'bash', process.execPath, tnetPath], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = (await closed) as [number | null];
  t.is(code, 0, stderr);
  t.regex(stdout, /^one\nflags:\s*0?2\n$/);
});

for (const [words, said] of [
  [['connect', '-x', 'h:1', 'fd:9'], /-x does not go with fd:9: it is connected already/],
  [['connect', '--retry', '2', 'fd:9'], /--retry does not go with fd:9: it is connected already/],
  [['connect', '--wait', '2', 'fd:9'], /--wait does not go with fd:9: it is connected already/],
  [['connect', '-z', 'fd:9'], /fd:9: it is connected already: there is nothing to check or to wait for/],
  [['connect', '-4', 'fd:9'], /-4 does not go with fd:9: it is open already/],
  [['connect', '-s', '127.0.0.1', 'fd:9'], /-s does not go with fd:9: it is open already/],
  [['connect', '-u', 'fd:9'], /-u goes with HOST PORT, PORT or a path/],
  [
    ['proxy', '0', 'fd:9'],
    /cannot connect to fd:9: it is one connection, and a proxy opens one for each client/,
  ],
] as const) {
  test.serial(`tnet ${words.join(' ')} is one line and status 2`, async (t) => {
    const run = await runCli(t, words, '', { stdin: 'null' });
    t.is(run.code, 2);
    t.regex(run.stderr, said);
    t.is(run.stderr.split('\n').length, 2);
  });
}
