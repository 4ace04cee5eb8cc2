import { execFileSync } from 'node:child_process';
import { spawn } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { once } from 'node:events';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { collect, payload, sameBytes } from '../../helpers/bytes.ts';
import { createAuthority } from '../../helpers/certificates.ts';
import { closedPort, runCli, startCli } from '../../helpers/cli.ts';
import { tempDir } from '../../helpers/temp.ts';

const authority = createAuthority();
const server = authority.issue('server', 'DNS:localhost,IP:127.0.0.1');
const expired = authority.issue('expired', 'DNS:localhost,IP:127.0.0.1', -1);
const other = authority.issue('other', 'DNS:other.example,DNS:www.other.example');
const future = authority.issueFuture('future', 'DNS:localhost,IP:127.0.0.1');
const lone = authority.selfSign('lone', 'DNS:localhost,IP:127.0.0.1');
const client = authority.issue('client', 'DNS:client');
test.after.always(() => authority.remove());

/** Node's server forgets close_notify when it ends at the very moment of the handshake's end. */
function sayHello(socket: tls.TLSSocket): void {
  setImmediate(() => socket.end('hello\n'));
}

/** A TLS server on loopback; `serve` gets each secure socket. */
async function startTls(
  t: ExecutionContext,
  options: tls.TlsOptions,
  serve: (socket: tls.TLSSocket) => void = sayHello,
): Promise<number> {
  const listener = tls.createServer({ allowHalfOpen: true, ...options }, (socket) => {
    t.teardown(() => socket.destroy());
    socket.on('error', () => undefined);
    serve(socket);
  });
  t.teardown(() => listener.close());
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return (listener.address() as net.AddressInfo).port;
}

const trust = ['--tls-ca', authority.caFile];

test.serial('connect carries both directions whole over TLS, with the ends of each', async (t) => {
  const [up, down] = [payload(700_001), payload(900_001)];
  const received = Promise.withResolvers<Buffer>();
  const port = await startTls(t, server, (socket) => {
    void collect(socket).then((bytes) => {
      received.resolve(bytes);
      socket.end(down);
    });
  });
  const run = await runCli(t, ['connect', ...trust, '127.0.0.1', String(port)], up);
  sameBytes(t, await received.promise, up);
  sameBytes(t, run.stdout, down);
  t.is(run.code, 0, run.stderr);
  t.is(run.stderr, '');
});

test.serial('a tls:// address is TLS, and its certificate is checked', async (t) => {
  const port = await startTls(t, server);
  const good = await runCli(t, ['connect', ...trust, `tls://localhost:${port}`]);
  t.is(good.stdout.toString(), 'hello\n');
  const bad = await runCli(t, ['connect', `tls://localhost:${port}`]);
  t.is(bad.code, 1);
  t.regex(
    bad.stderr,
    /the certificate's issuer is not trusted: CN=ca; to trust it, give --tls-ca FILE or --tls-pin SHA256; .*--tls-insecure.* \(UNABLE_TO_/,
  );
});

const today = Date.now();
const faults: readonly {
  readonly what: string;
  readonly pair: tls.TlsOptions;
  readonly flags?: readonly string[];
  readonly says: RegExp;
}[] = [
  {
    what: 'self-signed',
    pair: lone,
    says: /^tnet connect: 127\.0\.0\.1:\d+: the certificate is self-signed and not trusted: CN=lone; to trust it, give --tls-ca FILE or --tls-pin SHA256; --tls-insecure accepts any certificate \(DEPTH_ZERO_SELF_SIGNED_CERT\)\n$/,
  },
  {
    what: 'expired',
    pair: expired,
    says: new RegExp(
      `the certificate expired on ${new Date(today - 86_400_000).toISOString().slice(0, 10)}; .*--tls-insecure.* \\(CERT_HAS_EXPIRED\\)\n$`,
    ),
  },
  {
    what: 'not valid yet',
    pair: future,
    says: /the certificate is not valid until 2099-01-01; .* \(CERT_NOT_YET_VALID\)\n$/,
  },
  {
    what: 'for other names',
    pair: other,
    says: /the certificate is not for the address 127\.0\.0\.1, but for other\.example, www\.other\.example; to check another name, give --tls-servername NAME \(ERR_TLS_CERT_ALTNAME_INVALID\)\n$/,
  },
  {
    what: 'not for --tls-servername',
    pair: server,
    flags: ['--tls-servername', 'wrong.example'],
    says: /not for the name wrong\.example, but for localhost, 127\.0\.0\.1/,
  },
  {
    what: 'not the pinned one',
    pair: server,
    flags: ['--tls-pin', 'a'.repeat(64)],
    says: /the server's key does not match --tls-pin \(TNET_E_TLS\)/,
  },
];
for (const { what, pair, flags = [], says } of faults) {
  test.serial(
    `connect refuses a certificate that is ${what}, says so in a line, and sends nothing`,
    async (t) => {
      let sent = 0;
      const port = await startTls(t, pair, (socket) =>
        socket.on('data', (chunk: Buffer) => {
          sent += chunk.length;
        }),
      );
      const run = await runCli(t, ['connect', ...trust, ...flags, '127.0.0.1', String(port)], 'secret');
      t.is(run.code, 1);
      t.regex(run.stderr, says);
      t.is(run.stderr.split('\n').length, 2, run.stderr);
      t.is(run.stdout.length, 0);
      t.is(sent, 0);
    },
  );
}

