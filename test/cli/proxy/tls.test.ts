import { once } from 'node:events';
import tls from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { collectUntilClose, payload, sameBytes } from '../../helpers/bytes.ts';
import { createAuthority } from '../../helpers/certificates.ts';
import { runCli } from '../../helpers/cli.ts';
import { connectPeer, startPeerServer } from '../../helpers/peers.ts';
import { exchange, startEcho, startProxy } from '../../helpers/proxy.ts';

const authority = createAuthority();
const server = authority.issue('server', 'DNS:localhost,IP:127.0.0.1');
const stranger = authority.selfSign('stranger', 'IP:127.0.0.1');
test.after.always(() => authority.remove());

const clientTls = ['--tls-in', '--tls-cert', server.certFile, '--tls-key', server.keyFile];
const targetTls = ['--tls-out', '--tls-ca', authority.caFile];

/** Sends through a TLS client of Node, half-closes, and gives what comes back. */
async function exchangeTls(t: ExecutionContext, address: string, sent: Buffer): Promise<Buffer> {
  const [host, port] = address.split(':');
  const options = { host, port: Number(port), ca: authority.ca, allowHalfOpen: true };
  const client = tls.connect(options);
  t.teardown(() => client.destroy());
  await once(client, 'secureConnect');
  client.end(sent);
  return (await collectUntilClose(client)).bytes;
}

async function startTlsEcho(t: ExecutionContext, { cert, key } = server): Promise<string> {
  const echo = tls.createServer({ cert, key, allowHalfOpen: true } as tls.TlsOptions, (socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  t.teardown(() => echo.close());
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  return `127.0.0.1:${(echo.address() as { port: number }).port}`;
}

test.serial('TLS is taken off clients, put on for targets, and both', async (t) => {
  const sent = payload(300_000);
  const off = await startProxy(t, await startEcho(t), ...clientTls);
  sameBytes(t, await exchangeTls(t, off.address, sent), sent);
  const secureEcho = await startTlsEcho(t);
  const on = await startProxy(t, secureEcho, ...targetTls);
  sameBytes(t, (await exchange(t, on.address, sent)).bytes, sent);
  const scheme = await startProxy(t, `tls://${secureEcho}`, ...targetTls.slice(1));
  sameBytes(t, (await exchange(t, scheme.address, sent)).bytes, sent);
  const both = await startProxy(t, secureEcho, ...clientTls, ...targetTls);
  sameBytes(t, await exchangeTls(t, both.address, sent), sent);
});

test.serial('a target whose certificate nobody vouches for resets its client and is named', async (t) => {
  const target = await startTlsEcho(t, stranger);
  const { cli, address } = await startProxy(t, target, ...targetTls);
  t.truthy((await exchange(t, address, 'x')).error);
  await cli.said(new RegExp(`${target}: .*(self-signed|certificate)`));
  const careless = await startProxy(t, target, '--tls-out', '--tls-insecure');
  t.is((await exchange(t, careless.address, 'x')).bytes.toString(), 'x');
});

test.serial('the PROXY header goes before TLS, to a target and from a client', async (t) => {
  const seen = await startPeerServer(t, 'tcp');
  const { address } = await startProxy(t, seen.words.join(':'), '--send-proxy', '1', ...targetTls);
  const client = await connectPeer(t, address);
  client.write('x');
  const upstream = await seen.accept();
  const [first] = (await once(upstream.resume(), 'data')) as [Buffer];
  t.true(first.toString('latin1').startsWith('PROXY TCP4 127.0.0.1 '));
  client.destroy();

  const inner = await startProxy(t, await startEcho(t), '--accept-proxy', ...clientTls);
  const outer = await startProxy(t, inner.address, '--send-proxy', '2', ...targetTls);
  const sent = payload(50_000);
  sameBytes(t, (await exchange(t, outer.address, sent)).bytes, sent);
});

test.serial('a client that does not speak TLS is cut at the handshake limit', async (t) => {
  const target = await startEcho(t);
  const { cli, address } = await startProxy(t, target, ...clientTls, '--handshake-limit', '200ms');
  const client = await connectPeer(t, address);
  await collectUntilClose(client);
  t.truthy(await cli.said(/no TLS handshake within 200 ms \(TNET_E_TIMEOUT\)/));
});

for (const [flags, message] of [
  [['--tls-client-ca', 'x'], /--tls-client-ca: makes sense only with --tls-in/],
  [['--tls-in', '--tls-client-ca', '/nonexistent'], /\/nonexistent: cannot be read/],
  [['--tls-in', '--tls-ca', 'x'], /--tls-ca: makes sense only with --tls-out/],
  [['--tls-cert', 'x'], /--tls-cert: makes sense only with --tls-in/],
  [['--tls-ca', 'x'], /--tls-ca: makes sense only with --tls-out/],
  [[...clientTls, '--route', 'sni:a=1'], /--route: sni: and alpn: make no sense with --tls-in/],
  [['--tls-out', '--tls-ca', '/nonexistent'], /\/nonexistent: cannot be read/],
] as const) {
  test.serial(`proxy with ${flags.join(' ').replaceAll(/\/\S*\//g, '')} is a usage error`, async (t) => {
    const { code, stderr } = await runCli(t, ['proxy', '0', '1', ...flags]);
    t.is(code, 2, stderr);
    t.regex(stderr, message);
  });
}
