import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import test, { type ExecutionContext } from 'ava';
import { collect } from '../helpers/bytes.ts';
import { createAuthority } from '../helpers/certificates.ts';
import { runCli, startCli, type Cli } from '../helpers/cli.ts';
import { tempDir } from '../helpers/temp.ts';

const authority = createAuthority();
const pair = authority.issue('server', 'DNS:localhost,IP:127.0.0.1');
test.after.always(() => authority.remove());

const tls = ['--tls-cert', pair.certFile, '--tls-key', pair.keyFile];
const trust = ['--tls-ca', authority.caFile];

/** Commands that serve TLS, up to their address. Each ends a client that has ended its side. */
const servers: readonly (readonly string[])[] = [
  ['listen'],
  ['listen', '-d'],
  ['listen', '--no-shutdown'],
  ['listen', '-k'],
  ['listen', '-k', '-d'],
  ['listen', '-k', '--no-shutdown'],
  ['listen', '-k', '--label'],
  ['listen', '--broadcast'],
  ['listen', '--broker'],
  ['listen', '--chat'],
  ['listen', '-k', '--output-dir', 'DIR'],
  ['listen', '-e', 'cat'],
  ['listen', '-k', '-c', 'cat >/dev/null; echo done'],
  ['echo'],
  ['echo', '--service', 'discard'],
  ['echo', '--service', 'daytime'],
  ['echo', '--service', 'time'],
  ['echo', '--service', 'qotd'],
];

function startServer(t: ExecutionContext, args: readonly string[]): Cli {
  const words = args.map((word) => (word === 'DIR' ? join(tempDir(t), 'out') : word));
  const cli = startCli(t, [...words, ...tls, '127.0.0.1:0'], { stdin: 'null' });
  cli.stdout.resume();
  return cli;
}

/** openssl's client, which says hello, holds on, and complains of an end without words. */
function startOpenssl(t: ExecutionContext, port: number): { stdin: Writable; ended: Promise<string> } {
  const args = ['s_client', '-quiet', '-CAfile', authority.caFile, '-connect', `127.0.0.1:${port}`];
  const client = spawn('openssl', args);
  t.teardown(() => client.kill('SIGKILL'));
  client.stdout.resume();
  client.stdin.on('error', () => undefined).write('hello\n');
  return { stdin: client.stdin, ended: collect(client.stderr).then(String) };
}

/** openssl's server, with its stdin open so that it holds on. */
async function startOpensslServer(t: ExecutionContext) {
  const args = ['s_server', '-accept', '127.0.0.1:0', '-cert', pair.certFile, '-key', pair.keyFile];
  const server = spawn('openssl', args);
  t.teardown(() => server.kill('SIGKILL'));
  let text = '';
  for (const stream of [server.stdout, server.stderr]) stream.on('data', (chunk) => (text += String(chunk)));
  const said = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const match = pattern.exec(text);
      if (match) return match;
      await Promise.race([once(server.stdout, 'data'), once(server.stderr, 'data')]);
    }
  };
  const [, port = ''] = await said(/ACCEPT 127\.0\.0\.1:(\d+)/);
  /** What it says, up to a client's end. */
  const heard = async () => {
    await said(/DONE|ERROR|unexpected eof/);
    return text;
  };
  return { port, said, heard };
}

for (const args of servers) {
  const name = args.join(' ');

  test.serial(`tnet ${name} ends TLS in words for tnet connect`, async (t) => {
    const server = startServer(t, args);
    const client = await runCli(
      t,
      ['connect', ...trust, '127.0.0.1', String(await server.port())],
      'hello\n',
    );
    t.deepEqual({ code: client.code, said: client.stderr }, { code: 0, said: '' });
  });
}

test.serial('tnet listen --no-shutdown -q ends TLS in words for openssl s_client', async (t) => {
  const server = startCli(t, ['listen', '--no-shutdown', '-q', '100ms', ...tls, '127.0.0.1:0']);
  server.stdin.end('bye\n');
  server.stdout.resume();
  t.notRegex(await startOpenssl(t, await server.port()).ended, /unexpected eof/);
});

for (const args of [
  ['listen', '-d'],
  ['listen', '-k', '-d'],
  ['echo', '--service', 'discard'],
]) {
  test.serial(
    `tnet ${args.join(' ')} ends TLS in words for openssl s_client when it is told to end`,
    async (t) => {
      const server = startCli(t, [...args, '-v', ...tls, '127.0.0.1:0'], { stdin: 'null' });
      server.stdout.resume();
      const client = startOpenssl(t, await server.port());
      await server.said(/TLSv1/);
      server.child.kill('SIGTERM');
      t.notRegex(await client.ended, /unexpected eof/);
      await server.exit;
    },
  );
}

