import { execFile } from 'node:child_process';
import { once } from 'node:events';
import type net from 'node:net';
import tls from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { createAuthority } from '../helpers/certificates.ts';
import { closedPort, runCli, startCli } from '../helpers/cli.ts';
import { startEcho } from '../helpers/proxy.ts';

const authority = createAuthority();
const server = authority.issue('server', 'DNS:localhost,IP:127.0.0.1');
test.after.always(() => authority.remove());

const trust = ['--tls-ca', authority.caFile];
const own = ['--tls-cert', server.certFile, '--tls-key', server.keyFile];

/** What openssl's client says of a handshake with the server on this port. */
function askOpenssl(port: number, ...words: string[]): Promise<string> {
  return new Promise((resolve) => {
    const args = ['s_client', '-connect', `127.0.0.1:${port}`, ...words];
    const client = execFile('openssl', args, (_error, stdout, stderr) => resolve(stdout + stderr));
    // A client whose handshake fails has gone before it reads.
    client.stdin!.on('error', () => undefined).end('Q\n');
  });
}

/** A TLS server of Node's that says which version and suite a client speaks. */
async function startNamer(t: ExecutionContext, options: tls.TlsOptions): Promise<number> {
  // Half-open: the client, which has nothing to say, may end its side before it is answered.
  const defaults = { allowHalfOpen: true, cert: server.cert, key: server.key };
  const listener = tls.createServer({ ...defaults, ...options }, (socket) => {
    const text = `${socket.getProtocol() ?? ''} ${socket.getCipher().name}`;
    // Node's server forgets close_notify when it ends at the very moment of the handshake's end.
    setImmediate(() => socket.on('error', () => undefined).end(text));
  });
  listener.on('tlsClientError', () => undefined);
  t.teardown(() => listener.close());
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return (listener.address() as net.AddressInfo).port;
}

const servers: readonly (readonly [words: readonly string[], needsTarget: boolean])[] = [
  [['echo'], false],
  [['listen', '-k', '-d'], false],
  [['proxy', '--tls-in', '127.0.0.1:0', 'TARGET'], true],
];
const asked: readonly (readonly [flags: readonly string[], client: readonly string[], protocol: string])[] = [
  [['--tls-min', '1.3'], ['-tls1_3'], 'TLSv1.3'],
  [['--tls-min', '1.3'], ['-tls1_2'], ''],
  [[], ['-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0'], ''],
  [['--tls-min', '1.1'], ['-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0'], 'TLSv1.1'],
  [['--tls-min', '1.0'], ['-tls1', '-cipher', 'DEFAULT@SECLEVEL=0'], 'TLSv1'],
  [['--tls-ciphers', 'ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES256-GCM-SHA384'], ['-tls1_2'], 'TLSv1.2'],
  [
    ['--tls-ciphers', 'ECDHE-RSA-AES256-GCM-SHA384'],
    ['-tls1_2', '-cipher', 'ECDHE-RSA-AES128-GCM-SHA256'],
    '',
  ],
];
for (const [words, needsTarget] of servers) {
  for (const [flags, client, protocol] of asked) {
    const command = words.slice(0, words[0] === 'proxy' ? 2 : undefined).join(' ');
    test.serial(
      `tnet ${[command, ...flags].join(' ')} speaks ${protocol || 'nothing'} with openssl s_client ${client.join(' ')}`,
      async (t) => {
        const target = needsTarget ? await startEcho(t) : '';
        const ends = needsTarget ? [] : ['127.0.0.1:0'];
        const line = [...words.map((word) => word.replace('TARGET', target)), ...own, ...flags, ...ends];
        const cli = startCli(t, line, { stdin: 'null' });
        cli.stdout.resume();
        const said = await askOpenssl(await cli.port(), ...client);
        const [, suite = '', version = ''] = /Cipher is (\S+)[^]*?Protocol *: (\S+)|$/.exec(said) ?? [];
        const name = version || (/^New, (TLSv1\.3), Cipher is TLS_/m.exec(said)?.[1] ?? '');
        t.is(suite === '(NONE)' ? '' : name, protocol, said);
      },
    );
  }
}

for (const [flags, options, expected] of [
  [['--tls-min', '1.3'], {}, 'TLSv1.3 TLS_AES_256_GCM_SHA384'],
  [['--tls-min', '1.3'], { maxVersion: 'TLSv1.2' }, undefined],
  [['--tls-ciphers', 'ECDHE+AES128'], { maxVersion: 'TLSv1.2' }, /^TLSv1\.2 ECDHE-\w+-AES128-/],
  [['--tls-ciphers', 'TLS_CHACHA20_POLY1305_SHA256'], {}, 'TLSv1.3 TLS_CHACHA20_POLY1305_SHA256'],
  [
    ['--tls-min', '1.0'],
    { minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'DEFAULT:@SECLEVEL=0' },
    /^TLSv1 /,
  ],
  [[], { minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'DEFAULT:@SECLEVEL=0' }, undefined],
] as const) {
  for (const command of ['connect', 'proxy'] as const) {
    test.serial(
      `tnet ${[command, ...flags].join(' ')} calls a server of ${JSON.stringify(options)}: ${String(expected)}`,
      async (t) => {
        const target = `127.0.0.1:${await startNamer(t, options)}`;
        let words = ['connect', ...trust, ...flags, '--tls', target];
        if (command === 'proxy') {
          const proxy = startCli(t, ['proxy', '--tls-out', ...trust, ...flags, '127.0.0.1:0', target]);
          words = ['connect', await proxy.address()];
        }
        const { code, stdout } = await runCli(t, words, '', { stdin: 'null' });
        if (expected === undefined) t.deepEqual([stdout.toString(), code !== 0], ['', true]);
        else if (typeof expected === 'string') t.is(stdout.toString(), expected);
        else t.regex(stdout.toString(), expected);
      },
    );
  }
}

for (const words of [
  ['connect', '--tls-ciphers', 'NOSUCH', '127.0.0.1:PORT'],
  ['echo', '--tls-ciphers', 'NOSUCH', '127.0.0.1:0'],
  ['proxy', '--tls-in', '--tls-ciphers', 'NOSUCH', '127.0.0.1:0', '127.0.0.1:1'],
]) {
  test.serial(`tnet ${words.slice(0, 3).join(' ')} is refused with one line and status 2`, async (t) => {
    const port = String(await closedPort());
    const { code, stderr } = await runCli(
      t,
      words.map((word) => word.replace('PORT', port)),
    );
    t.is(code, 2, stderr);
    t.regex(stderr, /^tnet \w+: NOSUCH: no cipher suite has this name: .* \(TNET_E_USAGE\)\n$/);
  });
}
