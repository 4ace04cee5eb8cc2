import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { collect, payload, sameBytes } from '../../helpers/bytes.ts';
import { createAuthority } from '../../helpers/certificates.ts';
import { closedPort, runCli, startCli } from '../../helpers/cli.ts';
import { connectPeer, startPeerServer } from '../../helpers/peers.ts';
import { testWith } from '../../helpers/programs.ts';
import { exchange, startProxy } from '../../helpers/proxy.ts';
import { tempDir } from '../../helpers/temp.ts';

/** A server that answers each request as a whole with `answer`. */
async function startAnswering(
  t: ExecutionContext,
  answer: (request: Buffer) => Buffer | string,
): Promise<string> {
  const { words } = await startPeerServer(t, 'tcp', (socket) => {
    void collect(socket).then((request) => socket.end(answer(request)));
  });
  return words.join(':');
}

const shout = (request: Buffer) => request.toString('latin1').toUpperCase();

/** Records clients of a shouting server, one after the other, and gives the file. */
async function recordClients(
  t: ExecutionContext,
  requests: readonly (string | Buffer)[],
  format = 'pcapng',
): Promise<string> {
  const file = join(tempDir(t), 'record');
  const { cli, address } = await startProxy(
    t,
    await startAnswering(t, shout),
    '-o',
    file,
    '--format',
    format,
  );
  for (const request of requests) await exchange(t, address, request);
  cli.child.kill('SIGTERM');
  await cli.exit;
  return file;
}

