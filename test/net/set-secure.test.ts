import { once } from 'node:events';
import tls from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { errorCode } from '../../src/errors.ts';
import { Server, connect, type Socket } from '../../src/net/index.ts';
import type { SecureUpgradeOptions } from '../../src/net/tls-layer.ts';
import { collect, collectUntilClose, payload, sameBytes } from '../helpers/bytes.ts';
import { createAuthority } from '../helpers/certificates.ts';
import { listen, targetOf } from '../helpers/net/sockets.ts';

const authority = createAuthority();
const server = authority.issue('server', 'DNS:localhost,IP:127.0.0.1');
const client = authority.issue('client', 'DNS:client');
const stranger = authority.selfSign('stranger', 'DNS:client');
test.after.always(() => authority.remove());

const halfOpen = { allowHalfOpen: true, dataBeforeError: true } as const;
const ca = authority.ca;
const serverPair = { cert: server.cert, key: server.key };

/** A connection in the clear. */
async function connectClear(t: ExecutionContext): Promise<{ near: Socket; far: Socket }> {
  const tcp = await listen(t, new Server(halfOpen));
  const near = connect({ ...targetOf(tcp), ...halfOpen } as never);
  const [[far]] = (await Promise.all([once(tcp, 'connection'), once(near, 'connect')])) as [
    [Socket],
    unknown,
  ];
  for (const socket of [near, far]) {
    t.teardown(() => socket.destroy());
    socket.on('error', () => undefined);
  }
  return { near, far };
}

/** A connection with TLS started on both ends, the server's first. */
async function openPair(
  t: ExecutionContext,
  clientOptions: SecureUpgradeOptions = {},
  serverOptions: SecureUpgradeOptions = {},
): Promise<{ near: Socket; far: Socket }> {
  const { near, far } = await connectClear(t);
  far.setSecure({ ...serverPair, ...serverOptions });
  near.setSecure({ ca, host: 'localhost', servername: 'localhost', ...clientOptions });
  return { near, far };
}

async function secured(
  t: ExecutionContext,
  version?: tls.SecureVersion,
): Promise<{ near: Socket; far: Socket }> {
  const pair = await openPair(t, version ? { maxVersion: version } : {});
  await Promise.all([once(pair.near, 'secure'), once(pair.far, 'secure')]);
  return pair;
}

/** The TCP socket under TLS, to break it: the carrier owns the descriptor. */
function cutWithoutTls(socket: Socket, how: 'fin' | 'rst'): void {
  if (how === 'rst') socket.resetAndDestroy();
  else socket.destroy();
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`carries both directions whole, and the end of each on its own, over ${version}`, async (t) => {
    const { near, far } = await secured(t, version);
    t.is(near.secureLayer?.getProtocol(), version);
    const [up, down] = [payload(3_000_000), payload(2_000_000)];
    near.end(up);
    sameBytes(t, await collect(far), up);
    far.end(down);
    sameBytes(t, await collect(near), down);
  });

  test(`goes on receiving after its own end over ${version}`, async (t) => {
    const { near, far } = await secured(t, version);
    far.end('first');
    t.is((await collect(near)).toString(), 'first');
    near.end('second');
    t.is((await collect(far)).toString(), 'second');
  });

  test(`tells a connection that ends without close_notify from one that ends with it, over ${version}`, async (t) => {
    const { near, far } = await secured(t, version);
    const sent = payload(100_000);
    far.write(sent, () => cutWithoutTls(far, 'fin'));
    const { bytes, error } = await collectUntilClose(near);
    sameBytes(t, bytes, sent);
    t.is(errorCode(error), 'TNET_E_TRUNCATED');
  });

  test(`delivers what came before a reset, and then the reset, over ${version}`, async (t) => {
    const { near, far } = await secured(t, version);
    const sent = payload(40_000);
    near.pause();
    far.write(sent, () => setTimeout(() => cutWithoutTls(far, 'rst'), 20));
    await once(far, 'close');
    const { bytes, error } = await collectUntilClose(near);
    sameBytes(t, bytes, sent);
    t.is(errorCode(error), 'ECONNRESET');
  });
}

test('delivers what one read brought before a record that is no such, and then the failure', async (t) => {
  const { near: nearMiddle, far: near } = await connectClear(t);
  const { near: farMiddle, far } = await connectClear(t);
  const sent = payload(40_000);
  const record = Buffer.from('1703030010'.padEnd(42, '0'), 'hex');
  const aes = { maxVersion: 'TLSv1.2', ciphers: 'ECDHE+AESGCM' } as const;
  const held: Buffer[] = [];
  let isHolding = false;
  nearMiddle.on('data', (chunk) => farMiddle.write(chunk));
  farMiddle.on('data', (chunk: Buffer) => {
    if (!isHolding) return void nearMiddle.write(chunk);
    held.push(chunk);
    // Three records, of 29 bytes more than they carry each.
    const bytes = Buffer.concat(held);
    if (bytes.length >= sent.length + 3 * 29) nearMiddle.write(Buffer.concat([bytes, record]));
  });
  far.setSecure(serverPair);
  near.setSecure({ ca, host: 'localhost', servername: 'localhost', isServer: false, ...aes });
  await Promise.all([once(near, 'secure'), once(far, 'secure')]);
  isHolding = true;
  far.write(sent);
  const { bytes, error } = await collectUntilClose(near);
  sameBytes(t, bytes, sent);
  t.regex(errorCode(error) ?? '', /^ERR_SSL_/);
});

