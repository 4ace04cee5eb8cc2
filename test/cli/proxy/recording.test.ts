import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { connect as connectTls } from 'node:tls';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { collect, payload, sameBytes } from '../../helpers/bytes.ts';
import { createAuthority } from '../../helpers/certificates.ts';
import { runCli, startCli, tnetPath, type Cli } from '../../helpers/cli.ts';
import { readText } from '../../helpers/lines.ts';
import { connectPeer, startPeerServer } from '../../helpers/peers.ts';
import { testWith } from '../../helpers/programs.ts';
import { exchange, startEcho, startProxy } from '../../helpers/proxy.ts';
import { tempDir } from '../../helpers/temp.ts';

interface RecordLine {
  readonly id: number;
  readonly event: string;
  readonly [member: string]: unknown;
}

function readLines(file: string): RecordLine[] {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as RecordLine);
}

function bytesOf(lines: readonly RecordLine[], id: number, direction: 'sent' | 'received'): Buffer {
  const data = lines.filter(
    (line) => line.event === 'data' && line.id === id && line['direction'] === direction,
  );
  return Buffer.concat(data.map((line) => Buffer.from(String(line['data']), 'base64')));
}

/** Ends the proxy, so that its recording is whole. */
async function end(t: ExecutionContext, cli: Cli): Promise<void> {
  cli.child.kill('SIGTERM');
  t.is((await cli.exit).code, 143, cli.stderr());
}

test.serial('concurrent clients are recorded in one file, each with its address and its bytes', async (t) => {
  const file = join(tempDir(t), 'record');
  const { cli, address } = await startProxy(t, await startEcho(t), '-o', file, '--format', 'json');
  const sent = Array.from({ length: 5 }, (_, index) => payload(50_000 + index));
  const clients = await Promise.all(sent.map(() => connectPeer(t, address)));
  const echoed = clients.map((client) => collect(client));
  const ports = clients.map(({ localPort }) => localPort!);
  for (const [index, bytes] of sent.entries()) clients[index]!.end(bytes);
  await Promise.all(echoed);
  await end(t, cli);
  const lines = readLines(file);
  for (const [index, bytes] of sent.entries()) {
    const opened = lines.find(
      (line) => line.event === 'open' && line['local'] === `127.0.0.1:${ports[index]}`,
    )!;
    t.is(opened['remote'], address);
    t.is(opened['role'], 'relayed');
    sameBytes(t, bytesOf(lines, opened.id, 'sent'), bytes);
    sameBytes(t, bytesOf(lines, opened.id, 'received'), bytes);
    const ends = lines.filter(({ id, event }) => id === opened.id && event !== 'data');
    t.deepEqual(
      ends.map(({ event, direction, reason }) => [event, direction ?? reason]),
      [
        ['open', undefined],
        ['end', 'sent'],
        ['end', 'received'],
        ['close', 'eof'],
      ],
    );
  }
  t.is(statSync(file).mode & 0o777, 0o600);
});

test.serial(
  'with faults, what the client sent is recorded as it came, and what it got as it went on',
  async (t) => {
    const file = join(tempDir(t), 'record');
    const flags = ['--corrupt', '0.1', '--seed', '3', '-o', file, '--format', 'json'];
    const received: Buffer[] = [];
    const server = await startPeerServer(t, 'tcp', (socket) => {
      void collect(socket).then((bytes) => {
        received.push(bytes);
        socket.end(bytes);
      });
    });
    const { cli, address } = await startProxy(t, server.words.join(':'), ...flags);
    const sent = payload(20_000);
    const { bytes } = await exchange(t, address, sent);
    await end(t, cli);
    const lines = readLines(file);
    sameBytes(t, bytesOf(lines, 1, 'sent'), sent);
    sameBytes(t, bytesOf(lines, 1, 'received'), bytes);
    t.false(received[0]!.equals(sent));
    t.false(bytes.equals(received[0]!));
  },
);

test.serial('a PROXY header is told and not recorded, and so is what a SOCKS client asks for', async (t) => {
  const target = await startEcho(t);
  const [byHeader, bySocks] = [join(tempDir(t), 'record'), join(tempDir(t), 'record')];
  const first = await startProxy(t, target, '--accept-proxy', '-o', byHeader, '--format', 'json');
  await exchange(t, first.address, 'PROXY TCP4 192.0.2.7 198.51.100.1 5000 80\r\nhello');
  await end(t, first.cli);
  const lines = readLines(byHeader);
  t.is(lines[0]!['note'], 'PROXY header from 192.0.2.7:5000');
  t.is(lines[0]!['target'], target);
  t.is(bytesOf(lines, 1, 'sent').toString(), 'hello');

  const cli = startCli(t, ['proxy', '--socks', '127.0.0.1:0', '-o', bySocks, '--format', 'json']);
  const proxy = `socks5://${await cli.address()}`;
  const run = await runCli(t, ['connect', '-x', proxy, ...target.split(':')], 'through');
  t.is(run.stdout.toString(), 'through');
  await end(t, cli);
  const asked = readLines(bySocks);
  t.is(asked[0]!['target'], target);
  t.is(bytesOf(asked, 1, 'sent').toString(), 'through');
  t.is(bytesOf(asked, 1, 'received').toString(), 'through');
});

