import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { payload, sameBytes } from '../helpers/bytes.ts';
import { runCli, startCli, type Cli } from '../helpers/cli.ts';
import { createAuthority, type Pair } from '../helpers/certificates.ts';
import { serverWords } from '../helpers/peers.ts';
import { startSocks } from '../helpers/socks.ts';
import { tempDir } from '../helpers/temp.ts';

/** The events of a run with --json. */
function eventsOf(cli: { stderr: string } | Cli): Record<string, unknown>[] {
  const text = typeof cli.stderr === 'string' ? cli.stderr : cli.stderr();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

function sourceFiles(t: ExecutionContext): { paths: string[]; contents: Map<string, Buffer> } {
  const dir = tempDir(t);
  const contents = new Map([
    ['a.bin', payload(1_500_000)],
    ['empty', Buffer.alloc(0)],
    ['ünïcode – 名.txt', Buffer.from('hello\n')],
  ]);
  for (const [name, content] of contents) writeFileSync(join(dir, name), content);
  return { paths: [...contents.keys()].map((name) => join(dir, name)), contents };
}

const sendFlags = (paths: readonly string[]) => paths.flatMap((path) => ['--send-file', path]);

function sameFiles(t: ExecutionContext, dir: string, contents: ReadonlyMap<string, Buffer>): void {
  t.deepEqual(readdirSync(dir).sort(), [...contents.keys()].sort());
  for (const [name, content] of contents) sameBytes(t, readFileSync(join(dir, name)), content);
}

interface Way {
  readonly serverFlags: string[];
  readonly clientFlags: string[];
}

const ways: Record<string, (t: ExecutionContext) => Promise<Way> | Way> = {
  TCP: () => ({ serverFlags: [], clientFlags: [] }),
  'a Unix socket': () => ({ serverFlags: [], clientFlags: [] }),
  'TLS, in which the client has a certificate': (t) => {
    const authority = createAuthority();
    t.teardown(() => authority.remove());
    const [server, client] = [authority.issue('server', 'IP:127.0.0.1'), authority.issue('me', 'DNS:me')];
    const flags = ({ certFile, keyFile }: Pair) => [
      ...['--tls', '--tls-ca', authority.caFile],
      ...['--tls-cert', certFile, '--tls-key', keyFile],
    ];
    return { serverFlags: flags(server), clientFlags: flags(client) };
  },
  'a SOCKS proxy': async (t) => {
    const { port } = await startSocks(t);
    return { serverFlags: [], clientFlags: ['-x', `socks5://127.0.0.1:${port}`] };
  },
  'a PROXY header': () => ({ serverFlags: ['--accept-proxy'], clientFlags: ['--send-proxy'] }),
};
for (const [what, prepare] of Object.entries(ways)) {
  test.serial(
    `several files arrive whole over ${what}, and both sides say so as events and by status 0`,
    async (t) => {
      const { serverFlags, clientFlags } = await prepare(t);
      const { paths, contents } = sourceFiles(t);
      const dir = tempDir(t);
      const words = serverWords(t, what === 'a Unix socket' ? 'unix' : 'tcp');
      const receiver = startCli(t, ['listen', '--json', '--receive', dir, ...serverFlags, ...words]);
      const [, address = ''] = await receiver.said(/"event":"listening","address":"([^"]+)"/);
      const sender = await runCli(t, ['connect', '--json', ...clientFlags, ...sendFlags(paths), address]);
      t.is(sender.code, 0, sender.stderr);
      t.is(sender.stdout.length, 0);
      t.is((await receiver.exit).code, 0, receiver.stderr());
      sameFiles(t, dir, contents);
      for (const [cli, direction] of [
        [sender, 'sent'],
        [receiver, 'received'],
      ] as const) {
        const done = eventsOf(cli).filter(({ event }) => event === 'file-done');
        t.deepEqual(
          done.map(({ name, bytes, fromBytes, sha256, direction }) => ({
            name,
            bytes,
            fromBytes,
            sha256,
            direction,
          })),
          [...contents].map(([name, content]) => ({
            ...{ name, bytes: content.length, fromBytes: 0, direction },
            sha256: createHash('sha256').update(content).digest('hex'),
          })),
        );
      }
    },
  );
}

