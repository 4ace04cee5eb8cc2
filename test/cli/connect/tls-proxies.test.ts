import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tls from 'node:tls';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { ask, collect, payload, sameBytes } from '../../helpers/bytes.ts';
import { createAuthority } from '../../helpers/certificates.ts';
import { closedPort, runCli, startCli } from '../../helpers/cli.ts';
import { connectPeer, startPeerServer } from '../../helpers/peers.ts';
import { startProgram, waitForPort } from '../../helpers/processes.ts';
import { testWith } from '../../helpers/programs.ts';
import { startEcho, startProxy } from '../../helpers/proxy.ts';
import { tempDir } from '../../helpers/temp.ts';

const authority = createAuthority();
const proxyPair = authority.issue('proxy', 'DNS:localhost');
const targetPair = authority.issue('target', 'DNS:localhost,IP:127.0.0.1');
const stranger = authority.selfSign('stranger', 'DNS:localhost');
test.after.always(() => authority.remove());

const trust = ['--proxy-ca', authority.caFile];

/** Our own proxy, with TLS towards its clients. */
async function startTlsProxy(t: ExecutionContext, pair = proxyPair, ...flags: string[]): Promise<string> {
  const tlsFlags = ['--tls-in', '--tls-cert', pair.certFile, '--tls-key', pair.keyFile];
  const proxy = startCli(t, ['proxy', '--http-connect', '127.0.0.1:0', ...tlsFlags, ...flags]);
  return `https://localhost:${await proxy.port()}`;
}

/** Answers with what it got when the client has ended, and ends. */
async function startAnswerer(t: ExecutionContext): Promise<readonly string[]> {
  const server = await startPeerServer(t, 'tcp', (socket) => {
    void collect(socket).then((bytes) => socket.end(bytes));
  });
  return server.words;
}

async function startTlsServer(
  t: ExecutionContext,
  serve: (socket: tls.TLSSocket) => void,
): Promise<readonly string[]> {
  const { cert, key } = targetPair;
  const server = tls.createServer({ cert, key, allowHalfOpen: true }, serve);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return ['localhost', String((server.address() as { port: number }).port)];
}

/** The same as startAnswerer(), with TLS. */
function startTlsAnswerer(t: ExecutionContext): Promise<readonly string[]> {
  return startTlsServer(t, (socket) => void collect(socket).then((bytes) => socket.end(bytes)));
}

