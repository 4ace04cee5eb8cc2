import { once } from 'node:events';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { collect, payload, sameBytes } from '../helpers/bytes.ts';
import { createAuthority } from '../helpers/certificates.ts';
import { runCli, startCli } from '../helpers/cli.ts';
import { connectPeer, startPeerServer } from '../helpers/peers.ts';
import { testWith } from '../helpers/programs.ts';
import { tempDir } from '../helpers/temp.ts';

interface Line {
  readonly id: number;
  readonly event: string;
  readonly direction?: string;
  readonly data?: string;
  readonly note?: string;
}

function readLines(file: string): Line[] {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Line);
}

function bytesOf(lines: readonly Line[], direction: 'sent' | 'received', id = 1): Buffer {
  const data = lines.filter(
    (line) => line.event === 'data' && line.direction === direction && line.id === id,
  );
  return Buffer.concat(data.map((line) => Buffer.from(line.data!, 'base64')));
}

testWith('tshark')('connect records both directions for tshark, with its true ports', async (t) => {
  const [up, down] = [payload(150_001), payload(250_001)];
  const server = await startPeerServer(t, 'tcp', (socket) => {
    socket.resume();
    socket.end(down);
  });
  const file = join(tempDir(t), 'record.pcapng');
  const run = await runCli(t, ['connect', '-o', file, '--format', 'pcapng', ...server.words], up);
  t.is(run.code, 0, run.stderr);
  sameBytes(t, run.stdout, down);
  const ask = (...args: string[]) =>
    execFileSync('tshark', ['-r', file, ...args], { stdio: ['ignore', 'pipe', 'ignore'] }).toString();
  const bytes = (side: string) => {
    const hex = ask(
      '-Y',
      `tcp.${side}port == ${server.words[1]} && tcp.len > 0`,
      '-T',
      'fields',
      '-e',
      'tcp.payload',
    );
    return Buffer.from(hex.replaceAll('\n', ''), 'hex');
  };
  sameBytes(t, bytes('dst'), up);
  sameBytes(t, bytes('src'), down);
  t.is(ask('-Y', '_ws.malformed || tcp.analysis.flags'), '');
});

test.serial('listen -k records all its clients in one file, each with its id', async (t) => {
  const file = join(tempDir(t), 'record.json');
  const cli = startCli(t, ['listen', '-k', '-v', '-o', file, '--format', 'json', '127.0.0.1:0'], {
    stdin: 'null',
  });
  const address = await cli.address();
  const clients = [payload(100_001), payload(100_002)];
  for (const bytes of clients) {
    const peer = await connectPeer(t, address);
    peer.end(bytes);
    await cli.said(new RegExp(`${peer.localPort}: eof`));
  }
  cli.stdout.resume();
  cli.child.kill('SIGTERM');
  t.is((await cli.exit).code, 143);
  const lines = readLines(file);
  clients.forEach((bytes, index) => sameBytes(t, bytesOf(lines, 'received', index + 1), bytes));
});

test.serial('hex is the format when none is named, and -C is recorded as it is sent', async (t) => {
  const server = await startPeerServer(t, 'tcp', (socket) => socket.end());
  const file = join(tempDir(t), 'record');
  const run = await runCli(t, ['connect', '-C', '-o', file, ...server.words], 'a\n');
  t.is(run.code, 0, run.stderr);
  t.regex(readFileSync(file, 'utf8'), /^\S+ 1 > 00000000 61 0d 0a +\|a\.\.\|$/m);
});

test.serial('a TLS connection is recorded in the clear, and says so', async (t) => {
  const authority = createAuthority();
  t.teardown(() => authority.remove());
  const pair = authority.issue('server', 'IP:127.0.0.1');
  const dir = tempDir(t);
  const [near, far] = [join(dir, 'near'), join(dir, 'far')];
  const tlsFlags = ['--tls-cert', pair.certFile, '--tls-key', pair.keyFile];
  const cli = startCli(t, ['listen', ...tlsFlags, '-o', far, '--format', 'json', '127.0.0.1:0']);
  cli.stdin.end('answer');
  const output = collect(cli.stdout);
  const port = String(await cli.port());
  const flags = ['--tls-ca', authority.caFile, '-o', near, '--format', 'json'];
  const run = await runCli(t, ['connect', ...flags, '127.0.0.1', port], 'question');
  t.is(run.code, 0, run.stderr);
  t.is((await output).toString(), 'question');
  t.is((await cli.exit).code, 0, cli.stderr());
  for (const [file, sent, received] of [
    [near, 'question', 'answer'],
    [far, 'answer', 'question'],
  ] as const) {
    const lines = readLines(file);
    t.is(lines[0]!.note, 'TLS, recorded in the clear');
    t.is(bytesOf(lines, 'sent').toString(), sent);
    t.is(bytesOf(lines, 'received').toString(), received);
  }
});

