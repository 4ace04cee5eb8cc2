import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import test from 'ava';
import { parseProxy } from '../../src/address/proxy-url.ts';
import { awaitDescriptor } from '../../src/net/descriptors.ts';
import type { Destination } from '../../src/dial/dial-options.ts';
import { dial } from '../../src/dial/dial.ts';
import { findFailure } from '../../src/dial/check.ts';
import { errorCode } from '../../src/errors.ts';
import { createContext, readOwnCertificate } from '../../src/dial/tls-files.ts';
import { payload, collect, sameBytes } from '../helpers/bytes.ts';
import { createAuthority } from '../helpers/certificates.ts';
import { startPeerServer } from '../helpers/peers.ts';
import { startSocks } from '../helpers/socks.ts';

const authority = createAuthority();
test.after.always(() => authority.remove());
const good = authority.issue('good', 'DNS:localhost,IP:127.0.0.1');

function toEndpoint(words: readonly string[]) {
  return { kind: 'tcp', host: '127.0.0.1', port: Number(words[1]) } as const;
}

test('the target gets the head first, and then what is sent', async (t) => {
  const peer = await startPeerServer(t, 'tcp');
  const head = payload(1_000);
  const socket = await dial(toEndpoint(peer.words), { head });
  t.teardown(() => socket.destroy());
  socket.end('after');
  sameBytes(t, await collect(await peer.accept()), Buffer.concat([head, Buffer.from('after')]));
});

for (const version of [1, 2] as const) {
  test(`a PROXY header of version ${version} names the connection's own ends`, async (t) => {
    const peer = await startPeerServer(t, 'tcp');
    const socket = await dial(toEndpoint(peer.words), { head: version });
    t.teardown(() => socket.destroy());
    socket.end();
    const bytes = await collect(await peer.accept());
    if (version === 1)
      t.is(
        bytes.toString(),
        `PROXY TCP4 127.0.0.1 127.0.0.1 ${socket.localPort ?? 0} ${peer.words[1] ?? ''}\r\n`,
      );
    else t.is(bytes.readUInt16BE(16 + 8), socket.localPort ?? 0);
  });
}

test('the source is where the connection comes from', async (t) => {
  const peer = await startPeerServer(t, 'tcp');
  const socket = await dial(toEndpoint(peer.words), { source: { address: '127.0.0.9' } });
  t.teardown(() => socket.destroy());
  t.is((await peer.accept()).remoteAddress, '127.0.0.9');
});

test('a socket option that cannot be set leaves no connection', async (t) => {
  const peer = await startPeerServer(t, 'tcp');
  const tune = () => {
    throw new Error('not this one');
  };
  await t.throwsAsync(dial(toEndpoint(peer.words), { tune }), { message: 'not this one' });
  const accepted = await peer.accept();
  t.is((await collect(accepted)).length, 0);
});

test('socket options are set before a proxy is spoken to', async (t) => {
  const proxy = await startSocks(t);
  const peer = await startPeerServer(t, 'tcp');
  const seen: number[] = [];
  const proxies = [parseProxy(`socks5://127.0.0.1:${proxy.port}`)];
  const tune = (socket: net.Socket) => void seen.push(socket.bytesWritten, proxy.requests.length);
  const socket = await dial(toEndpoint(peer.words), { proxies, tune });
  t.teardown(() => socket.destroy());
  t.deepEqual(seen, [0, 0]);
});

test('what a proxy is asked for is judged, and so is the proxy, each for what it is', async (t) => {
  const proxy = await startSocks(t);
  const proxies = [parseProxy(`socks5://127.0.0.1:${proxy.port}`)];
  for (const host of ['127.0.0.2', 'localhost', 'a.localhost']) {
    const asked: Destination[] = [];
    const judge = (to: Destination) => {
      asked.push(to);
      return to.isProxy ? undefined : new Error('not there');
    };
    await t.throwsAsync(dial({ kind: 'tcp', host, port: 9 }, { proxies, judge }), { message: 'not there' });
    const address = host === '127.0.0.2' ? host : '127.0.0.1';
    t.deepEqual(asked[0], { transport: 'stream', address, port: 9 });
  }
  const judge = (to: Destination) => (to.isProxy ? new Error('no such proxy') : undefined);
  await t.throwsAsync(dial({ kind: 'tcp', host: '127.0.0.2', port: 9 }, { proxies, judge }), {
    message: 'no such proxy',
  });
  t.is(proxy.requests.length, 0);
});