test.serial('--tls-insecure connects and says loudly that nothing was checked', async (t) => {
  const port = await startTls(t, lone);
  const run = await runCli(t, ['connect', '--tls-insecure', '127.0.0.1', String(port)]);
  t.is(run.stdout.toString(), 'hello\n');
  t.is(run.code, 0);
  t.regex(run.stderr, /WARNING: .*NOT checked/);
});

test.serial('--tls-pin takes the key or the certificate, in hex or base64', async (t) => {
  const port = await startTls(t, lone);
  const shown = await runCli(t, ['connect', '--json', '--tls-insecure', '127.0.0.1', String(port)]);
  const event = shown.stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { event: string; fingerprint: string; keyPin: string })
    .find((entry) => entry.event === 'certificate')!;
  const hex = Buffer.from(event.keyPin, 'base64').toString('hex');
  for (const pin of [event.fingerprint, event.keyPin, `sha256//${event.keyPin}`, hex]) {
    const run = await runCli(t, ['connect', '--tls-insecure', '--tls-pin', pin, '127.0.0.1', String(port)]);
    t.is(run.code, 0, run.stderr);
    t.is(run.stdout.toString(), 'hello\n');
    t.regex(run.stderr, /only the pin/);
  }
});

test.serial(
  '-v shows protocol, cipher, ALPN, the chain, the names, and the days that are left',
  async (t) => {
    const port = await startTls(t, { ...server, ALPNProtocols: ['h2', 'imap'] });
    const run = await runCli(t, ['connect', '-v', ...trust, '--tls-alpn', 'imap', '127.0.0.1', String(port)]);
    t.is(run.code, 0);
    t.regex(run.stderr, /TLSv1\.3, TLS_[A-Z0-9_]+, ALPN imap, certificate verified\n/);
    t.regex(
      run.stderr,
      /certificate 0: CN=server; for localhost, 127\.0\.0\.1; valid until \d{4}-\d\d-\d\d \((29|30) days left\); issued by CN=ca; SHA-256 [0-9A-F:]{95}; key sha256\/\/[^ ]{44}\n/,
    );
  },
);

test.serial('a client certificate is shown when it is asked for', async (t) => {
  const port = await startTls(
    t,
    { ...server, requestCert: true, rejectUnauthorized: true, ca: authority.ca },
    (socket) => {
      const name = socket.getPeerCertificate().subject.CN as string;
      setImmediate(() => socket.end(name));
    },
  );
  const flags = ['--tls-cert', client.certFile, '--tls-key', client.keyFile];
  const run = await runCli(t, ['connect', ...trust, ...flags, '127.0.0.1', String(port)]);
  t.is(run.stdout.toString(), 'client');
  const without = await runCli(t, ['connect', ...trust, '127.0.0.1', String(port)]);
  t.is(without.code, 1);
  t.regex(without.stderr, /certificate required/);
});

test.serial('a connection that ends without close_notify is exit 1, with every byte before it', async (t) => {
  const sent = payload(200_001);
  const plain = net.createServer((socket) => {
    const secure = new tls.TLSSocket(socket, {
      isServer: true,
      secureContext: tls.createSecureContext(server),
    });
    secure.on('error', () => undefined);
    secure.on('secure', () => secure.write(sent, () => socket.end()));
  });
  t.teardown(() => plain.close());
  plain.listen(0, '127.0.0.1');
  await once(plain, 'listening');
  const { port } = plain.address() as net.AddressInfo;
  const run = await runCli(t, ['connect', ...trust, '127.0.0.1', String(port)]);
  sameBytes(t, run.stdout, sent);
  t.is(run.code, 1);
  t.regex(run.stderr, /ended the connection without ending TLS.*\(TNET_E_TRUNCATED\)\n$/);
});

