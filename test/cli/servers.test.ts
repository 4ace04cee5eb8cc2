import { once } from 'node:events';
import { join } from 'node:path';
import test from 'ava';
import { errorCode } from '../../src/errors.ts';
import { ask, collect, collectUntilClose, payload, sameBytes } from '../helpers/bytes.ts';
import { createAuthority } from '../helpers/certificates.ts';
import { runCli, startCli } from '../helpers/cli.ts';
import { connectPeer } from '../helpers/peers.ts';
import { exchange, startEcho, waitEnd } from '../helpers/proxy.ts';
import { tempDir } from '../helpers/temp.ts';
import { engines } from '../helpers/ways.ts';

// What every server has, whoever its clients are served by.

const authority = createAuthority();
test.after.always(() => authority.remove());

interface Kind {
  readonly name: string;
  readonly words: (target: string) => readonly string[];
}

/** Servers whose clients get back what they send. */
const echoing: readonly Kind[] = [
  { name: 'echo', words: () => ['echo', '127.0.0.1:0'] },
  { name: 'listen -k -e', words: () => ['listen', '-k', '-e', 'cat', '127.0.0.1:0'] },
  { name: 'listen --broker', words: () => ['listen', '--broker', '127.0.0.1:0'] },
  { name: 'proxy', words: (target) => ['proxy', '127.0.0.1:0', target] },
];

/** Those that serve with several processes. */
const shared = echoing.filter(({ name }) => name !== 'listen --broker');

for (const { engine, env } of engines) {
  for (const { name, words } of echoing) {
    test.serial(`${name} --drain lets a client go on after SIGTERM, and then ends (${engine})`, async (t) => {
      const args = [...words(await startEcho(t)), '--drain', '60s', '-v'];
      const cli = startCli(t, args, { env, stdin: 'null' });
      const address = await cli.address();
      const [client, other] = [await connectPeer(t, address), await connectPeer(t, address)];
      // In a broker it is the other one who hears.
      const heard = name === 'listen --broker' ? other : client;
      await cli.said(/(connection from[^]*){2}/);
      client.write('a');
      t.is(String((await once(heard, 'data'))[0]), 'a');
      cli.child.kill('SIGTERM');
      await cli.said(/waiting for 2 connections, at most 60 s/);
      client.write('b');
      t.is(String((await once(heard, 'data'))[0]), 'b');
      const ends = [client, other].map((one) => collectUntilClose(one));
      client.end();
      other.end();
      for (const { error } of await Promise.all(ends)) t.is(error, undefined);
      t.deepEqual(await cli.exit, { code: 143, signal: 'SIGTERM' });
      t.notRegex(cli.stderr(), /aborted|cut \d/);
    });
  }
}

for (const { name, words } of [echoing[0]!, echoing[1]!]) {
  test.serial(`without --drain, SIGTERM ends the clients of ${name} at once`, async (t) => {
    const cli = startCli(t, [...words(''), '-v'], { stdin: 'null' });
    const client = await connectPeer(t, await cli.address());
    await ask(client, 'a', 1);
    const over = collectUntilClose(client);
    cli.child.kill('SIGTERM');
    await over;
    t.deepEqual(await cli.exit, { code: 143, signal: 'SIGTERM' });
    t.notRegex(cli.stderr(), /waiting for/);
    t.regex(cli.stderr(), /: aborted, 1 byte in, 1 byte out/);
  });
}

test.serial('a client that outlasts --drain of echo is cut, and counted', async (t) => {
  const cli = startCli(t, ['echo', '127.0.0.1:0', '--drain', '200ms']);
  const client = await connectPeer(t, await cli.address());
  await ask(client, 'a', 1);
  const over = collectUntilClose(client);
  cli.child.kill('SIGTERM');
  t.is(errorCode((await over).error), 'ECONNRESET');
  t.is((await cli.exit).code, 143);
  t.regex(cli.stderr(), /cut 1 connection that had not ended\n.*1 connection \(1 failed\), 1 byte in/);
});