for (const format of ['pcapng', 'json', 'hex'] as const) {
  test.serial(
    `${format}: a server that does the same is status 0, and one that does not is 1 with the first difference`,
    async (t) => {
      const file = await recordClients(t, ['one', 'two', payload(40_000)], format);
      const same = await startAnswering(t, shout);
      const good = await runCli(t, ['proxy', '--replay', file, '-', same, '-v']);
      t.is(good.code, 0, good.stderr);
      t.is(good.stderr.match(/#\d: as recorded/g)?.length, 3);
      t.regex(good.stderr, /3 connections/);

      const other = await startAnswering(t, (request) => shout(request).replace(/^TWO$/, 'TOO'));
      const bad = await runCli(t, ['proxy', '--replay', file, '-', other, '--pace', 'none']);
      t.is(bad.code, 1);
      t.regex(bad.stderr, /record#2: differs: byte 1 is 0x4f 'O', and was 0x57 'W'\n/);
      t.is(bad.stderr.match(/differs/g)?.length, 1);

      const chosen = await runCli(t, ['proxy', '--replay', file, '-', other, '--connection', '3']);
      t.is(chosen.code, 0, chosen.stderr);
    },
  );
}

test.serial(
  'as the server, each client gets the next recorded connection, and after the last the first',
  async (t) => {
    const file = await recordClients(t, ['one', 'two']);
    const cli = startCli(t, ['proxy', '--replay', file, '127.0.0.1:0', '-v']);
    const address = await cli.address();
    for (const [sent, answer] of [
      ['one', 'ONE'],
      ['two', 'TWO'],
      ['uno', 'ONE'],
    ] as const) {
      t.is((await exchange(t, address, sent)).bytes.toString(), answer);
    }
    await cli.said(/record#1: differs: byte 0 is 0x75 'u', and was 0x6f 'o'/);
    t.is(cli.stderr().match(/as recorded/g)?.length, 2);
    cli.child.kill('SIGTERM');
    t.is((await cli.exit).code, 143);
  },
);

test.serial(
  'a replayed server waits for what its client sent before, and a replayed client for its server',
  async (t) => {
    const server = await startPeerServer(t, 'tcp');
    const file = join(tempDir(t), 'record');
    const { cli, address } = await startProxy(t, server.words.join(':'), '-o', file, '--format', 'json');
    const client = await connectPeer(t, address);
    const target = await server.accept();
    target.resume();
    target.write('220 ready\r\n');
    await once(client, 'data');
    client.write('HELO\r\n');
    await once(target, 'data');
    target.end('250 hello\r\n');
    await once(client, 'data');
    client.end();
    await once(target, 'end');
    cli.child.kill('SIGTERM');
    await cli.exit;

    const replay = startCli(t, ['proxy', '--replay', file, '127.0.0.1:0', '--pace', 'none', '-v']);
    const again = await connectPeer(t, await replay.address());
    t.is(String((await once(again, 'data'))[0]), '220 ready\r\n');
    again.write('HE');
    const pending = once(again, 'data');
    t.is(await Promise.race([pending, new Promise((resolve) => setTimeout(resolve, 200, 'quiet'))]), 'quiet');
    again.write('LO\r\n');
    t.is(String(((await pending) as [Buffer])[0]), '250 hello\r\n');
    again.end();
    await replay.said(/record#1: as recorded/);
  },
);

test.serial('what was recorded replays against its own replay', async (t) => {
  const file = await recordClients(t, ['one', 'two', 'three']);
  const server = startCli(t, ['proxy', '--replay', file, '127.0.0.1:0', '--pace', 'none']);
  const run = await runCli(t, [
    'proxy',
    '--replay',
    file,
    '--pace',
    '2x',
    '-',
    await server.address(),
    '--json',
  ]);
  t.is(run.code, 0, run.stderr);
  const events = run.stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const replayed = events.filter(({ event }) => event === 'replayed');
  t.deepEqual(
    replayed.map(({ remote, side, difference }) => [remote, side, difference]),
    [1, 2, 3].map((id) => [`${file}#${id}`, 'client', undefined]),
  );
  t.is(events.at(-1)!['event'], 'totals');
  t.is(events.at(-1)!['connections'], 3);
});

testWith('openssl')(
  'what was recorded in the clear is replayed to clients that speak TLS, and tapped',
  async (t) => {
    const authority = createAuthority();
    t.teardown(authority.remove);
    const own = authority.issue('replay', 'DNS:localhost');
    const file = await recordClients(t, ['secret']);
    const flags = ['--tls-in', '--tls-cert', own.certFile, '--tls-key', own.keyFile, '--tap=text'];
    const server = startCli(t, ['proxy', '--replay', file, '127.0.0.1:0', ...flags]);
    const run = await runCli(
      t,
      [
        'connect',
        '--tls',
        '--tls-ca',
        authority.caFile,
        '--tls-servername',
        'localhost',
        await server.address(),
      ],
      'secret',
    );
    t.is(run.stdout.toString(), 'SECRET');
    const shown: Buffer[] = [];
    server.stdout.on('data', (chunk: Buffer) => shown.push(chunk));
    server.child.kill('SIGTERM');
    await server.exit;
    t.regex(Buffer.concat(shown).toString(), / 1 < SECRET\n/);
  },
);

test.serial('a target that does not accept is status 1 and is named', async (t) => {
  const file = await recordClients(t, ['one']);
  const target = `127.0.0.1:${await closedPort()}`;
  const run = await runCli(t, ['proxy', '--replay', file, '-', target]);
  t.is(run.code, 1);
  t.true(run.stderr.includes(`${target}: connection refused (ECONNREFUSED)`), run.stderr);
});

test.serial('a server that falls silent is told after --idle', async (t) => {
  const file = await recordClients(t, ['one']);
  const server = await startPeerServer(t, 'tcp', (socket) => void socket.resume());
  const run = await runCli(t, ['proxy', '--replay', file, '-', server.words.join(':'), '--idle', '300ms']);
  t.is(run.code, 1);
  t.regex(run.stderr, /record#1: differs: (fell silent|broke off) after 0 of 3 bytes/);
});

test.serial('a large exchange is replayed whole both ways', async (t) => {
  const big = payload(3_000_000);
  const file = await recordClients(t, [big]);
  const server = startCli(t, ['proxy', '--replay', file, '127.0.0.1:0', '--pace', 'none']);
  const { bytes } = await exchange(t, await server.address(), big);
  sameBytes(t, bytes, Buffer.from(shout(big)));
});

const bad = 'not a recording';
for (const [args, message] of [
  [['--replay', 'FILE', '1'], /FILE: not a json, pcapng or hex recording made by tnet \(TNET_E_RECORDING\)/],
  [['--replay', '/nonexistent', '1'], /\/nonexistent: cannot be read \(ENOENT\)/],
  [
    ['--replay', 'FILE', '--allow', '127.0.0.0/8', '-', '2'],
    /--allow: makes no sense with - as LISTEN: the recording takes the clients' place/,
  ],
  [
    ['--replay', 'FILE', '--deny', '127.0.0.0/8', '-', '2'],
    /--deny: makes no sense with - as LISTEN: the recording takes the clients' place/,
  ],
  [['--replay', 'FILE', '1', '2'], /TARGET: makes no sense with --replay: the recording takes its place/],
  [['--replay', 'FILE', '-'], /TARGET: no target is given/],
  [['--pace', 'none', '1', '2'], /--pace: makes sense only with --replay/],
  [['--replay', 'FILE', '--pace', 'soon', '1'], /--pace soon: a pace is original, none, or a factor/],
  [
    ['--replay', 'FILE', '--tls-in', '--tls-cert', 'x', '-', '2'],
    /--tls-in: makes no sense with - as LISTEN/,
  ],
  [['--replay', 'FILE', '--balance', 'least', '1'], /--balance: makes no sense with --replay/],
] as const) {
  test.serial(`proxy ${args.join(' ')} is an error in one line, with status 2`, async (t) => {
    const file = join(tempDir(t), 'FILE');
    writeFileSync(file, bad);
    const words = args.map((word) => (word === 'FILE' ? file : word));
    const { code, stderr } = await runCli(t, ['proxy', ...words]);
    t.is(code, 2, stderr);
    t.regex(stderr, message);
    t.is(stderr.trimEnd().split('\n').length, 1, stderr);
  });
}