for (const endpoint of [
  { kind: 'udp', host: '127.0.0.1', port: 9 },
  { kind: 'unix', path: '/nonexistent' },
] as const) {
  test(`a proxy is not passed by for an endpoint of the kind ${endpoint.kind}`, async (t) => {
    const proxies = [parseProxy('socks5://127.0.0.1:9')];
    await t.throwsAsync(dial(endpoint, { proxies }), { code: 'TNET_E_USAGE' });
  });
}

test('TLS goes through a proxy, with the head before it and our certificate shown', async (t) => {
  const secure = tls.createServer({ ...good, ca: authority.ca, requestCert: true });
  const peer = await startPeerServer(t, 'tcp', (socket) => {
    socket.once('readable', () => {
      const head = socket.read(4) as Buffer | null;
      t.is(head?.toString(), 'head');
      secure.emit('connection', socket);
    });
  });
  const proxy = await startSocks(t);
  const files = { ca: authority.caFile, cert: good.certFile, key: good.keyFile };
  const dialled = dial(toEndpoint(peer.words), {
    proxies: [parseProxy(`socks5://127.0.0.1:${proxy.port}`)],
    head: Buffer.from('head'),
    tls: { context: createContext(files, readOwnCertificate(files), true), verify: true },
    tlsHost: 'localhost',
  });
  const [accepted] = (await once(secure, 'secureConnection')) as [tls.TLSSocket];
  t.true(accepted.authorized);
  t.is(accepted.servername, 'localhost');
  setImmediate(() => accepted.end('hello'));
  const socket = await dialled;
  t.teardown(() => socket.destroy());
  t.is((await collect(socket)).toString(), 'hello');
  accepted.destroy();
});

test('the observer hears of each part of the way in its order', async (t) => {
  const proxy = await startSocks(t);
  const peer = await startPeerServer(t, 'tcp');
  const heard: string[] = [];
  const [proxyAt, target] = [`127.0.0.1:${proxy.port}`, peer.words.join(':')];
  const socket = await dial(toEndpoint(peer.words), {
    proxies: [parseProxy(`socks5://${proxyAt}`)],
    observer: {
      tried: () => heard.push('tried'),
      lookedUp: (host) => heard.push(`looked up ${host}`),
      attempt: (address) => heard.push(`attempt ${address}`),
      hop: (by, to) => heard.push(`hop ${by} ${to}`),
    },
  });
  t.teardown(() => socket.destroy());
  t.deepEqual(heard, [
    'tried',
    'looked up 127.0.0.1',
    `attempt ${proxyAt}`,
    `hop socks5://${proxyAt} ${target}`,
  ]);
});

test('a connection counts once it has proved itself, and each try has to', async (t) => {
  const peer = await startPeerServer(t, 'tcp');
  let proofs = 0;
  const socket = await dial(toEndpoint(peer.words), {
    patience: { retries: 5, delayMs: 1, maxDelayMs: 1, attemptMs: 5_000 },
    prove(connection) {
      if (++proofs === 3) return Promise.resolve();
      connection.destroy();
      return Promise.reject(new Error('not yet'));
    },
  });
  t.teardown(() => socket.destroy());
  t.is(proofs, 3);
});

test('findFailure() leaves a server that it found in order, and says why none is found', async (t) => {
  const peer = await startPeerServer(t, 'tcp');
  const endpoint = toEndpoint(peer.words);
  t.is(await findFailure(endpoint, {}), undefined);
  t.is((await collect(await peer.accept())).length, 0);
  peer.server.close();
  t.is(errorCode(await findFailure(endpoint, {})), 'ECONNREFUSED');
});

const exhausted = () => Object.assign(new Error('no descriptor'), { code: 'EMFILE' });

test('a connection is opened as soon as there is a descriptor, in what is left of its time', async (t) => {
  const limits: (number | undefined)[] = [];
  const opened = await awaitDescriptor(
    (timeoutMs) => {
      limits.push(timeoutMs);
      return limits.length < 3 ? Promise.reject(exhausted()) : Promise.resolve('open');
    },
    10_000,
    undefined,
  );
  t.is(opened, 'open');
  t.is(limits[0], 10_000);
  t.true(limits[2]! <= 9_950);
});

test('without a descriptor in its time, or with another failure, a connection fails with that', async (t) => {
  await t.throwsAsync(
    awaitDescriptor(() => Promise.reject(exhausted()), 60, undefined),
    { code: 'EMFILE' },
  );
  const other = new Error('something else');
  t.is(await t.throwsAsync(awaitDescriptor(() => Promise.reject(other), undefined, undefined)), other);
});
