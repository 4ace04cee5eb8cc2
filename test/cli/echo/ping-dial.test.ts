import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { createAuthority } from '../../helpers/certificates.ts';
import { closedPort, runCli, startCli } from '../../helpers/cli.ts';
import { startPeerServer } from '../../helpers/peers.ts';
import { startEcho } from '../../helpers/proxy.ts';
import { testWith } from '../../helpers/programs.ts';
import { tempDir } from '../../helpers/temp.ts';

/** A ping connects as `tnet connect` does: what is tested there is not tested again here, only that the ping asks for it. */

const authority = createAuthority();
const { cert, key } = authority.issue('server', 'DNS:localhost,IP:127.0.0.1');
test.after.always(() => authority.remove());

const few = ['-c', '3', '--rate', 'none'];

/** Runs a ping of three payloads that must be right. */
async function pingRight(t: ExecutionContext, words: readonly string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await runCli(t, ['echo', '--ping', '--json', ...few, ...words], '', {
    env,
  });
  t.is(code, 0, stderr);
  t.like(JSON.parse(stdout.toString()), { sent: 3, received: 3, wrong: 0, lost: 0 });
  return stderr;
}

test.serial('echo --ping -s connects from that address', async (t) => {
  const server = startCli(t, ['echo', '-v', '127.0.0.1:0']);
  await pingRight(t, ['-s', '127.0.0.9', await server.address()]);
  await server.said(/connection from 127\.0\.0\.9:\d+/);
});

test.serial('echo --ping -u -s sends from that address', async (t) => {
  const server = startCli(t, ['echo', '-u', '-v', '127.0.0.1:0']);
  await pingRight(t, ['-u', '-s', '127.0.0.9', '127.0.0.1', String(await server.port())]);
  await server.said(/127\.0\.0\.9:\d+/);
});

test.serial('echo -s names the address to listen on', async (t) => {
  const server = startCli(t, ['echo', '-s', '127.0.0.9', '-p', '0']);
  await pingRight(t, [await server.address()]);
  t.regex(await server.address(), /^127\.0\.0\.9:/);
});

for (const [flag, scheme] of [
  ['--socks', 'socks5'],
  ['--http-connect', 'http'],
] as const) {
  test.serial(
    `echo --ping -x goes through a proxy of ${scheme}, with the password of its file`,
    async (t) => {
      const folder = tempDir(t);
      const users = join(folder, 'htpasswd');
      writeFileSync(users, `me:{SHA}${createHash('sha1').update('secret').digest('base64')}\n`);
      const passwords = join(folder, 'password');
      writeFileSync(passwords, 'secret\n', { mode: 0o600 });
      const proxy = startCli(t, ['proxy', flag, '--auth-file', users, '127.0.0.1:0']);
      const via = `${scheme}://me@${await proxy.address()}`;
      const stderr = await pingRight(t, ['-x', via, '--proxy-password-file', passwords, await startEcho(t)]);
      t.regex(stderr, /"event":"proxied"/);
      await pingRight(t, ['-x', via, await startEcho(t)], { TNET_PROXY_PASSWORD: 'secret' });
    },
  );
}

for (const version of ['', '=2'])
  test.serial(
    `echo --ping --send-proxy${version} says who it is to an echo that wants to hear it`,
    async (t) => {
      const server = startCli(t, ['echo', '--accept-proxy', '127.0.0.1:0']);
      await pingRight(t, [`--send-proxy${version}`, await server.address()]);
    },
  );

test.serial('echo --ping --starttls begins as the protocol does', async (t) => {
  const { words } = await startPeerServer(t, 'tcp', (socket) => {
    socket.write('220 here\r\n');
    socket.on('data', function converse(chunk: Buffer) {
      const line = chunk.toString();
      if (line.startsWith('EHLO')) socket.write('250-here\r\n250 STARTTLS\r\n');
      if (!line.startsWith('STARTTLS')) return;
      socket.off('data', converse);
      socket.write('220 go on\r\n');
      const secure = new TLSSocket(socket, { isServer: true, cert, key });
      secure.on('error', () => undefined).pipe(secure);
    });
  });
  await pingRight(t, ['--starttls', 'smtp', '--tls-ca', authority.caFile, ...words]);
});

test.serial('echo --ping --wait begins once the server is there', async (t) => {
  const port = await closedPort();
  const args = ['echo', '--ping', '-v', ...few, '--wait', '20s', '--stable', '50ms', `127.0.0.1:${port}`];
  const cli = startCli(t, args);
  cli.stdout.resume();
  await cli.said(/retry 2 in/);
  const server = createServer((socket) => void socket.pipe(socket)).listen(port, '127.0.0.1');
  t.teardown(() => server.close());
  t.is((await cli.exit).code, 0, cli.stderr());
});

test.serial('echo --ping --wait ends with status 124 when nobody has come', async (t) => {
  const { code, stdout } = await runCli(t, [
    'echo',
    '--ping',
    '--wait',
    '300ms',
    `127.0.0.1:${await closedPort()}`,
  ]);
  t.deepEqual([code, stdout.length], [124, 0]);
});

test.serial('echo --ping --retry tries again as often as it is told', async (t) => {
  const address = `127.0.0.1:${await closedPort()}`;
  const flags = ['-v', '--retry', '2', '--retry-delay', '10ms'];
  const { code, stderr } = await runCli(t, ['echo', '--ping', ...flags, address]);
  t.is(code, 1);
  t.is(stderr.match(/retry \d of 2/g)?.length, 2, stderr);
});

testWith('ss')('echo --ping sets the options of its socket', async (t) => {
  const { words } = await startPeerServer(t, 'tcp', (socket) => void socket.pipe(socket));
  const cli = startCli(t, [
    'echo',
    '--ping',
    '-v',
    '--tos',
    'lowdelay',
    '--keepalive',
    '600s,10s,4',
    ...words,
  ]);
  cli.stdout.resume();
  await cli.said(/payload 0 is back|payload 1 is back/);
  const shown = execFileSync('ss', ['-tonimH', '--tos', `dport = :${words[1]!}`]).toString();
  t.regex(shown, /timer:\(keepalive,9min\d+sec,0\).*tos:0x10/);
});

test.serial('echo --ping -u takes the options that a UDP socket has', async (t) => {
  const server = startCli(t, ['echo', '-u', '127.0.0.1:0']);
  await pingRight(t, ['-u', '--ttl', '9', '127.0.0.1', String(await server.port())]);
});

test.serial('echo --ping -4 calls a proxy by IPv4, and leaves the target to it', async (t) => {
  const server = startCli(t, ['echo', '[::1]:0']);
  const proxy = startCli(t, ['proxy', '--socks', '127.0.0.1:0']);
  await pingRight(t, ['-4', '-x', `socks5://${await proxy.address()}`, await server.address()]);
});