/** A relay that lets so many bytes of a client through, and drops the rest. */
async function startCutter(t: ExecutionContext, port: number, bytes: number) {
  const reached = Promise.withResolvers<undefined>();
  const ends: net.Socket[] = [];
  const server = net.createServer((client) => {
    const target = net.connect(port, '127.0.0.1');
    ends.push(client, target);
    for (const end of ends) end.on('error', () => undefined);
    let left = bytes;
    client.on('data', (chunk: Buffer) => {
      if (left > 0) target.write(chunk.subarray(0, left));
      left -= chunk.length;
      if (left <= 0) reached.resolve(undefined);
    });
    target.pipe(client);
    client.once('close', () => target.destroy());
    target.once('close', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.close();
    for (const end of ends) end.destroy();
  });
  return { port: (server.address() as net.AddressInfo).port, reached: reached.promise };
}

test.serial(
  'after a kill of the sender in the middle, the next run resumes, says from where, and the file is right',
  async (t) => {
    const dir = tempDir(t);
    const path = join(tempDir(t), 'big');
    const content = payload(6_000_000);
    writeFileSync(path, content);
    const receiver = startCli(t, ['listen', '-k', '--receive', dir, '127.0.0.1:0']);
    const port = await receiver.port();
    const cutter = await startCutter(t, port, 2_500_000);
    const first = startCli(t, ['connect', '--send-file', path, `127.0.0.1:${cutter.port}`]);
    await cutter.reached;
    first.child.kill('SIGKILL');
    const [, cut = ''] = await receiver.said(
      /: big: cut off after (\d+) of 6000000 bytes: .* \(TNET_E_FILE\)\n/,
    );
    t.true(Number(cut) > 2_000_000 && Number(cut) < 2_500_000);
    t.is(statSync(join(dir, '.big.tnet-part')).size, Number(cut));
    const second = await runCli(t, ['connect', '--send-file', path, `127.0.0.1:${port}`]);
    t.is(second.code, 0);
    t.is(second.stderr, `tnet connect: 127.0.0.1:${port}: big: resumed after ${cut} of 6000000 bytes\n`);
    t.true(receiver.stderr().includes(`: big: resumed after ${cut} of 6000000 bytes\n`));
    sameFiles(t, dir, new Map([['big', content]]));
  },
);

test.serial(
  'after a kill of the receiver in the middle, the next run resumes what it had written',
  async (t) => {
    const dir = tempDir(t);
    const path = join(tempDir(t), 'big');
    const content = payload(6_000_000);
    writeFileSync(path, content);
    const receiver = startCli(t, ['listen', '--receive', dir, '127.0.0.1:0']);
    const cutter = await startCutter(t, await receiver.port(), 4_500_000);
    const sender = startCli(t, ['connect', '--send-file', path, `127.0.0.1:${cutter.port}`]);
    await cutter.reached;
    receiver.child.kill('SIGKILL');
    t.is((await sender.exit).code, 1);
    t.regex(
      sender.stderr(),
      /^tnet connect: \S+big: cut off after \d+ of 6000000 bytes: [^\n]+ \(TNET_E_FILE\)\n$/,
    );
    const kept = statSync(join(dir, '.big.tnet-part')).size;
    const again = startCli(t, ['listen', '--json', '--receive', dir, '127.0.0.1:0']);
    const [, address = ''] = await again.said(/"address":"([^"]+)"/);
    t.is((await runCli(t, ['connect', '--send-file', path, address])).code, 0);
    t.is((await again.exit).code, 0);
    t.like(
      eventsOf(again).find(({ event }) => event === 'file-started'),
      { fromBytes: kept, bytes: content.length },
    );
    sameFiles(t, dir, new Map([['big', content]]));
  },
);

test.serial('a source that has changed since the interruption is sent from its beginning', async (t) => {
  const dir = tempDir(t);
  const path = join(tempDir(t), 'f');
  writeFileSync(join(dir, '.f.tnet-part'), payload(100_000));
  const content = payload(300_000);
  writeFileSync(path, content);
  const receiver = startCli(t, ['listen', '--receive', dir, '127.0.0.1:0']);
  const sender = await runCli(t, ['connect', '-v', '--send-file', path, await receiver.address()]);
  t.is(sender.code, 0);
  t.regex(sender.stderr, /: f: 300000 bytes\n/);
  t.is((await receiver.exit).code, 0);
  sameFiles(t, dir, new Map([['f', content]]));
});

test.serial(
  'a file that is refused is one line and status 1 on both sides, and the others are sent',
  async (t) => {
    const { paths, contents } = sourceFiles(t);
    const dir = tempDir(t);
    writeFileSync(join(dir, 'a.bin'), 'mine');
    const receiver = startCli(t, ['listen', '--receive', dir, '127.0.0.1:0']);
    const sender = await runCli(t, ['connect', ...sendFlags(paths), await receiver.address()]);
    const why = 'another file has this name; with --overwrite it is replaced';
    t.is(sender.code, 1);
    t.is(sender.stderr, `tnet connect: ${paths[0]!}: the receiver does not take it: ${why} (TNET_E_FILE)\n`);
    t.is((await receiver.exit).code, 1);
    t.regex(
      receiver.stderr(),
      new RegExp(`^[^\\n]+\\ntnet listen: [^\\n]+: a\\.bin: ${why} \\(TNET_E_FILE\\)\\n$`),
    );
    sameFiles(t, dir, new Map([...contents, ['a.bin', Buffer.from('mine')]]));
  },
);

