import { once } from 'node:events';
import type { LookupAddress } from 'node:dns';
import nodeNet from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { interleave } from '../../src/net/candidates.ts';
import { connectTcp, type RaceOptions } from '../../src/net/happy-eyeballs.ts';
import { Server } from '../../src/net/index.ts';
import { closedPort } from '../helpers/cli.ts';
import { canPark, hasIpv6, listen, portOf } from '../helpers/net/sockets.ts';

/** A resolver that answers with these addresses. */
function answer(...addresses: string[]): NonNullable<RaceOptions['lookup']> {
  const all: LookupAddress[] = addresses.map((address) => ({ address, family: nodeNet.isIP(address) }));
  return (_host, _options, callback) => setImmediate(() => callback(null, all));
}

/** Connections to it are neither accepted nor refused: its backlog is full. */
async function stalledPort(t: ExecutionContext, host: string): Promise<number> {
  // A parked listener accepts nothing, and a backlog of one is soon full.
  const tnet = new Server();
  const port = await closedPort();
  tnet.listen({ port, host, backlog: 1 });
  await once(tnet, 'listening');
  tnet.pause(60_000);
  const fillers = Array.from({ length: 4 }, () => nodeNet.connect(port, host).on('error', () => undefined));
  await once(fillers[0]!, 'connect');
  await new Promise((resolve) => setTimeout(resolve, 50));
  t.teardown(() => {
    for (const filler of fillers) filler.destroy();
    tnet.close();
  });
  return port;
}

test('families take turns, beginning with the resolver’s first, and duplicates are tried once', (t) => {
  const of = (text: string) => ({ address: text, family: nodeNet.isIP(text) as 4 | 6 });
  const mixed = ['::1', '::2', '::3', '1.1.1.1', '::1', '2.2.2.2'].map(of);
  t.deepEqual(
    interleave(mixed).map((entry) => entry.address),
    ['::1', '1.1.1.1', '::2', '2.2.2.2', '::3'],
  );
  t.deepEqual(interleave([]), []);
});

test('connects to an address and hands over a socket without listeners of the race', async (t) => {
  const server = await listen(t, new Server());
  const socket = await connectTcp({ host: '127.0.0.1', port: portOf(server), dataBeforeError: true });
  t.teardown(() => socket.destroy());
  t.is(socket.remoteAddress, '127.0.0.1');
  t.is(socket.listenerCount('error'), 0);
  t.is(socket.listenerCount('connect'), 0);
});

test('a refused address starts the next one at once', async (t) => {
  const server = await listen(t, new Server());
  const tried: string[] = [];
  const started = performance.now();
  const socket = await connectTcp({
    host: 'example.test',
    port: portOf(server),
    lookup: answer('127.0.0.2', '127.0.0.3', '127.0.0.1'),
    staggerMs: 20_000,
    onAttempt: ({ address, index, of }) => tried.push(`${address} ${index}/${of}`),
    onAttemptFailed: ({ address }, error) =>
      tried.push(`${address} ${(error as NodeJS.ErrnoException).code!}`),
  });
  socket.destroy();
  t.true(performance.now() - started < 10_000);
  t.deepEqual(tried, [
    '127.0.0.2 0/3',
    '127.0.0.2 ECONNREFUSED',
    '127.0.0.3 1/3',
    '127.0.0.3 ECONNREFUSED',
    '127.0.0.1 2/3',
  ]);
});

