import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { errorCode } from '../../src/errors.ts';
import { Server, connect, type Socket } from '../../src/net/index.ts';
import { collect, collectUntilClose, payload, sameBytes } from '../helpers/bytes.ts';
import { createAuthority } from '../helpers/certificates.ts';
import { listen, targetOf } from '../helpers/net/sockets.ts';

const authority = createAuthority();
const outer = authority.issue('outer', 'DNS:outer.example');
const inner = authority.issue('inner', 'DNS:inner.example');
test.after.always(() => authority.remove());

const { ca } = authority;
const halfOpen = { allowHalfOpen: true, dataBeforeError: true } as const;
const named = (name: string) => ({ ca, host: name, servername: name });

interface Ends {
  readonly near: Socket;
  readonly far: Socket;
}

async function connectClear(t: ExecutionContext): Promise<Ends> {
  const server = await listen(t, new Server(halfOpen));
  const near = connect({ ...targetOf(server), ...halfOpen } as never);
  const [[far]] = (await Promise.all([once(server, 'connection'), once(near, 'connect')])) as [
    [Socket],
    unknown,
  ];
  for (const socket of [near, far]) {
    t.teardown(() => socket.destroy());
    socket.on('error', () => undefined);
  }
  return { near, far };
}

async function secure({ near, far }: Ends, pair: { cert: Buffer; key: Buffer }, name: string) {
  far.setSecure({ cert: pair.cert, key: pair.key });
  near.setSecure(named(name));
  await Promise.all([once(near, 'secure'), once(far, 'secure')]);
}

/** Both ends speak TLS within TLS. */
async function secureTwice(t: ExecutionContext): Promise<Ends> {
  const ends = await connectClear(t);
  await secure(ends, outer, 'outer.example');
  await secure(ends, inner, 'inner.example');
  return ends;
}

test('the certificate of the inner layer is the one that counts', async (t) => {
  const { near } = await secureTwice(t);
  t.is(near.secureLayer?.getPeerCertificate().subject.CN, 'inner');
});

const chunks = fc.array(fc.integer({ min: 1, max: 70_000 }), { maxLength: 6 });

test('random bytes cross two layers both ways, with the ends in either order', async (t) => {
  await fc.assert(
    fc.asyncProperty(chunks, chunks, fc.constantFrom('near', 'far', 'both'), async (up, down, first) => {
      const { near, far } = await secureTwice(t);
      const sent = { up: up.map((bytes) => payload(bytes)), down: down.map((bytes) => payload(bytes)) };
      const say = (socket: Socket, parts: readonly Buffer[]) => {
        for (const part of parts) socket.write(part);
      };
      const finish = (socket: Socket) => void socket.end();
      say(near, sent.up);
      say(far, sent.down);
      const received = { up: collect(far), down: collect(near) };
      if (first !== 'far') finish(near);
      if (first !== 'near') finish(far);
      if (first === 'near') {
        sameBytes(t, await received.up, Buffer.concat(sent.up));
        far.end('last words');
      }
      if (first === 'far') {
        sameBytes(t, await received.down, Buffer.concat(sent.down));
        near.end('last words');
      }
      const last = Buffer.from('last words');
      sameBytes(t, await received.up, Buffer.concat([...sent.up, ...(first === 'far' ? [last] : [])]));
      sameBytes(t, await received.down, Buffer.concat([...sent.down, ...(first === 'near' ? [last] : [])]));
      for (const socket of [near, far]) if (!socket.closed) await once(socket, 'close');
    }),
    { numRuns: 15 },
  );
});