/** A whole exchange, with a half-close, for an answer that comes after it. */
async function checkExchange(
  t: ExecutionContext,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<void> {
  const sent = payload(500_001);
  const run = await runCli(t, ['connect', ...args], sent, { env });
  t.is(run.code, 0, run.stderr);
  t.is(run.stderr, '');
  sameBytes(t, run.stdout, sent);
}

for (const engine of ['1', '0']) {
  test.serial(
    `connect goes through an https:// proxy, in the clear and with TLS within (TNET_NATIVE=${engine})`,
    async (t) => {
      const env = { TNET_NATIVE: engine };
      const way = ['-x', await startTlsProxy(t), ...trust];
      await checkExchange(t, [...way, ...(await startAnswerer(t))], env);
      const secure = ['--tls', '--tls-ca', authority.caFile];
      await checkExchange(t, [...way, ...secure, ...(await startTlsAnswerer(t))], env);
    },
  );
}

test.serial(
  'https:// proxies make chains, with each other and with others, and TLS within all of them',
  async (t) => {
    const [first, second] = [await startTlsProxy(t), await startTlsProxy(t)];
    const socks = startCli(t, ['proxy', '--socks', '127.0.0.1:0']);
    const chain = ['-x', first, '-x', `socks5://${await socks.address()}`, '-x', second, ...trust];
    await checkExchange(t, [...chain, ...(await startAnswerer(t))]);
    const secure = ['--tls', '--tls-ca', authority.caFile];
    await checkExchange(t, [...chain, ...secure, ...(await startTlsAnswerer(t))]);
  },
);

test.serial('an https:// proxy gets its user and password within TLS', async (t) => {
  const users = join(tempDir(t), 'users');
  writeFileSync(users, 'ada:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n');
  const proxy = await startTlsProxy(t, proxyPair, '--auth-file', users);
  const way = ['-x', proxy.replace('//', '//ada@'), ...trust];
  await checkExchange(t, [...way, ...(await startAnswerer(t))], { TNET_PROXY_PASSWORD: 'password' });
});

test.serial('-x env takes an https:// proxy from HTTPS_PROXY', async (t) => {
  const env = {
    HTTPS_PROXY: await startTlsProxy(t),
    ALL_PROXY: '',
    all_proxy: '',
    https_proxy: '',
    NO_PROXY: '',
  };
  await checkExchange(t, ['-x', 'env', ...trust, ...(await startAnswerer(t))], { ...env, no_proxy: '' });
});

test.serial('-v describes TLS with the proxy and TLS with the target', async (t) => {
  const proxy = await startTlsProxy(t);
  const target = await startTlsAnswerer(t);
  const flags = ['--tls-ca', authority.caFile, '--tls-min', '1.3', '-v'];
  const run = await runCli(t, ['connect', '-x', proxy, ...trust, '--tls', ...flags, ...target], 'x');
  t.is(run.code, 0);
  const [ofProxy, hop, ofTarget] = [
    run.stderr.search(new RegExp(`${proxy}.*TLSv1.3`)),
    run.stderr.search(new RegExp(`${proxy}.*${target.join(':')}`)),
    run.stderr.search(new RegExp(`${target.join(':')}.*TLSv1.3`)),
  ];
  t.true(ofProxy >= 0 && hop > ofProxy && ofTarget > hop, run.stderr);
});

test.serial('a reset of the target comes through the proxy after the bytes before it', async (t) => {
  const proxy = await startTlsProxy(t);
  const sent = payload(50_000);
  const target = await startPeerServer(t, 'tcp', (socket) => {
    socket.once('data', () => socket.write(sent, () => socket.resetAndDestroy()));
  });
  const run = await runCli(t, ['connect', '-x', proxy, ...trust, ...target.words], 'go');
  t.is(run.code, 1);
  t.regex(run.stderr, /ECONNRESET|TNET_E_TRUNCATED/);
  sameBytes(t, run.stdout, sent);
});

test.serial(
  'a proxy whose certificate is not trusted, or not for its host, is refused by name',
  async (t) => {
    const strange = await startTlsProxy(t, stranger);
    const own = await startTlsProxy(t);
    const target = await startAnswerer(t);
    const cases = [
      [
        strange,
        trust,
        /: no way to 127\.0\.0\.1:\d+: the certificate is self-signed and not trusted: CN=stranger; to trust it, give --proxy-ca FILE/,
      ],
      [
        own,
        [],
        /: no way to 127\.0\.0\.1:\d+: the certificate's issuer is not trusted: CN=ca; to trust it, give --proxy-ca FILE/,
      ],
      [
        own.replace('localhost', '127.0.0.1'),
        trust,
        /: the certificate is not for the address 127\.0\.0\.1, but for localhost \(/,
      ],
    ] as const;
    for (const [proxy, flags, said] of cases) {
      const run = await runCli(t, ['connect', '-x', proxy, ...flags, ...target], 'x');
      t.is(run.code, 1);
      t.is(run.stdout.length, 0);
      t.true(run.stderr.startsWith(`tnet connect: ${proxy}: `), run.stderr);
      t.regex(run.stderr, said);
      t.is(run.stderr.split('\n').length, 2);
    }
  },
);

test.serial('a proxy that speaks no TLS is refused in one line', async (t) => {
  const plain = startCli(t, ['proxy', '--http-connect', '127.0.0.1:0']);
  const proxy = `https://localhost:${await plain.port()}`;
  const run = await runCli(t, ['connect', '-x', proxy, ...trust, ...(await startAnswerer(t))], 'x');
  t.is(run.code, 1);
  t.is(run.stderr.split('\n').length, 2, run.stderr);
  t.true(run.stderr.startsWith(`tnet connect: ${proxy}: no way to `), run.stderr);
});

test.serial('--proxy-ca without a proxy that speaks TLS, or without a certificate, is exit 2', async (t) => {
  for (const [flags, said] of [
    [['-x', 'http://h:1', ...trust], /--proxy-ca needs a -x https:\/\/HOST:PORT/],
    [trust, /--proxy-ca: makes sense only with --via|-x/],
    [['-x', 'https://h:1', '--proxy-ca', '/nowhere'], /\/nowhere: cannot be read \(ENOENT\)/],
  ] as const) {
    const run = await runCli(t, ['connect', ...flags, '127.0.0.1', '1']);
    t.is(run.code, 2);
    t.regex(run.stderr, said);
  }
});

test.serial('a relay and a ping go through an https:// proxy', async (t) => {
  const way = ['-x', await startTlsProxy(t), ...trust];
  const echo = await startEcho(t);
  const { address } = await startProxy(t, echo, ...way);
  const client = await connectPeer(t, address);
  t.is((await ask(client, 'there and back', 14)).toString(), 'there and back');
  client.destroy();
  const ping = await runCli(t, ['echo', '--ping', echo, '-c', '2', '--rate', 'none', ...way]);
  t.is(ping.code, 0, ping.stderr);
});

test.serial('a relay that cannot read --proxy-ca does not start', async (t) => {
  const run = await runCli(t, ['proxy', '0', '1', '-x', 'https://h:1', '--proxy-ca', '/nowhere']);
  t.is(run.code, 2);
  t.regex(run.stderr, /\/nowhere: cannot be read/);
});

testWith('haproxy', 'tinyproxy')('connect goes through tinyproxy behind haproxy with TLS', async (t) => {
  const dir = tempDir(t);
  const [port, front] = [await closedPort(), await closedPort()];
  const tiny = join(dir, 'tinyproxy.conf');
  writeFileSync(tiny, [`Port ${port}`, 'Listen 127.0.0.1', 'Timeout 60', 'MaxClients 10', ''].join('\n'));
  await waitForPort(port, startProgram(t, 'tinyproxy', ['-d', '-c', tiny]));
  const pem = join(dir, 'pair.pem');
  writeFileSync(pem, Buffer.concat([proxyPair.cert, proxyPair.key]));
  const conf = join(dir, 'haproxy.cfg');
  writeFileSync(
    conf,
    `defaults
  timeout connect 30s
  timeout client 60s
  timeout server 60s
listen front
  bind 127.0.0.1:${front} ssl crt ${pem}
  server tiny 127.0.0.1:${port}
`,
  );
  await waitForPort(front, startProgram(t, 'haproxy', ['-f', conf, '-db']));
  const way = ['-x', `https://localhost:${front}`, ...trust];
  const secure = ['--tls', '--tls-ca', authority.caFile];
  const sent = payload(200_000);
  // Without a half-close: tinyproxy takes one for the end of both directions.
  const words = await startTlsServer(t, (socket) => {
    let left = sent.length;
    socket.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left === 0) socket.end('thanks');
    });
  });
  const run = await runCli(t, ['connect', '--no-shutdown', ...way, ...secure, ...words], sent);
  t.is(run.code, 0, run.stderr);
  t.is(run.stdout.toString(), 'thanks');
});

testWith('curl', 'openssl')(
  'curl goes through our proxy with TLS, to a server with TLS within',
  async (t) => {
    const proxy = await startTlsProxy(t);
    const port = await closedPort();
    const dir = tempDir(t);
    writeFileSync(join(dir, 'hello'), 'hello within two layers');
    const server = startProgram(
      t,
      'openssl',
      [
        's_server',
        '-accept',
        `127.0.0.1:${port}`,
        '-cert',
        targetPair.certFile,
        '-key',
        targetPair.keyFile,
        '-WWW',
      ],
      { cwd: dir },
    );
    await waitForPort(port, server);
    const words = ['-sS', '-x', proxy, '--proxy-cacert', authority.caFile, '--cacert', authority.caFile];
    const { stdout } = await promisify(execFile)('curl', [...words, `https://localhost:${port}/hello`], {
      timeout: 50_000,
    });
    t.is(stdout, 'hello within two layers');
  },
);