test('a reader that takes nothing stops the peer, and nothing is lost', async (t) => {
  const { near, far } = await secured(t);
  const sent = payload(20_000_000);
  near.pause();
  far.end(sent);
  await new Promise((resolve) => setTimeout(resolve, 300));
  t.true(near.readableLength < 1_000_000, `${near.readableLength} bytes are held`);
  t.true(far.writableLength > 0);
  sameBytes(t, await collect(near), sent);
});

test('a reset while writing is told to a writer whose peer takes nothing', async (t) => {
  const { near, far } = await secured(t);
  near.resume();
  far.pause();
  near.write(payload(20_000_000));
  setTimeout(() => cutWithoutTls(far, 'rst'), 50);
  const [error] = (await once(near, 'error')) as [Error];
  t.regex(errorCode(error) ?? '', /ECONNRESET|EPIPE/);
});

test('a peer that ends during the handshake is told as that', async (t) => {
  const { near, far } = await connectClear(t);
  near.setSecure({ ca, host: 'localhost' });
  far.end();
  const [error] = (await once(near, 'error')) as [Error];
  t.is(errorCode(error), 'TNET_E_TLS');
  t.is(error.message, 'the peer ended the connection during the TLS handshake');
});

test('a server too says that its client ended during the handshake', async (t) => {
  const { near, far } = await connectClear(t);
  far.setSecure(serverPair);
  near.end('\x16');
  const [error] = (await once(far, 'error')) as [Error];
  t.is(errorCode(error), 'TNET_E_TLS');
});

const strangers: readonly (readonly [string, SecureUpgradeOptions, string])[] = [
  [
    'an unknown authority',
    { ca: stranger.cert },
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY|UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ],
  ['another name', { host: 'other.example', servername: 'other.example' }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
];
for (const [what, options, code] of strangers) {
  test(`a client refuses a server with ${what}`, async (t) => {
    const { near } = await openPair(t, options);
    const [error] = (await once(near, 'error')) as [Error];
    t.regex(errorCode(error) ?? '', new RegExp(`^(${code})$`));
  });
}

test('a server that asks for certificates takes the ones of its authority', async (t) => {
  const { near, far } = await openPair(
    t,
    { cert: client.cert, key: client.key },
    { requestCert: true, rejectUnauthorized: true, ca },
  );
  await once(far, 'secure');
  t.true(far.secureLayer?.authorized);
  near.end('hello');
  t.is((await collect(far)).toString(), 'hello');
});

for (const [what, options] of [
  ['none', {}],
  ['a strange one', { cert: stranger.cert, key: stranger.key }],
] as const) {
  test(`a server that asks for certificates refuses a client with ${what}`, async (t) => {
    const { near, far } = await openPair(t, options, { requestCert: true, rejectUnauthorized: true, ca });
    far.once('secure', () => t.fail('the client was let in'));
    const [error] = (await once(far, 'error')) as [Error];
    t.truthy(errorCode(error));
    near.resume();
    if (!near.closed) await new Promise((resolve) => near.once('close', resolve));
    t.false(near.readableEnded);
  });
}

test('bytes written in the clear before come out in the clear, and bytes after it encrypted', async (t) => {
  const { near, far } = await connectClear(t);
  near.write('HELLO\n');
  near.setSecure({ ca, host: 'localhost' });
  near.end('secret');
  const chunk = await new Promise<Buffer>((resolve) => {
    far.once('data', (first: Buffer) => {
      far.pause();
      resolve(first);
    });
  });
  t.is(chunk.subarray(0, 6).toString(), 'HELLO\n');
  far.unshift(chunk.subarray(6));
  far.setSecure(serverPair);
  t.is((await collect(far)).toString(), 'secret');
});

test('node:tls and a secure socket understand each other', async (t) => {
  const tlsServer = tls.createServer({ ...serverPair, allowHalfOpen: true }, (socket) => socket.pipe(socket));
  await listen(t, tlsServer);
  const near = connect({ ...targetOf(tlsServer), ...halfOpen } as never);
  await once(near, 'connect');
  near.setSecure({ ca, host: 'localhost' });
  const sent = payload(1_000_000);
  near.end(sent);
  sameBytes(t, await collect(near), sent);
});
