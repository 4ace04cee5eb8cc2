import { once } from 'node:events';
import type net from 'node:net';
import tls from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { parseProxy } from '../../../../src/address/proxy-url.ts';
import type { Endpoint } from '../../../../src/address/endpoint.ts';
import { findFailure } from '../../../../src/dial/check.ts';
import { nativeStatus } from '../../../../src/native/addon.ts';
import type { Connection } from '../../../../src/net/connection.ts';
import { Socket } from '../../../../src/net/index.ts';
import type { ProxyHost } from '../../../../src/handlers/relay/host.ts';
import { Ledger } from '../../../../src/serve/ledger.ts';
import { OwnAddresses } from '../../../../src/serve/own-addresses.ts';
import {
  prepareTargetDialing,
  type TargetDialValues,
} from '../../../../src/handlers/relay/targets/target-dial.ts';
import { LoopWatch } from '../../../../src/handlers/relay/targets/rules.ts';
import {
  connectTarget,
  createDialOptions,
  type ConnectOptions,
} from '../../../../src/handlers/relay/targets/upstream.ts';
import { ask, collect } from '../../../helpers/bytes.ts';
import { createAuthority } from '../../../helpers/certificates.ts';
import { startPeerServer } from '../../../helpers/peers.ts';
import { startSocks } from '../../../helpers/socks.ts';

const authority = createAuthority();
test.after.always(() => authority.remove());
const good = authority.issue('good', 'DNS:localhost,IP:127.0.0.1');

const host: ProxyHost = {
  ledger: new Ledger(),
  emit: () => undefined,
  fail: () => undefined,
  signal: new AbortController().signal,
};

async function connect(
  t: ExecutionContext,
  target: Endpoint,
  values: TargetDialValues,
  own: ConnectOptions = {},
): Promise<Socket> {
  const socket = await connectTarget(target, await prepareTargetDialing(values, host), own);
  t.teardown(() => socket.destroy());
  if (!(socket instanceof Socket)) throw new Error('a stream is wanted');
  return socket;
}

function toEndpoint(words: readonly string[]) {
  return { kind: 'tcp', host: '127.0.0.1', port: Number(words[1]) } as const;
}

test('a target is reached through the proxies of its pair, and told its head behind them', async (t) => {
  const [first, second] = [await startSocks(t), await startSocks(t)];
  const peer = await startPeerServer(t, 'tcp');
  const via = [first, second].map(({ port }) => parseProxy(`socks5://127.0.0.1:${port}`));
  const socket = await connect(t, toEndpoint(peer.words), { via }, { head: Buffer.from('head ') });
  socket.end('and more');
  t.is((await collect(await peer.accept())).toString(), 'head and more');
  t.is(first.requests[0]?.port, second.port);
  t.is(second.requests[0]?.port, Number(peer.words[1]));
});

test('a target is connected to from the source of its pair', async (t) => {
  const peer = await startPeerServer(t, 'tcp');
  await connect(t, toEndpoint(peer.words), { source: '127.0.0.7' });
  t.is((await peer.accept()).remoteAddress, '127.0.0.7');
});

const testNative = nativeStatus().used ? test : test.skip;

testNative('a socket option of a pair is set on its connections to targets', async (t) => {
  const peer = await startPeerServer(t, 'tcp');
  const socket = await connect(t, toEndpoint(peer.words), { linger: 0 });
  const accepted = await peer.accept();
  accepted.resume();
  socket.destroy();
  const [error] = (await once(accepted, 'error')) as [NodeJS.ErrnoException];
  t.is(error.code, 'ECONNRESET', 'with linger 0 closing is a reset');
});

test('a proxy on the way that is our own listener is a loop, and another one is none', async (t) => {
  const own = new OwnAddresses();
  const loops = new LoopWatch(own);
  const proxy = await startSocks(t);
  const listener = `127.0.0.1:${proxy.port}`;
  own.add(listener);
  const via = [parseProxy(`socks5://${listener}`)];
  const plan = await prepareTargetDialing({ via }, { ...host, loops });
  const target = { kind: 'tcp', host: '192.0.2.1', port: 9 } as const;
  await t.throwsAsync(connectTarget(target, plan, { listener }), { code: 'TNET_E_LOOP' });
  t.is(proxy.requests.length, 0);
  const peer = await startPeerServer(t, 'tcp');
  (await connectTarget(toEndpoint(peer.words), plan, { listener: '127.0.0.1:1' })).destroy();
  t.is(proxy.requests.length, 1);
});

/** A TLS server that wants a certificate, and sends back what it gets. */
async function startTlsEcho(t: ExecutionContext) {
  const server = tls.createServer({ ...good, ca: authority.ca, requestCert: true }, (socket) => {
    socket.on('error', () => undefined).pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  return { kind: 'tcp', host: '127.0.0.1', port } as const;
}

const tlsValues: TargetDialValues = {
  ...{ tlsOut: true, tlsCa: authority.caFile, tlsOutCert: good.certFile, tlsOutKey: good.keyFile },
};

test('a target is shown the certificate of its pair', async (t) => {
  const target = await startTlsEcho(t);
  const socket = await connect(t, target, tlsValues);
  t.is((await ask(socket, 'ping', 4)).toString(), 'ping');
});

test('a target whose pin is another is not connected to', async (t) => {
  const target = await startTlsEcho(t);
  const values = { ...tlsValues, tlsPin: [Buffer.alloc(32).toString('hex')] };
  await t.throwsAsync(connect(t, target, values), { code: 'TNET_E_TLS' });
});

function isReused(connection: Connection): boolean {
  return connection instanceof Socket && connection.secureLayer?.isSessionReused() === true;
}

test('clients and health checks go on from the TLS session of the connection before', async (t) => {
  const target = await startTlsEcho(t);
  const plan = await prepareTargetDialing(tlsValues, host);
  const reused: boolean[] = [];
  for (let client = 0; client < 2; client++) {
    const socket = await connectTarget(target, plan, {});
    t.teardown(() => socket.destroy());
    t.is((await ask(socket, 'ping', 4)).toString(), 'ping');
    reused.push(isReused(socket));
  }
  t.deepEqual(reused, [false, true]);
  let wasReused: boolean | undefined;
  const options = createDialOptions(plan, {});
  const failure = await findFailure(target, {
    ...options,
    prove: (socket) => {
      wasReused = isReused(socket);
      return Promise.resolve();
    },
  });
  t.is(failure, undefined);
  t.true(wasReused);
});