test.serial('--overwrite replaces, and --max-size refuses what is longer', async (t) => {
  const path = join(tempDir(t), 'f');
  const dir = tempDir(t);
  writeFileSync(path, 'new content');
  writeFileSync(join(dir, 'f'), 'old');
  const flags = ['listen', '-k', '--receive', dir, '--overwrite', '--max-size', '11'];
  const receiver = startCli(t, [...flags, '127.0.0.1:0']);
  const address = await receiver.address();
  t.is((await runCli(t, ['connect', '--send-file', path, address])).code, 0);
  t.is(readFileSync(join(dir, 'f'), 'utf8'), 'new content');
  writeFileSync(path, 'newer content');
  const sender = await runCli(t, ['connect', '--send-file', path, address]);
  t.is(sender.code, 1);
  t.regex(sender.stderr, /does not take it: it has 13 bytes, and the limit is 11 \(TNET_E_FILE\)/);
  t.is(readFileSync(join(dir, 'f'), 'utf8'), 'new content');
});

test.serial('with -k many clients send at the same time, and one name goes to one of them', async (t) => {
  const dir = tempDir(t);
  const receiver = startCli(t, ['listen', '-k', '--receive', dir, '127.0.0.1:0']);
  const address = await receiver.address();
  const contents = new Map<string, Buffer>();
  const paths = Array.from({ length: 6 }, (_, at) => {
    const path = join(tempDir(t), `f${at}`);
    contents.set(`f${at}`, payload(400_000 + at));
    writeFileSync(path, contents.get(`f${at}`)!);
    return path;
  });
  const senders = await Promise.all(
    paths.map((path) => runCli(t, ['connect', '--send-file', path, address])),
  );
  t.deepEqual(
    senders.map(({ code, stderr }) => [code, stderr]),
    senders.map(() => [0, '']),
  );
  sameFiles(t, dir, contents);
  receiver.child.kill('SIGTERM');
  t.is((await receiver.exit).signal, 'SIGTERM');
});

test.serial('SIGTERM cuts a transfer off, and keeps what has come', async (t) => {
  const dir = tempDir(t);
  const path = join(tempDir(t), 'big');
  writeFileSync(path, '');
  truncateSync(path, 4_000_000);
  const receiver = startCli(t, ['listen', '--receive', dir, '127.0.0.1:0']);
  const cutter = await startCutter(t, await receiver.port(), 1_000_000);
  const sender = startCli(t, ['connect', '--send-file', path, `127.0.0.1:${cutter.port}`]);
  await cutter.reached;
  receiver.child.kill('SIGTERM');
  t.is((await receiver.exit).signal, 'SIGTERM');
  t.is((await sender.exit).code, 1);
  t.true(existsSync(join(dir, '.big.tnet-part')));
  t.false(existsSync(join(dir, 'big')));
});

test.serial('--idle ends a transfer in which nothing moves, with status 124', async (t) => {
  const dir = tempDir(t);
  const path = join(tempDir(t), 'big');
  writeFileSync(path, payload(4_000_000));
  const receiver = startCli(t, ['listen', '-i', '500ms', '--receive', dir, '127.0.0.1:0']);
  const cutter = await startCutter(t, await receiver.port(), 1_000_000);
  startCli(t, ['connect', '--send-file', path, `127.0.0.1:${cutter.port}`]);
  t.is((await receiver.exit).code, 124);
  t.regex(receiver.stderr(), /no byte in either direction for 500 ms \(TNET_E_TIMEOUT\)/);
});

test.serial('a peer that receives no files is told from one that does', async (t) => {
  const path = join(tempDir(t), 'f');
  writeFileSync(path, 'x');
  const says: [what: string, act: (socket: net.Socket) => void, code: number, message: RegExp][] = [
    [
      'speaks',
      (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n'),
      1,
      /does not speak the protocol .* \(TNET_E_PROTOCOL\)/,
    ],
    ['ends', (socket) => socket.end(), 1, /before it was ready to receive files \(TNET_E_PROTOCOL\)/],
    [
      'is silent',
      () => undefined,
      124,
      /did not say that it receives files within 300 ms \(TNET_E_TIMEOUT\)/,
    ],
    ['echoes', (socket) => socket.pipe(socket), 1, /unknown type 0 \(TNET_E_PROTOCOL\)/],
  ];
  for (const [what, act, code, message] of says) {
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined).resume();
      act(socket);
      t.teardown(() => socket.destroy());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
    const { port } = server.address() as net.AddressInfo;
    const limit = what === 'is silent' ? '300ms' : '20s';
    const sender = await runCli(t, ['connect', '-w', limit, '--send-file', path, `127.0.0.1:${port}`]);
    t.is(sender.code, code, what);
    t.regex(sender.stderr, message, what);
  }
});