test.serial(
  'a disk that is full costs the recording, is told once, and costs no byte of the connection',
  async (t) => {
    const down = payload(3_000_001);
    const server = await startPeerServer(t, 'tcp', (socket) => socket.end(down));
    const run = await runCli(t, ['connect', '-o', '/dev/full', '--format', 'raw', ...server.words]);
    sameBytes(t, run.stdout, down);
    t.is(run.code, 2);
    t.regex(run.stderr, /^tnet connect: \/dev\/full: no space left on device \(ENOSPC\)\n$/);
  },
);

test.serial('a file that has something in it is refused before anything is opened', async (t) => {
  const file = join(tempDir(t), 'precious');
  writeFileSync(file, 'precious');
  const run = await runCli(t, ['connect', '-o', file, '127.0.0.1', '1']);
  t.is(run.code, 2);
  t.regex(run.stderr, /precious: the file is not empty: record to a new file \(TNET_E_USAGE\)\n$/);
  t.is(readFileSync(file, 'utf8'), 'precious');
});

test.serial(
  'a recording does not hold bytes back: each is handed on while the next is awaited',
  async (t) => {
    const server = await startPeerServer(t, 'tcp');
    const file = join(tempDir(t), 'record');
    const cli = startCli(t, ['connect', '-o', file, ...server.words]);
    const peer = await server.accept();
    peer.resume();
    for (const word of ['one', 'two', 'three']) {
      peer.write(word);
      t.is(String(((await once(cli.stdout, 'data')) as [Buffer])[0]), word);
      cli.stdin.write(word);
      t.is(String(((await once(peer, 'data')) as [Buffer])[0]), word);
    }
    peer.end();
    cli.stdin.end();
    t.is((await cli.exit).code, 0);
  },
);

test.serial('what a program says and hears is recorded too', async (t) => {
  const server = await startPeerServer(
    t,
    'tcp',
    (socket) => void collect(socket).then((bytes) => socket.end(bytes)),
  );
  const file = join(tempDir(t), 'record');
  const run = await runCli(t, [
    'connect',
    '-o',
    file,
    '--format',
    'json',
    '-c',
    'echo question; exec cat >/dev/null',
    ...server.words,
  ]);
  t.is(run.code, 0, run.stderr);
  const lines = readLines(file);
  t.is(bytesOf(lines, 'sent').toString(), 'question\n');
  t.is(bytesOf(lines, 'received').toString(), 'question\n');
  t.is(lines.at(-1)!.event, 'close');
});

test.serial('--append goes on behind what is in the file, and not for pcapng', async (t) => {
  const file = join(tempDir(t), 'log');
  writeFileSync(file, 'before\n');
  const peer = await startPeerServer(t, 'tcp', (socket) => socket.end('bytes'));
  const args = ['connect', '-o', file, '--append', '--format'];
  t.is((await runCli(t, [...args, 'raw', ...peer.words])).code, 0);
  t.is(readFileSync(file, 'utf8'), 'before\nbytes');
  const { code, stderr } = await runCli(t, [...args, 'pcapng', ...peer.words]);
  t.is(code, 2);
  t.regex(stderr, /^tnet connect: --append is for text, JSON and raw bytes/);
});

test.serial(
  '-o /dev/stderr records there, and -o - only where nothing else goes to standard output',
  async (t) => {
    const peer = await startPeerServer(t, 'tcp', (socket) => socket.end('bytes'));
    const shown = await runCli(t, ['connect', '-o', '/dev/stderr', '--format', 'raw', ...peer.words]);
    t.is(shown.code, 0);
    t.is(shown.stderr, 'bytes');
    const refused = await runCli(t, ['connect', '-o', '-', ...peer.words]);
    t.is(refused.code, 2);
    t.is(refused.stderr, "tnet connect: -o -: standard output carries the peer's bytes (TNET_E_USAGE)\n");
    const recorded = await runCli(t, [
      'connect',
      '-o',
      '-',
      '--format',
      'raw',
      '-c',
      'cat >&2',
      ...peer.words,
    ]);
    t.is(recorded.code, 0);
    t.is(recorded.stdout.toString(), 'bytes');
  },
);