/** What a client sends, and how it ends: each has to end TLS in words, or the server says that it was cut short. */
const clients: readonly { readonly args: readonly string[]; readonly stdin?: 'null' }[] = [
  { args: ['connect', '-d'] },
  { args: ['connect', '--no-shutdown'] },
  { args: ['connect', '--no-shutdown', '-q', '100ms'] },
  { args: ['connect', '-q', '100ms'] },
  { args: ['connect', '--send-only'] },
  { args: ['connect', '--send-only', '--no-shutdown'] },
  { args: ['connect', '-e', 'echo hello'] },
];

for (const { args } of clients) {
  test.serial(`tnet ${args.join(' ')} ends TLS in words for tnet listen`, async (t) => {
    // It ends at once where the client waits for that, and holds on where the client is to end first.
    const holds = args.includes('-q') || args.includes('--send-only') || args.includes('-e');
    const server = startCli(t, ['listen', ...(holds ? ['-d'] : []), ...tls, '127.0.0.1:0']);
    server.stdin.end('bye\n');
    server.stdout.resume();
    const client = await runCli(t, [...args, ...trust, '127.0.0.1', String(await server.port())], 'hello\n');
    t.deepEqual({ code: client.code, said: client.stderr }, { code: 0, said: '' });
    t.is((await server.exit).code, 0, server.stderr());
    t.notRegex(server.stderr(), /TNET_E_TRUNCATED/);
  });
}

for (const args of [
  ['connect', '--no-shutdown'],
  ['connect', '-d'],
  ['connect', '--send-only'],
]) {
  test.serial(`tnet ${args.join(' ')} ends TLS in words for openssl s_server`, async (t) => {
    const { port, said, heard } = await startOpensslServer(t);
    const client = startCli(t, [...args, ...trust, '127.0.0.1', port]);
    client.stdin.end('hello\n');
    client.stdout.resume();
    await said(/CIPHER is/);
    if (!args.includes('--send-only')) client.child.kill('SIGTERM');
    t.notRegex(await heard(), /unexpected eof|ERROR/);
    await client.exit;
  });
}

test.serial('tnet echo --ping ends TLS in words', async (t) => {
  const server = startCli(t, ['listen', '-e', 'cat', ...tls, '127.0.0.1:0']);
  const target = `tls://127.0.0.1:${await server.port()}`;
  const client = await runCli(t, ['echo', '--ping', target, '-c', '3', ...trust]);
  t.is(client.code, 0, client.stderr);
  t.is((await server.exit).code, 0, server.stderr());
});

for (const [direction, args] of [
  ['--tls-in', tls],
  ['--tls-out', trust],
] as const) {
  test.serial(`tnet proxy ${direction} ends TLS in words`, async (t) => {
    const isIn = direction === '--tls-in';
    const server = startCli(t, ['listen', ...(isIn ? [] : tls), '127.0.0.1:0'], { stdin: 'null' });
    server.stdout.resume();
    const target = `127.0.0.1:${await server.port()}`;
    const proxy = startCli(t, ['proxy', direction, ...args, '127.0.0.1:0', target]);
    const port = String(await proxy.port());
    const client = await runCli(t, ['connect', ...(isIn ? trust : []), '127.0.0.1', port], 'hello\n');
    t.deepEqual({ code: client.code, said: client.stderr }, { code: 0, said: '' });
    t.is((await server.exit).code, 0, server.stderr());
  });
}

for (const args of [['listen'], ['listen', '-k'], ['echo', '--service', 'discard']]) {
  test.serial(`tnet ${args.join(' ')} does not end TLS in words for a client that it cuts off`, async (t) => {
    const server = startServer(
      t,
      [...args, '-d', '-i', '300ms'].filter((word) => word !== '-d' || args[0] === 'listen'),
    );
    const client = startCli(t, ['connect', ...trust, '127.0.0.1', String(await server.port())]);
    client.stdout.resume();
    client.stdin.write('hello\n');
    await t.notThrowsAsync(client.said(/TNET_E_TRUNCATED|ECONNRESET/));
    client.child.kill();
  });
}

test.serial(
  'a server that is interrupted resets a TLS client that has not ended, and says no end',
  async (t) => {
    const server = startServer(t, ['listen', '-k', '-d']);
    const client = startCli(t, ['connect', ...trust, '127.0.0.1', String(await server.port())]);
    client.stdin.write('hello\n');
    await once(server.stdout, 'data');
    server.child.kill('SIGTERM');
    t.is((await client.exit).code, 1);
    t.regex(client.stderr(), /connection reset by peer \(ECONNRESET\)/);
    t.is((await server.exit).code, 143);
  },
);