test.serial(
  'a port check does not take the place of the sender, and a client that says something else is refused',
  async (t) => {
    const dir = tempDir(t);
    const path = join(tempDir(t), 'f');
    writeFileSync(path, 'x');
    const receiver = startCli(t, ['listen', '-v', '--receive', dir, '127.0.0.1:0']);
    const address = await receiver.address();
    t.is((await runCli(t, ['connect', '-z', address])).code, 0);
    await receiver.said(/left without a word/);
    await runCli(t, ['connect', address], 'GET / HTTP/1.0\r\n\r\n');
    await receiver.said(/does not speak the protocol of --send-file and --receive \(TNET_E_PROTOCOL\)/);
    t.is((await runCli(t, ['connect', '--send-file', path, address])).code, 0);
    t.is((await receiver.exit).code, 0);
  },
);

test.serial(
  'a file of hundreds of megabytes is streamed: neither side keeps more than a few of them',
  async (t) => {
    t.timeout(120_000);
    const dir = tempDir(t);
    const path = join(tempDir(t), 'big');
    writeFileSync(path, '');
    truncateSync(path, 300_000_000);
    const receiver = startCli(t, ['listen', '-k', '-v', '--receive', dir, '127.0.0.1:0']);
    const small = join(tempDir(t), 'small');
    writeFileSync(small, 'x');
    const address = await receiver.address();
    t.is((await runCli(t, ['connect', '--send-file', small, address])).code, 0);
    const peakKib = () =>
      Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${receiver.child.pid!}/status`, 'latin1'))?.[1]);
    const before = peakKib();
    const sender = startCli(t, ['connect', '--json', '--send-file', path, address]);
    await receiver.said(/: big: complete, 300000000 bytes/);
    t.is((await sender.exit).code, 0);
    t.true(peakKib() - before < 120_000, `${peakKib() - before} KiB more`);
    t.is(statSync(join(dir, 'big')).size, 300_000_000);
  },
);

const wrong: [words: string[], message: string][] = [
  [
    ['connect', '--send-file', '/nowhere/file', '127.0.0.1:1'],
    'tnet connect: /nowhere/file: no such file or directory (TNET_E_USAGE)',
  ],
  [
    ['connect', '-u', '--send-file', '/nowhere/file', '127.0.0.1:1'],
    'tnet connect: --send-file needs a connection, and UDP has none (TNET_E_USAGE)',
  ],
  [
    ['connect', '-C', '--send-file', '/nowhere/file', '127.0.0.1:1'],
    'tnet connect: -C does not go with --send-file: files take the place of standard input and output (TNET_E_USAGE)',
  ],
  [
    ['listen', '--receive', '/nowhere/dir', '127.0.0.1:0'],
    'tnet listen: /nowhere/dir: no files can be received there (ENOENT) (TNET_E_USAGE)',
  ],
  [['listen', '--overwrite', '127.0.0.1:0'], 'tnet listen: --overwrite goes with --receive (TNET_E_USAGE)'],
  [
    ['listen', '-k', '--chat', '--receive', '/tmp', '127.0.0.1:0'],
    "tnet listen: option '--chat' cannot be used with option '--receive <dir>' (TNET_E_USAGE)",
  ],
];
for (const [words, message] of wrong) {
  test.serial(`tnet ${words.join(' ')} is refused before anything is opened`, async (t) => {
    const { code, stderr } = await runCli(t, words);
    t.is(code, 2);
    t.is(stderr, `${message}\n`);
  });
}

test.serial(
  'the folder is the one of the moment when it was opened, not of the current directory later',
  async (t) => {
    const parent = tempDir(t);
    mkdirSync(join(parent, 'in'));
    const path = join(parent, 'f');
    writeFileSync(path, 'x');
    const receiver = startCli(t, ['listen', '--receive', 'in', '127.0.0.1:0'], { cwd: parent });
    t.is((await runCli(t, ['connect', '--send-file', path, await receiver.address()])).code, 0);
    t.is(readFileSync(join(parent, 'in', 'f'), 'utf8'), 'x');
  },
);