test.serial(
  'a target that breaks off is a close of ours in the record, and a client that does is a reset',
  async (t) => {
    const file = join(tempDir(t), 'record');
    const server = await startPeerServer(t, 'tcp');
    const { cli, address } = await startProxy(t, server.words.join(':'), '-o', file, '--format', 'json');
    for (const breaks of ['target', 'client'] as const) {
      const client = await connectPeer(t, address);
      const target = await server.accept();
      target.write('x');
      await once(client, 'data');
      (breaks === 'target' ? target : client).resetAndDestroy();
      const other = breaks === 'target' ? client : target;
      other.resume();
      await new Promise((resolve) => other.once('close', resolve));
    }
    await end(t, cli);
    const reasons = readLines(file).filter(({ event }) => event === 'close');
    t.deepEqual(
      reasons.map(({ id, reason }) => [id, reason]),
      [
        [1, 'aborted'],
        [2, 'reset'],
      ],
    );
  },
);

testWith('tshark', 'openssl')(
  'tshark reads the pcapng of clients whose TLS the proxy takes off: plain text, true addresses, no complaint',
  async (t) => {
    const authority = createAuthority();
    t.teardown(authority.remove);
    const own = authority.issue('proxy', 'DNS:localhost');
    const file = join(tempDir(t), 'record.pcapng');
    const flags = [
      '--tls-in',
      '--tls-cert',
      own.certFile,
      '--tls-key',
      own.keyFile,
      '-o',
      file,
      '--format',
      'pcapng',
    ];
    const { cli, address } = await startProxy(t, await startEcho(t), ...flags);
    const port = Number(address.split(':').at(-1));
    const ports: number[] = [];
    const words = ['GET /one HTTP/1.1\r\n\r\n', 'GET /two HTTP/1.1\r\n\r\n'];
    for (const word of words) {
      const client = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca: authority.ca });
      await once(client, 'secureConnect');
      ports.push(client.localPort!);
      client.end(word);
      t.is((await collect(client)).toString(), word);
    }
    await end(t, cli);
    const tshark = (...args: string[]) =>
      execFileSync('tshark', ['-r', file, '-o', 'tcp.check_checksum:TRUE', ...args], {
        stdio: ['ignore', 'pipe', 'ignore'],
      }).toString();
    t.is(tshark('-Y', '_ws.malformed || tcp.analysis.flags || tcp.checksum.status == 0'), '');
    for (const [index, word] of words.entries()) {
      const followed = tshark('-q', '-z', `follow,tcp,raw,${index}`).split('\n');
      const hex = followed.filter((line) => /^\t?[0-9a-f]+$/.test(line));
      t.deepEqual(
        hex.map((line) => [line.startsWith('\t'), Buffer.from(line.trim(), 'hex').toString()]),
        [
          [false, word],
          [true, word],
        ],
      );
      t.true(followed.includes(`Node 0: 127.0.0.1:${ports[index]}`));
      t.true(followed.includes(`Node 1: 127.0.0.1:${port}`));
    }
    t.regex(
      tshark('-T', 'fields', '-e', 'frame.comment'),
      /^connection 1; to 127\.0\.0\.1:\d+; TLS, recorded in the clear\n/,
    );
  },
);

test.serial(
  '--tap shows both directions with id, time and offset on standard output, and nothing else there',
  async (t) => {
    const { cli, address } = await startProxy(t, await startEcho(t), '--tap', '-v');
    const out = readText(cli.stdout);
    await exchange(t, address, 'hello\r\n\x1b[2J');
    await out.until(/closed: eof\n/);
    await end(t, cli);
    const clock = String.raw`\d\d:\d\d:\d\d\.\d{6}`;
    const data = '00000000 68 65 6c 6c 6f 0d 0a 1b 5b 32 4a                \\|hello\\.\\.\\.\\[2J\\|';
    t.regex(
      out.text(),
      new RegExp(`^${clock} 1 = 127\\.0\\.0\\.1:\\d+ -> ${address} to 127\\.0\\.0\\.1:\\d+\n`),
    );
    t.regex(out.text(), new RegExp(`^${clock} 1 > ${data}$`, 'm'));
    t.regex(out.text(), new RegExp(`^${clock} 1 < ${data}$`, 'm'));
    for (const line of out.text().trimEnd().split('\n')) t.regex(line, new RegExp(`^${clock} 1 [<>=] `));
    t.regex(cli.stderr(), /connection from/);
  },
);

