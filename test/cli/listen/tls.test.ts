import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import tls from 'node:tls';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { collect, payload, sameBytes } from '../../helpers/bytes.ts';
import { createAuthority } from '../../helpers/certificates.ts';
import { runCli, startCli, type Cli } from '../../helpers/cli.ts';
import { connectPeer } from '../../helpers/peers.ts';

const authority = createAuthority();
const server = authority.issue('server', 'DNS:localhost,IP:127.0.0.1');
const client = authority.issue('client', 'DNS:client');
const stranger = authority.selfSign('stranger', 'DNS:stranger');
test.after.always(() => authority.remove());

const pair = ['--tls-cert', server.certFile, '--tls-key', server.keyFile];

/** A half-open TLS client of node:tls, connected. */
async function connectTls(
  t: ExecutionContext,
  cli: Cli,
  options: tls.ConnectionOptions = {},
): Promise<tls.TLSSocket> {
  const plain = await connectPeer(t, await cli.address());
  const socket = tls.connect({ socket: plain, ca: authority.ca, host: 'localhost', ...options });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  return socket;
}

test.serial('listen carries both directions whole over TLS, with the ends of each', async (t) => {
  const cli = startCli(t, ['listen', ...pair, '127.0.0.1:0']);
  const [up, down] = [payload(700_001), payload(900_001)];
  const peer = await connectTls(t, cli);
  peer.end(up);
  sameBytes(t, await collect(cli.stdout), up);
  cli.stdin.end(down);
  sameBytes(t, await collect(peer), down);
  t.deepEqual(await cli.exit, { code: 0, signal: null }, cli.stderr());
});

test.serial('a throw-away certificate is made, and its printed fingerprint is a pin', async (t) => {
  const cli = startCli(t, ['listen', '--tls', '127.0.0.1:0'], { stdin: 'null' });
  const [, fingerprint] = await cli.said(/throw-away certificate with SHA-256 fingerprint ([0-9A-F:]{95})\n/);
  const port = String(await cli.port());
  const args = ['connect', '--tls-insecure', '--tls-pin', fingerprint!, '127.0.0.1', port];
  const received = collect(cli.stdout);
  const run = await runCli(t, args, 'hello');
  t.is(run.code, 0, run.stderr);
  t.is((await received).toString(), 'hello');
  t.is((await cli.exit).code, 0, cli.stderr());
});

test.serial(
  'the throw-away certificate names this machine, and openssl accepts it once it is trusted',
  async (t) => {
    const cli = startCli(t, ['listen', '--tls', '127.0.0.1:0'], { stdin: 'null' });
    const port = String(await cli.port());
    const script = `openssl s_client -connect 127.0.0.1:${port} </dev/null 2>/dev/null | openssl x509 -noout -text -checkhost localhost -checkip 127.0.0.1`;
    const { stdout } = await promisify(execFile)('sh', ['-c', script]);
    t.regex(stdout, /Hostname localhost does match certificate/);
    t.regex(stdout, /IP 127\.0\.0\.1 does match certificate/);
  },
);

test.serial(
  'with --tls-ca a client without a certificate is turned away with a line, and the next is served',
  async (t) => {
    const cli = startCli(t, ['listen', '-v', ...pair, '--tls-ca', authority.caFile, '127.0.0.1:0'], {
      stdin: 'null',
    });
    const received = collect(cli.stdout);
    const port = String(await cli.port());
    const trust = ['--tls-ca', authority.caFile, '127.0.0.1', port];
    const none = await runCli(t, ['connect', ...trust], 'x');
    t.is(none.code, 1);
    await cli.said(/127\.0\.0\.1:\d+: .*\(ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE\)\n/);
    const strange = await runCli(
      t,
      ['connect', '--tls-cert', stranger.certFile, '--tls-key', stranger.keyFile, ...trust],
      'x',
    );
    t.is(strange.code, 1);
    await cli.said(/the certificate is self-signed.*CN=stranger \(DEPTH_ZERO_SELF_SIGNED_CERT\)\n/);
    const good = await runCli(
      t,
      ['connect', '--tls-cert', client.certFile, '--tls-key', client.keyFile, ...trust],
      'let me in',
    );
    t.is(good.code, 0, good.stderr);
    t.is((await received).toString(), 'let me in');
    t.is((await cli.exit).code, 0, cli.stderr());
    t.regex(cli.stderr(), /certificate 0: CN=client; [^]*: eof, 9 bytes in/);
  },
);

test.serial('listen -k is not held up by clients that never begin TLS', async (t) => {
  const cli = startCli(t, ['listen', '-k', ...pair, '127.0.0.1:0'], { stdin: 'null' });
  await Promise.all([connectPeer(t, await cli.address()), connectPeer(t, await cli.address())]);
  const peer = await connectTls(t, cli);
  peer.end('quick');
  const [chunk] = (await once(cli.stdout, 'data')) as [Buffer];
  t.is(chunk.toString(), 'quick');
  cli.child.kill('SIGTERM');
  t.is((await cli.exit).code, 143);
});

test.serial('a tls:// address makes listen speak TLS', async (t) => {
  const cli = startCli(t, ['listen', ...pair, 'tls://127.0.0.1:0'], { stdin: 'null' });
  const peer = await connectTls(t, cli);
  peer.end('over TLS');
  t.is((await collect(cli.stdout)).toString(), 'over TLS');
});

test.serial('listen chooses the protocol that the client offers too', async (t) => {
  const cli = startCli(t, ['listen', ...pair, '--tls-alpn', 'h2', '--tls-alpn', 'xmpp', '127.0.0.1:0'], {
    stdin: 'null',
  });
  const peer = await connectTls(t, cli, { ALPNProtocols: ['xmpp'] });
  t.is(peer.alpnProtocol, 'xmpp');
  peer.end();
  t.is((await cli.exit).code, 0);
});

test.serial('listen and openssl s_client understand each other', async (t) => {
  const cli = startCli(t, ['listen', ...pair, '127.0.0.1:0']);
  const port = String(await cli.port());
  const args = [
    's_client',
    '-connect',
    `127.0.0.1:${port}`,
    '-CAfile',
    authority.caFile,
    '-verify_return_error',
    '-quiet',
  ];
  const peer = spawn('openssl', args, { stdio: ['pipe', 'pipe', 'ignore'] });
  t.teardown(() => peer.kill('SIGKILL'));
  peer.stdin.write('from openssl\n');
  t.is(String(((await once(cli.stdout, 'data')) as [Buffer])[0]), 'from openssl\n');
  cli.stdin.end('to openssl\n');
  t.is((await collect(peer.stdout)).toString(), 'to openssl\n');
  t.is((await cli.exit).code, 0, cli.stderr());
});

test.serial(
  'a client that cuts the connection without ending TLS is exit 1, with every byte before it',
  async (t) => {
    const cli = startCli(t, ['listen', ...pair, '127.0.0.1:0'], { stdin: 'null' });
    const plain = await connectPeer(t, await cli.address());
    const peer = tls.connect({ socket: plain, ca: authority.ca, host: 'localhost' });
    peer.on('error', () => undefined);
    await once(peer, 'secureConnect');
    const sent = payload(50_001);
    peer.write(sent, () => plain.end());
    sameBytes(t, await collect(cli.stdout), sent);
    t.is((await cli.exit).code, 1);
    t.regex(cli.stderr(), /\(TNET_E_TRUNCATED\)\n$/);
  },
);