test.serial('a server that speaks no TLS is told in a line', async (t) => {
  const plain = net.createServer((socket) => socket.on('error', () => undefined).end('220 hello\r\n'));
  t.teardown(() => plain.close());
  plain.listen(0, '127.0.0.1');
  await once(plain, 'listening');
  const { port } = plain.address() as net.AddressInfo;
  const run = await runCli(t, ['connect', '--tls', '127.0.0.1', String(port)]);
  t.is(run.code, 1);
  t.regex(
    run.stderr,
    /^tnet connect: 127\.0\.0\.1:\d+: the peer does not speak TLS here \(ERR_SSL_[A-Z_]+\)\n$/,
  );
});

test.serial('-w covers a TLS handshake that never comes', async (t) => {
  const plain = net.createServer(() => undefined);
  t.teardown(() => plain.close());
  plain.listen(0, '127.0.0.1');
  await once(plain, 'listening');
  const { port } = plain.address() as net.AddressInfo;
  const run = await runCli(t, ['connect', '--tls', '-w', '300ms', '127.0.0.1', String(port)]);
  t.is(run.code, 124);
  t.regex(run.stderr, /^tnet connect: no answer from 127\.0\.0\.1:\d+ within 300 ms \(TNET_E_TIMEOUT\)\n$/);
});

test.serial('SSLKEYLOGFILE gets the secrets, for this user only', async (t) => {
  const port = await startTls(t, server);
  const file = join(tempDir(t), 'keys');
  const env = { SSLKEYLOGFILE: file };
  const run = await runCli(t, ['connect', ...trust, '127.0.0.1', String(port)], '', { env });
  t.is(run.code, 0);
  t.regex(readFileSync(file, 'latin1'), /^CLIENT_TRAFFIC_SECRET_0 [0-9a-f]{64} [0-9a-f]+$/m);
  t.is(statSync(file).mode & 0o777, 0o600);
});

test.serial('SSLKEYLOGFILE that is a FIFO without a reader is said, and waits for nobody', async (t) => {
  const file = join(tempDir(t), 'fifo');
  execFileSync('mkfifo', [file]);
  const words = ['connect', ...trust, '127.0.0.1', String(await startTls(t, server))];
  const run = await runCli(t, words, '', { env: { SSLKEYLOGFILE: file } });
  t.is(run.code, 0);
  t.regex(run.stderr, /ENXIO/);
});

test.serial('flags and files that cannot be used are exit 2 before anything is opened', async (t) => {
  const port = String(await closedPort());
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['--tls-ca', '/nowhere'], /^tnet connect: \/nowhere: cannot be read \(ENOENT\) \(TNET_E_USAGE\)\n$/],
    [['--tls-ca', server.keyFile], /contains no PEM certificate/],
    [['--tls-key', server.keyFile], /--tls-key needs --tls-cert/],
    [['--tls-cert', server.certFile, '--tls-key', client.keyFile], /the key does not match the certificate/],
    [['--tls-pin', 'abc'], /a pin is a SHA-256 in hex or in base64/],
    [['--starttls', 'http'], /one of smtp, imap/],
  ];
  for (const [flags, says] of cases) {
    const run = await runCli(t, ['connect', ...flags, '127.0.0.1', port]);
    t.is(run.code, 2, run.stderr);
    t.regex(run.stderr, says);
  }
});

test.serial('connect and openssl s_server understand each other', async (t) => {
  const pair = ['-cert', server.certFile, '-key', server.keyFile];
  const peer = spawn('openssl', ['s_server', '-accept', '127.0.0.1:0', ...pair, '-rev'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => peer.kill('SIGKILL'));
  let said = '';
  let port: string | undefined;
  while (!port) {
    said += String(((await once(peer.stdout, 'data')) as [Buffer])[0]);
    port = /ACCEPT 127\.0\.0\.1:(\d+)\n/.exec(said)?.[1];
  }
  const cli = startCli(t, ['connect', ...trust, '127.0.0.1', port]);
  cli.stdin.write('live\n');
  const [chunk] = (await once(cli.stdout, 'data')) as [Buffer];
  t.is(chunk.toString(), 'evil\n');
  cli.stdin.end();
  t.is((await cli.exit).code, 0, cli.stderr());
});

test.serial('a name with a dot at its end is asked for, and checked, without it', async (t) => {
  const names: unknown[] = [];
  const port = await startTls(t, server, (socket) => {
    names.push((socket as tls.TLSSocket & { servername?: unknown }).servername);
    socket.end();
  });
  const { code } = await runCli(t, ['connect', ...trust, `tls://localhost.:${port}`]);
  t.is(code, 0);
  t.deepEqual(names, ['localhost']);
});