test.serial(
  '--tap=text makes control characters harmless, and is coloured when FORCE_COLOR says so',
  async (t) => {
    for (const [env, pattern] of [
      [{ NO_COLOR: '1', FORCE_COLOR: '' }, /^\S+ 1 > bell\\x07\\x1b\[31m$/m],
      [{ NO_COLOR: '', FORCE_COLOR: '1' }, /^\x1b\[36m\S+ 1 > bell\\x07\\x1b\[31m\x1b\[39m$/m],
    ] as const) {
      const cli = startCli(t, ['proxy', '--tap=text', '127.0.0.1:0', await startEcho(t)], { env });
      const out = readText(cli.stdout);
      await exchange(t, await cli.address(), 'bell\x07\x1b[31m\n');
      await out.until(/closed: eof/);
      t.regex(out.text(), pattern);
      await end(t, cli);
    }
  },
);

test.serial('lines of many concurrent connections never mix in the tap', async (t) => {
  const { cli, address } = await startProxy(t, await startEcho(t), '--tap=text');
  const out = readText(cli.stdout);
  const lines = Array.from({ length: 20 }, (_, index) => `${index} `.repeat(4_000).trim());
  await Promise.all(lines.map((line) => exchange(t, address, `${line}\n`)));
  await end(t, cli);
  if (!cli.stdout.closed) await once(cli.stdout, 'close');
  const shown = out.text().trimEnd().split('\n');
  for (const line of shown) t.regex(line, /^\S+ \d+ ([<>]\+? (\d*) ?(\2 )*\d*$|= )/);
});

test.serial(
  'a reader of the tap that takes nothing holds the connections, and no byte is lost or reordered',
  async (t) => {
    const script =
      'exec 3>&1; "$@" | { read -r line; echo "$line" >&3; read -r go < "$FIFO"; exec cat >/dev/null; }';
    const fifo = join(tempDir(t), 'go');
    execFileSync('mkfifo', [fifo]);
    const words = [process.execPath, tnetPath, 'proxy', '--tap', '127.0.0.1:0', await startEcho(t)];
    const child = spawn('sh', ['-c', script, 'sh', ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, FIFO: fifo },
      detached: true,
    });
    t.teardown(() => process.kill(-child.pid!, 'SIGKILL'));
    const said = readText(child.stderr);
    const [, address] = await said.until(/listening on (.+)\n/);
    const client = await connectPeer(t, address!);
    const sent = payload(3_000_000);
    let got = 0;
    const chunks: Buffer[] = [];
    client.on('data', (chunk: Buffer) => {
      got += chunk.length;
      chunks.push(chunk);
    });
    client.end(sent);
    // As long as nothing moves for a while, all is held.
    for (let last = -1; last !== got;) {
      last = got;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    t.true(got < sent.length, `${got} bytes came back`);
    const reader = spawn('sh', ['-c', 'echo go > "$0"', fifo]);
    await once(reader, 'exit');
    await once(client, 'end');
    sameBytes(t, Buffer.concat(chunks), sent);
  },
);

test.serial('when the reader of the tap is gone, that is said once and the connections go on', async (t) => {
  const cli = startCli(t, ['proxy', '--tap', '127.0.0.1:0', await startEcho(t)]);
  const address = await cli.address();
  cli.stdout.destroy();
  for (let run = 0; run < 3; run++) {
    const sent = payload(200_000);
    sameBytes(t, (await exchange(t, address, sent)).bytes, sent);
  }
  await end(t, cli);
  t.is(
    cli.stderr().match(/WARNING: nobody reads the tap any more: connections continue without it/g)?.length,
    1,
  );
});

for (const [args, message] of [
  [['--format', 'json'], /--format: makes sense only with --output/],
  [['--tap', '--live'], /--live: makes no sense with --tap/],
  [['--tap=octal'], /--tap: 'octal': expected one of hex, text/],
  [['-o', '/nonexistent/file'], /cannot be opened to record/],
] as const) {
  test.serial(`proxy 1 2 ${args.join(' ')} is a usage error in one line`, async (t) => {
    const { code, stderr } = await runCli(t, ['proxy', '1', '2', ...args]);
    t.is(code, 2);
    t.regex(stderr, message);
    t.is(stderr.trimEnd().split('\n').length, 1, stderr);
  });
}