test('an address that does not answer is raced by the next one, and destroyed when that one wins', async (t) => {
  if (!(await canPark())) return void t.pass('no listener can be stalled');
  const port = await stalledPort(t, '127.0.0.2');
  const server = new Server().listen(port, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  const tried: string[] = [];
  const socket = await connectTcp({
    host: 'example.test',
    port,
    lookup: answer('127.0.0.2', '127.0.0.1'),
    staggerMs: 30,
    onAttempt: ({ address }) => tried.push(address),
    onAttemptFailed: ({ address }) => tried.push(`${address} failed`),
  });
  socket.destroy();
  t.deepEqual(tried, ['127.0.0.2', '127.0.0.1']);
  t.is(socket.remoteAddress ?? '127.0.0.1', '127.0.0.1');
});

test('when every address fails the error lists each with its reason', async (t) => {
  const port = await closedPort();
  const error = (await t.throwsAsync(
    connectTcp({ host: 'example.test', port, lookup: answer('127.0.0.1', '127.0.0.2') }),
    { instanceOf: AggregateError },
  )) as AggregateError & { code: string };
  t.is(error.errors.length, 2);
  t.is(error.code, 'ECONNREFUSED');
  t.is(
    error.message,
    'none of the 2 addresses of example.test accepted the connection: ' +
      `connect ECONNREFUSED 127.0.0.1:${port}; connect ECONNREFUSED 127.0.0.2:${port}`,
  );
});

test('the only address’s own error is the error', async (t) => {
  const port = await closedPort();
  const error = await t.throwsAsync<NodeJS.ErrnoException>(connectTcp({ host: '127.0.0.1', port }));
  t.is(error.code, 'ECONNREFUSED');
  t.is(error.message, `connect ECONNREFUSED 127.0.0.1:${port}`);
});

test('a resolver’s error is passed on', async (t) => {
  const lookup: RaceOptions['lookup'] = (_host, _options, callback) =>
    callback(Object.assign(new Error('getaddrinfo ENOTFOUND nowhere.test'), { code: 'ENOTFOUND' }), '');
  await t.throwsAsync(connectTcp({ host: 'nowhere.test', port: 1, lookup }), { code: 'ENOTFOUND' });
});

test('a limit that is longer than a timer of Node can be is none', async (t) => {
  const server = await listen(t, new Server());
  const socket = await connectTcp({
    host: 'slow.test',
    port: portOf(server),
    timeoutMs: 2 ** 31,
    staggerMs: 2 ** 31,
    lookup: (_host, _options, done) => setTimeout(done, 30, null, [{ address: '127.0.0.1', family: 4 }]),
  });
  t.false(socket.destroyed);
  socket.destroy();
});

test('the limit covers a resolver that never answers', async (t) => {
  const error = await t.throwsAsync<Error & { code: string }>(
    connectTcp({ host: 'example.test', port: 1, lookup: () => undefined, timeoutMs: 30 }),
    { code: 'TNET_E_TIMEOUT' },
  );
  t.is(error.message, 'no address of example.test was found within 30 ms');
});

test('the limit covers all attempts together and the error names them', async (t) => {
  if (!(await canPark())) return void t.pass('no listener can be stalled');
  const port = await stalledPort(t, '127.0.0.2');
  const error = await t.throwsAsync<Error & { code: string }>(
    connectTcp({ host: '127.0.0.2', port, timeoutMs: 50 }),
    { code: 'TNET_E_TIMEOUT' },
  );
  t.is(error.message, `no answer from 127.0.0.2:${port} within 50 ms`);
});

test('a signal ends the race with its reason, before and during it', async (t) => {
  await t.throwsAsync(connectTcp({ port: 1, signal: AbortSignal.abort() }), { name: 'AbortError' });
  const controller = new AbortController();
  const racing = connectTcp({ host: 'a.test', port: 1, lookup: () => undefined, signal: controller.signal });
  controller.abort(new Error('enough'));
  await t.throwsAsync(racing, { message: 'enough' });
});

test('family and localAddress keep to their family, and say so when there is none', async (t) => {
  const server = await listen(t, new Server());
  const port = portOf(server);
  const lookup = answer('::1', '127.0.0.1');
  const seen: string[] = [];
  const onLookup: RaceOptions['onLookup'] = (list) => seen.push(list.map((entry) => entry.address).join());
  const socket = await connectTcp({ host: 'a.test', port, lookup, localAddress: '127.0.0.9', onLookup });
  t.is(socket.localAddress, '127.0.0.9');
  socket.destroy();
  (await connectTcp({ host: 'a.test', port, lookup, family: 4, onLookup })).destroy();
  t.deepEqual(seen, ['127.0.0.1', '127.0.0.1']);
  await t.throwsAsync(connectTcp({ host: '127.0.0.1', port, family: 6 }), {
    code: 'TNET_E_ADDRESS',
    message: '127.0.0.1 has no IPv6 address',
  });
});

test('localPort is the port connected from', async (t) => {
  const server = await listen(t, new Server());
  const localPort = await closedPort();
  const socket = await connectTcp({ host: '127.0.0.1', port: portOf(server), localPort });
  t.is(socket.localPort, localPort);
  socket.destroy();
});

if (hasIpv6) {
  test('an address of the other family wins when the first is refused', async (t) => {
    const server = await listen(t, new Server(), 'tcp6');
    const socket = await connectTcp({
      host: 'a.test',
      port: portOf(server),
      lookup: answer('127.0.0.1', '::1'),
    });
    t.is(socket.remoteAddress, '::1');
    socket.destroy();
  });
}

test('a connection of which both ends are the same socket is a refusal, and leaves the port free', async (t) => {
  const port = await closedPort();
  const ends = { host: '127.0.0.1', port, localAddress: '127.0.0.1', localPort: port };
  const error = await t.throwsAsync(connectTcp(ends), { code: 'ECONNREFUSED' });
  t.is(error.message, 'connection refused: nobody listens, and the socket was connected to itself');
  const server = new Server().listen(port, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
});

for (const [what, given] of [
  ['an array', [{ address: 'no.address', family: 4 }]],
  ['a word', 'no.address'],
  ['nothing', undefined],
] as const) {
  test(`a lookup function that gives no address is an error and nothing is looked up again: ${what}`, async (t) => {
    let asked = 0;
    const lookup = ((_host, _options, callback) => {
      asked++;
      (callback as (error: null, given: unknown) => void)(null, given);
    }) satisfies RaceOptions['lookup'];
    const onAttempt = () => t.fail('nothing is tried');
    await t.throwsAsync(connectTcp({ host: 'a.test', port: 1, lookup, onAttempt }), {
      instanceOf: TypeError,
      code: 'ERR_INVALID_IP_ADDRESS',
    });
    t.is(asked, 1);
  });
}

test('what a lookup function gives beside an address is left out', async (t) => {
  const server = await listen(t, new Server());
  const lookup = answer('no.address', '127.0.0.1');
  (await connectTcp({ host: 'a.test', port: portOf(server), lookup })).destroy();
  t.pass();
});