test('a reader that takes nothing stops the peer through two layers, and nothing is lost', async (t) => {
  const { near, far } = await secureTwice(t);
  const sent = payload(20_000_000);
  near.pause();
  far.end(sent);
  // Until nothing moves any more.
  for (let before = -1; before !== far.bytesWritten;) {
    before = far.bytesWritten;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  t.true(near.readableLength < 1_000_000, `${near.readableLength} bytes are held`);
  t.true(far.writableLength > 0);
  sameBytes(t, await collect(near), sent);
});

test('what came before a reset comes out of two layers first, and then the reset', async (t) => {
  const { near, far } = await secureTwice(t);
  const sent = payload(40_000);
  near.pause();
  far.write(sent);
  // All of it has been received before the reset.
  while (near.readableLength < sent.length) await new Promise((resolve) => setTimeout(resolve, 5));
  far.resetAndDestroy();
  const { bytes, error } = await collectUntilClose(near);
  sameBytes(t, bytes, sent);
  t.is(errorCode(error), 'ECONNRESET');
});

test('a reset while writing is told through two layers to a writer whose peer takes nothing', async (t) => {
  const { near, far } = await secureTwice(t);
  near.resume();
  far.pause();
  near.write(payload(20_000_000));
  while (near.writableLength === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  far.resetAndDestroy();
  const [error] = (await once(near, 'error')) as [Error];
  t.regex(errorCode(error) ?? '', /ECONNRESET|EPIPE/);
});

test('a connection that ends without close_notify is cut short, in two layers as in one', async (t) => {
  const { near, far } = await secureTwice(t);
  const sent = payload(100_000);
  far.write(sent, () => far.destroy());
  const { bytes, error } = await collectUntilClose(near);
  sameBytes(t, bytes, sent);
  t.is(errorCode(error), 'TNET_E_TRUNCATED');
});

/** What a TLS proxy does: it takes its own layer off, and sends what is within to the target. */
async function startTunnel(t: ExecutionContext, onInner: (socket: tls.TLSSocket) => void, isProper = true) {
  const target = await listen(
    t,
    tls.createServer({ cert: inner.cert, key: inner.key, allowHalfOpen: true }, onInner),
  );
  const options = { cert: outer.cert, key: outer.key, allowHalfOpen: true };
  const proxy = tls.createServer(options, (client) => {
    const up = net.connect({ ...targetOf(target), allowHalfOpen: true } as net.NetConnectOpts);
    t.teardown(() => up.destroy());
    for (const side of [client, up]) side.on('error', () => undefined);
    client.pipe(up);
    up.pipe(client, { end: isProper });
    if (!isProper) up.once('end', () => client.destroy());
  });
  const near = connect({ ...targetOf(await listen(t, proxy)), ...halfOpen } as never);
  t.teardown(() => near.destroy());
  near.on('error', () => undefined);
  await once(near, 'connect');
  for (const name of ['outer.example', 'inner.example']) {
    near.setSecure(named(name));
    await once(near, 'secure');
  }
  return near;
}

test('each layer ends at a server of its own, and the end of each direction gets through', async (t) => {
  const near = await startTunnel(t, (socket) => {
    void collect(socket).then((bytes) => socket.end(bytes));
  });
  const sent = payload(1_000_000);
  near.end(sent);
  sameBytes(t, await collect(near), sent);
});

for (const isProper of [true, false]) {
  test(`a target that is cut off behind a TLS proxy is cut short${isProper ? ', however well the proxy ends' : ''}`, async (t) => {
    const near = await startTunnel(
      t,
      (socket) => {
        socket.on('error', () => undefined);
        socket.write('half of it', () => socket.destroy());
      },
      isProper,
    );
    const { bytes, error } = await collectUntilClose(near);
    t.is(bytes.toString(), 'half of it');
    t.is(errorCode(error), 'TNET_E_TRUNCATED');
  });
}

test('a proxy that ends before the inner handshake is over is told as that', async (t) => {
  const { near, far } = await connectClear(t);
  await secure({ near, far }, outer, 'outer.example');
  near.setSecure(named('inner.example'));
  far.end();
  const [error] = (await once(near, 'error')) as [Error];
  t.is(errorCode(error), 'TNET_E_TLS');
});

test('a certificate that the inner name does not fit is refused', async (t) => {
  const { near, far } = await connectClear(t);
  await secure({ near, far }, outer, 'outer.example');
  far.setSecure({ cert: inner.cert, key: inner.key });
  near.setSecure(named('other.example'));
  const [error] = (await once(near, 'error')) as [Error];
  t.is(errorCode(error), 'ERR_TLS_CERT_ALTNAME_INVALID');
});