for (const { name, words } of echoing) {
  test.serial(`${name} --rate resets who connects more often`, async (t) => {
    const cli = startCli(t, [...words(await startEcho(t)), '--rate', '2/h'], { stdin: 'null' });
    const address = await cli.address();
    const served = [await connectPeer(t, address), await connectPeer(t, address)];
    t.is(await waitEnd(t, address), 'ECONNRESET');
    await cli.said(/refused 127\.0\.0\.1:\d+: too many new connections\n/);
    for (const client of served) t.false(client.destroyed);
  });
}

test.serial('--timeout of echo ends a client this long after it came, whatever it does', async (t) => {
  const cli = startCli(t, ['echo', '127.0.0.1:0', '--timeout', '1s']);
  const client = await connectPeer(t, await cli.address());
  const speaking = setInterval(() => client.write('x'), 50);
  t.teardown(() => clearInterval(speaking));
  await collectUntilClose(client);
  await cli.said(/127\.0\.0\.1:\d+: the connection was open for 1 s \(TNET_E_TIMEOUT\)/);
  t.is((await exchange(t, await cli.address(), 'next')).bytes.toString(), 'next');
});

for (const { name, words } of shared) {
  test.serial(`${name} --workers shares its clients, and not a byte is lost`, async (t) => {
    const cli = startCli(t, [...words(await startEcho(t)), '--workers', '2', '--json'], { stdin: 'null' });
    const [, address = ''] = await cli.said(/"event":"listening","address":"([^"]+)"/);
    t.is(cli.stderr().match(/"event":"listening"/g)?.length, 1);
    const held = await Promise.all(Array.from({ length: 4 }, () => connectPeer(t, address)));
    for (const client of held) await ask(client, 'a', 1);
    await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const sent = payload(50_000 + index);
        sameBytes(t, (await exchange(t, address, sent)).bytes, sent);
      }),
    );
    const ids = [...cli.stderr().matchAll(/"event":"accepted","id":(\d+)/g)].map(([, id]) => Number(id));
    t.deepEqual(
      ids.sort((one, other) => one - other),
      Array.from({ length: 12 }, (_, index) => index + 1),
    );
    for (const client of held) client.end();
    for (const client of held) t.is((await collect(client)).length, 0);
    cli.child.kill('SIGTERM');
    t.deepEqual(await cli.exit, { code: 143, signal: 'SIGTERM' });
    const [, totals = ''] = /(\{[^\n]*"event":"totals".*\})/.exec(cli.stderr()) ?? [];
    t.like(JSON.parse(totals), { connections: 12, open: 0, receivedBytes: 400_032, sentBytes: 400_032 });
  });
}

test.serial('the workers of echo show the certificate that is named, on a Unix path', async (t) => {
  const { certFile, keyFile } = authority.issue('workers', 'DNS:localhost');
  const path = join(tempDir(t), 's');
  const files = ['--tls-cert', certFile, '--tls-key', keyFile];
  const cli = startCli(t, ['echo', '-U', path, '--workers', '2', ...files]);
  await cli.said(/listening on/);
  const trust = ['--tls-ca', authority.caFile, '--tls-servername', 'localhost'];
  const { code, stdout, stderr } = await runCli(t, ['connect', '-U', path, ...trust], 'secret');
  t.is(code, 0, stderr);
  t.is(stdout.toString(), 'secret');
});

for (const [words, message] of [
  [['echo', '-u', '--workers', '2', '0'], /--workers needs a connection, and UDP has none/],
  [['listen', '-k', '--workers', '2', '0'], /--workers goes with -e or -c/],
  [['listen', '-e', 'cat', '--workers', '2', '127.0.0.1:0'], /--workers goes with -k/],
  [['listen', '--broker', '--workers', '2', '0'], /--workers/],
  [['listen', '--drain', '1s', '0'], /--drain goes with -k/],
  [['listen', '--rate', '1/s', '0'], /--rate goes with -k/],
] as const) {
  test.serial(`tnet ${words.join(' ')} is a usage error`, async (t) => {
    const { code, stderr } = await runCli(t, words);
    t.is(code, 2);
    t.regex(stderr, message);
    t.is(stderr.split('\n').length, 2);
  });
}

