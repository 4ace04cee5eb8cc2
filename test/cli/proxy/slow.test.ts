import test from 'ava';
import { collectUntilClose } from '../../helpers/bytes.ts';
import { createAuthority } from '../../helpers/certificates.ts';
import { startCli } from '../../helpers/cli.ts';
import { connectPeer } from '../../helpers/peers.ts';
import { startEcho } from '../../helpers/proxy.ts';

const authority = createAuthority();
const server = authority.issue('server', 'DNS:localhost,IP:127.0.0.1');
test.after.always(() => authority.remove());

/** The beginning of a TLS record of 512 bytes that holds a ClientHello. Source: RFC 8446 sections 5.1 and 4. */
const hello = Buffer.concat([Buffer.from('1603010200010001fc0303', 'hex'), Buffer.alloc(500)]);

const tlsIn = ['--tls-in', '--tls-cert', server.certFile, '--tls-key', server.keyFile];

for (const [what, flags, bytes, message] of [
  [
    'SOCKS 5',
    ['--socks'],
    Buffer.from([5, 200, ...Buffer.alloc(200)]),
    /did not say what it wants within 400 ms/,
  ],
  [
    'SOCKS 4',
    ['--socks'],
    Buffer.from([4, 1, 0, 80, 127, 0, 0, 1, ...Buffer.alloc(200, 65)]),
    /within 400 ms/,
  ],
  [
    'HTTP CONNECT',
    ['--http-connect'],
    Buffer.from(`CONNECT a:1 HTTP/1.1\r\nX: ${'x'.repeat(200)}`),
    /within 400 ms/,
  ],
  [
    'PROXY',
    ['TARGET', '--accept-proxy'],
    Buffer.from('PROXY TCP4 127.0.0.1 127.0.0.1 10000 80'),
    /within 400 ms/,
  ],
  ['TLS', ['TARGET', ...tlsIn], hello, /no TLS handshake within 400 ms \(TNET_E_TIMEOUT\)/],
  ['a routed TLS', ['--route', 'sni:a.example=TARGET'], hello, /refused .*: no route/],
] as const) {
  test.serial(`a client that drips ${what} a byte at a time is cut at the limit and counted`, async (t) => {
    const target = await startEcho(t);
    const words = flags.map((flag) => flag.replace('TARGET', target));
    const cli = startCli(t, ['proxy', '127.0.0.1:0', ...words, '--handshake-limit', '400ms']);
    const client = await connectPeer(t, await cli.address());
    let at = 0;
    // Each byte comes long before the limit, which is for all of them together.
    const drip = setInterval(() => client.write(bytes.subarray(at, ++at)), 50);
    await collectUntilClose(client);
    clearInterval(drip);
    t.true(at < bytes.length);
    await cli.said(message);
    cli.child.kill('SIGUSR1');
    await cli.said(/1 connection \(.*1 refused \((handshake|no route)\)\)/);
  });
}
