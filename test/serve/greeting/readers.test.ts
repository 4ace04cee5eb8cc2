import { once } from 'node:events';
import net from 'node:net';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { errorCode } from '../../../src/errors.ts';
import { Server, type Socket } from '../../../src/net/index.ts';
import { encodeProxyV1, encodeProxyV2 } from '../../../src/protocol/proxy-protocol/encode.ts';
import { greet, type ReadGreeting, SaidNothing, nameSource } from '../../../src/serve/greeting/greeting.ts';
import {
  createConnectReader,
  createSocksOrHttpReader,
  createSocksReader,
} from '../../../src/serve/greeting/requests.ts';
import { readProxyHeader } from '../../../src/serve/greeting/proxy-header.ts';
import { createRouteReader } from '../../../src/serve/greeting/route.ts';

/** An accepted socket and the client that it belongs to. */
async function connectPair(t: ExecutionContext): Promise<{ client: net.Socket; socket: Socket }> {
  const server = new Server({ allowHalfOpen: true, pauseOnConnect: false });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const client = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
  client.on('error', () => undefined);
  const [socket] = await accepted;
  socket.on('error', () => undefined);
  t.teardown(() => {
    client.destroy();
    socket.destroy();
    server.close();
  });
  return { client, socket };
}

/** What comes after a greeting. */
async function readRest(socket: Socket, early: Buffer = Buffer.alloc(0)): Promise<string> {
  const chunks = [early];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

const ends = {
  family: 'tcp4',
  source: { host: '192.0.2.7', port: 40_001 },
  destination: { host: '198.51.100.9', port: 443 },
} as const;
const v1 = encodeProxyV1(ends);
const v2 = encodeProxyV2({ command: 'proxy', ends, values: [] });
const connect = Buffer.from('CONNECT a.example:81 HTTP/1.1\r\nHost: a.example:81\r\n\r\n');
const socks4 = Buffer.from([4, 1, 0, 80, 127, 0, 0, 1, 0]);
const both = createSocksOrHttpReader(createSocksReader(undefined), createConnectReader(undefined));
const routes = [{ kind: 'proto', name: 'ssh' }] as const;

const greetings: readonly (readonly [string, readonly ReadGreeting[], Buffer, object])[] = [
  ['a PROXY header of version 1', [readProxyHeader], v1, { header: { version: 1, ends } }],
  ['a PROXY header of version 2', [readProxyHeader], v2, { header: { version: 2, ends } }],
  ['SOCKS 4', [createSocksReader(undefined)], socks4, { request: { host: '127.0.0.1', port: 80 } }],
  ['CONNECT', [createConnectReader(undefined)], connect, { request: { host: 'a.example', port: 81 } }],
  ['SOCKS where both are spoken', [both], socks4, { request: { command: 'connect', port: 80 } }],
  ['CONNECT where both are spoken', [both], connect, { request: { command: 'connect', port: 81 } }],
  [
    'a PROXY header before CONNECT',
    [readProxyHeader, both],
    Buffer.concat([v2, connect]),
    { header: { ends }, request: { host: 'a.example', port: 81 } },
  ],
];

for (const [what, readers, bytes, expected] of greetings) {
  test(`${what} is heard in whatever pieces it comes, and what follows stays in the stream`, async (t) => {
    const property = fc.asyncProperty(fc.array(fc.nat(bytes.length + 4), { maxLength: 4 }), async (cuts) => {
      const { client, socket } = await connectPair(t);
      const whole = Buffer.concat([bytes, Buffer.from('rest')]);
      const places = [0, ...cuts.sort((one, other) => one - other), whole.length];
      for (const [index, place] of places.slice(1).entries()) {
        client.write(whole.subarray(places[index], place));
        await new Promise(setImmediate);
      }
      client.end();
      const greeting = await greet(socket, readers, { limitMs: 5_000 });
      t.like(greeting, expected);
      t.is(await readRest(socket, greeting.early), 'rest');
      client.destroy();
      socket.destroy();
    });
    await fc.assert(property, { numRuns: 15 });
  });
}

test('the first bytes show a route and stay in the stream', async (t) => {
  const { client, socket } = await connectPair(t);
  client.end('SSH-2.0-x\r\n');
  const read = createRouteReader(routes, { mayBeSilent: true });
  const greeting = await greet(socket, [read], { limitMs: 5_000 });
  t.is(greeting.route, routes[0]);
  t.is(await readRest(socket, greeting.early), 'SSH-2.0-x\r\n');
});

test('a client is called what its PROXY header says, and what its connection says where that says nothing', (t) => {
  const own = '127.0.0.1:1';
  const unix = { family: 'unix', source: '/run/client', destination: '/run/server' } as const;
  for (const [header, name] of [
    [undefined, own],
    [{ version: 1, command: 'proxy', ends, values: [] }, '192.0.2.7:40001'],
    [{ version: 2, command: 'proxy', ends: unix, values: [] }, '/run/client'],
    [{ version: 2, command: 'proxy', ends: { family: 'unknown' }, values: [] }, own],
    [{ version: 2, command: 'local', ends, values: [] }, own],
  ] as const) {
    t.is(nameSource(header, own), name);
  }
});

const readersByName: readonly (readonly [string, ReadGreeting])[] = [
  ['a PROXY header', readProxyHeader],
  ['SOCKS', createSocksReader(undefined)],
  ['CONNECT', createConnectReader(undefined)],
  ['SOCKS or CONNECT', both],
  ['a route without a default', createRouteReader(routes, { mayBeSilent: false })],
];

for (const [what, read] of readersByName) {
  test(`a client that leaves without a word where ${what} is waited for has said nothing`, async (t) => {
    for (const isReset of [false, true]) {
      const { client, socket } = await connectPair(t);
      const heard = greet(socket, [read], { limitMs: 5_000 });
      if (isReset) client.resetAndDestroy();
      else client.end();
      await t.throwsAsync(heard, { instanceOf: SaidNothing });
    }
  });

  test(`who waits for ${what} can be told to stop`, async (t) => {
    const { socket } = await connectPair(t);
    const stop = new AbortController();
    const heard = greet(socket, [read], { limitMs: 5_000, signal: stop.signal });
    const reason = new Error('over');
    stop.abort(reason);
    t.is(await t.throwsAsync(heard), reason);
  });
}

for (const [what, read] of readersByName.slice(0, 4)) {
  test(`a client that says less than ${what} takes runs into the limit`, async (t) => {
    const { client, socket } = await connectPair(t);
    client.write(what === 'a PROXY header' ? 'PROXY ' : what.startsWith('SOCKS') ? '\x05' : 'CONNECT');
    const error = await t.throwsAsync(greet(socket, [read], { limitMs: 60 }));
    t.is(errorCode(error), 'TNET_E_TIMEOUT');
    t.regex(error.message, /within 60 ms$/);
  });

  test(`a client that ends in the middle of ${what} has broken the protocol`, async (t) => {
    const { client, socket } = await connectPair(t);
    client.end(what === 'a PROXY header' ? 'PROXY ' : what.startsWith('SOCKS') ? '\x05' : 'CONNECT');
    t.is(errorCode(await t.throwsAsync(greet(socket, [read], { limitMs: 5_000 }))), 'TNET_E_PROTOCOL');
  });
}