const behindProxy: readonly Kind[] = [
  { name: 'echo', words: () => ['echo', '127.0.0.1:0'] },
  { name: 'listen -k -d', words: () => ['listen', '-k', '-d', '127.0.0.1:0'] },
  { name: 'listen -k -e', words: () => ['listen', '-k', '-e', 'cat', '127.0.0.1:0'] },
  { name: 'proxy', words: (target) => ['proxy', '127.0.0.1:0', target] },
];

for (const { name, words } of behindProxy) {
  test.serial(
    `${name} --accept-proxy tells of each client when it comes, what it is, and how it ends`,
    async (t) => {
      const flags = ['--accept-proxy', '--deny', '192.0.2.66', '--json'];
      const cli = startCli(t, [...words(await startEcho(t)), ...flags], { stdin: 'null' });
      const [, address = ''] = await cli.said(/"event":"listening","address":"([^"]+)"/);
      (await connectPeer(t, address)).end();
      await cli.said(/"event":"ended","id":1,/);
      (await connectPeer(t, address))
        .on('error', () => undefined)
        .end('PROXY TCP4 192.0.2.66 127.0.0.1 1 2\r\n');
      await cli.said(/"event":"ended","id":2,/);
      (await connectPeer(t, address)).resume().end('PROXY TCP4 192.0.2.7 127.0.0.1 3 4\r\nhello');
      await cli.said(/"event":"ended","id":3,/);
      cli.child.kill('SIGUSR1');
      await cli.said(/"event":"totals"/);
      interface Told {
        readonly event: string;
        readonly id?: number;
        readonly client?: string;
        readonly remote?: string;
        readonly reason?: string;
      }
      const events = cli
        .stderr()
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Told);
      const toldOf = (id: number) => events.filter((event) => event.id === id).map(({ event }) => event);
      t.deepEqual(toldOf(1), ['accepted', 'probe', 'ended']);
      t.deepEqual(toldOf(2), ['accepted', 'client', 'ended']);
      t.deepEqual(
        toldOf(3).filter((event) => event !== 'connected' && event !== 'program-ended'),
        ['accepted', 'client', 'ended'],
      );
      t.like(
        events.find(({ event }) => event === 'refused'),
        { remote: '192.0.2.66:1', reason: 'denied by 192.0.2.66' },
      );
      t.is(events.find(({ event, id }) => event === 'client' && id === 3)?.client, '192.0.2.7:3');
      t.like(
        events.find(({ event }) => event === 'totals'),
        { connections: 3, open: 0, failed: 1, probes: 1, refused: { denied: 1 } },
      );
    },
  );
}

for (const command of ['echo', 'listen'] as const) {
  test.serial(`${command} --accept-proxy judges by its lists who comes on a Unix path`, async (t) => {
    const path = join(tempDir(t), 's');
    const words = command === 'listen' ? ['listen', '-k', '-e', 'cat'] : ['echo'];
    const cli = startCli(t, [...words, '-U', path, '--accept-proxy', '--allow', '192.0.2.0/24'], {
      stdin: 'null',
    });
    await cli.said(/listening on/);
    const header = (source: string) => `PROXY TCP4 ${source} 127.0.0.1 1 2\r\nhello`;
    t.is((await exchange(t, path, header('192.0.2.7'))).bytes.toString(), 'hello');
    t.is((await exchange(t, path, header('198.51.100.7'))).bytes.length, 0);
    await cli.said(/refused 198\.51\.100\.7:1: not allowed\n/);
  });
}
