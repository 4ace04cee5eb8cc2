import { once } from 'node:events';
import fs from 'node:fs';
import plain from 'node:net';
import { join } from 'node:path';
import { inherits } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import tnet from '../../src/net/index.ts';
import { closedPort } from '../helpers/cli.ts';
import { closeAfter, pattern, tempDir, turn } from '../helpers/net/sockets.ts';

/**
 * Scenes that Node's own tests of net play, each on node:net and on the module that stands in for it. What was seen
 * (events in order, return values, errors with all their fields) has to be the same.
 */
type Net = typeof plain;
type Seen = unknown[];
type Scene = (net: Net, seen: Seen, t: ExecutionContext) => void | Promise<void>;

const modules: readonly Net[] = [plain, tnet];

/** An error as data. Ports and paths that differ from run to run are left out. */
function describe(error: unknown): unknown {
  const { name, message, code, syscall, errno } = error as NodeJS.ErrnoException;
  const words = message.replace(/\d{4,}/g, 'N').replace(/\/\S+/g, '/…');
  return { name, message: words, code, syscall, errno, keys: Object.keys(error as object).toSorted() };
}

function attempt(seen: Seen, act: () => unknown): void {
  try {
    const result = act();
    seen.push(typeof result === 'object' ? 'object' : result);
  } catch (error) {
    seen.push(describe(error));
  }
}

function watch(seen: Seen, name: string, emitter: NodeJS.EventEmitter, events: readonly string[]): void {
  for (const event of events) {
    emitter.on(event, (...args: unknown[]) => {
      seen.push([name, event, ...args.map((arg) => (arg instanceof Error ? describe(arg) : typeof arg))]);
    });
  }
}

async function open(net: Net, t: ExecutionContext, options: plain.ServerOpts = {}): Promise<plain.Server> {
  const server = net.createServer(options);
  closeAfter(t, server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

const portOf = (server: plain.Server) => (server.address() as plain.AddressInfo).port;
const gone = (emitter: NodeJS.EventEmitter, event = 'close') =>
  new Promise((resolve) => emitter.once(event, resolve));

const wrongValues = [
  undefined,
  null,
  true,
  false,
  -1,
  1.5,
  65_536,
  NaN,
  Infinity,
  '',
  'x',
  '0x10',
  [],
  {},
  () => 1,
];

const scenes: Record<string, Scene> = {
  'shape of the module'(net, seen) {
    for (const key of Object.keys(plain)) {
      const descriptor = Object.getOwnPropertyDescriptor(net, key)!;
      const value: unknown = Reflect.get(net, key);
      seen.push([
        key,
        descriptor.enumerable,
        'value' in descriptor,
        typeof value,
        (value as { length?: number }).length,
      ]);
    }
    seen.push(
      Reflect.get(net, 'Stream') === net.Socket,
      Reflect.get(net, 'createConnection') === Reflect.get(net, 'connect'),
    );
    for (const key of ['Socket', 'Server', 'connect']) {
      seen.push(Reflect.get(Reflect.get(net, key) as object, 'name'));
    }
  },
  'properties of a fresh socket and server'(net, seen) {
    for (const object of [new net.Socket(), new net.Server()]) {
      seen.push(Object.keys(object));
      const all: string[] = [];
      for (const key in object) all.push(key);
      seen.push(all.toSorted());
      seen.push(JSON.stringify(Object.keys(Object.getPrototypeOf(object) as object).length > 0));
    }
    const socket = new net.Socket();
    seen.push(socket.readyState, socket.pending, socket.connecting, socket.bytesRead, socket.bytesWritten);
    seen.push(socket.remoteAddress, socket.localPort, socket.address(), socket.destroyed, socket.timeout);
  },
  'constructors without new'(net, seen) {
    const call = net as unknown as Record<'Socket' | 'Server', (...args: unknown[]) => object>;
    seen.push(call.Socket() instanceof net.Socket, call.Server() instanceof net.Server);
    seen.push((call.Socket({ allowHalfOpen: true }) as plain.Socket).allowHalfOpen);
    seen.push((call.Server({ allowHalfOpen: true }) as unknown as plain.Socket).allowHalfOpen);
    seen.push(call.Socket().constructor === net.Socket, call.Server().constructor === net.Server);
  },
  'inheriting from the constructors'(net, seen) {
    function OldSocket(this: plain.Socket) {
      (net.Socket as unknown as (this: plain.Socket, options: object) => void).call(this, {
        allowHalfOpen: true,
      });
    }
    inherits(OldSocket, net.Socket);
    const old = new (OldSocket as unknown as new () => plain.Socket)();
    seen.push(old instanceof OldSocket, old instanceof net.Socket, old.allowHalfOpen, old.readyState);
    class NewServer extends net.Server {}
    const server = new NewServer();
    seen.push(server instanceof NewServer, server instanceof net.Server, server.constructor.name);
    seen.push(new net.Server() instanceof NewServer, ({} as unknown) instanceof net.Socket);
  },
  'arguments of new Socket'(net, seen) {
    for (const options of [
      { objectMode: true },
      { readableObjectMode: true },
      { writableObjectMode: true },
      { keepAliveInitialDelay: 'x' },
      { keepAliveInitialDelay: -1 },
      { typeOfService: 256 },
      { typeOfService: 'x' },
      { blockList: {} },
      { fd: 'x' },
      { fd: -1 },
      { fd: 1e6 },
      { signal: {} },
      undefined,
      null,
    ]) {
      attempt(seen, () => new net.Socket(options as never));
    }
    const file = fs.openSync('/dev/null', 'r');
    attempt(seen, () => new net.Socket({ fd: file }));
    fs.closeSync(file);
  },
  'arguments of createServer'(net, seen) {
    for (const options of [
      'path',
      0,
      1,
      true,
      { keepAliveInitialDelay: 'x' },
      { highWaterMark: 'x' },
      { blockList: 1 },
    ]) {
      attempt(seen, () => net.createServer(options as never));
    }
    for (const options of [null, undefined, {}, () => 1])
      attempt(seen, () => net.createServer(options as never));
  },
  'arguments of connect'(net, seen) {
    for (const value of wrongValues) {
      for (const make of [
        () => net.connect(value as never),
        () => net.connect({ port: value } as never),
        () => net.connect({ port: 1, host: value } as never),
        () => net.connect({ path: value } as never),
        () => net.connect({ port: 1, localAddress: value } as never),
        () => net.connect({ port: 1, localPort: value } as never),
        () => net.connect({ port: 1, host: 'name.test', lookup: value } as never),
        () => net.connect({ port: 1, autoSelectFamily: value } as never),
        () => net.connect({ port: 1, autoSelectFamilyAttemptTimeout: value } as never),
      ]) {
        attempt(seen, () => {
          const socket = make().on('error', () => undefined);
          socket.destroy();
          return socket.destroyed;
        });
      }
    }
    attempt(seen, () => (net as unknown as { connect(): void }).connect());
  },
  async 'arguments of listen'(net, seen) {
    for (const value of wrongValues) {
      for (const make of [
        () => net.createServer().listen({ port: value } as never),
        () => net.createServer().listen({ path: value } as never),
        () => net.createServer().listen({ fd: value } as never),
        () => net.createServer().listen({ port: 0, signal: value } as never),
      ]) {
        attempt(seen, () => {
          const server = make().on('error', (error) => seen.push(describe(error)));
          server.close();
          return 'ok';
        });
        await turn();
      }
    }
    attempt(seen, () => net.createServer().listen({} as never));
    attempt(seen, () => net.createServer().listen({ path: '\0x', readableAll: true }));
  },
  async 'listening twice'(net, seen, t) {
    const server = await open(net, t);
    attempt(seen, () => server.listen(0));
    seen.push(server.listening);
  },
  async 'a taken port'(net, seen, t) {
    const first = await open(net, t);
    const second = net.createServer();
    watch(seen, 'second', second, ['listening', 'error', 'close']);
    second.listen(portOf(first), '127.0.0.1');
    await gone(second, 'error');
    seen.push(second.listening, second.address());
    await turn();
  },
  async 'closing servers'(net, seen) {
    const never = net.createServer();
    watch(seen, 'never', never, ['close', 'error']);
    never.close((error) => seen.push(['callback', error && describe(error)]));
    await turn();
    const server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    watch(seen, 'server', server, ['close', 'error']);
    seen.push(server.close((error) => seen.push(['callback', error])) === server, server.listening);
    await once(server, 'close');
    server.close((error) => seen.push(['again', error && describe(error)]));
    await turn();
  },
  async 'a whole conversation'(net, seen, t) {
    let served: Promise<unknown> | undefined;
    const server = await open(net, t);
    server.on('connection', (socket: plain.Socket) => {
      watch(seen, 'server', socket, ['end', 'finish', 'close', 'error', 'data']);
      served = gone(socket);
      socket.end('bye');
    });
    const client = net.connect(portOf(server), '127.0.0.1');
    watch(seen, 'client', client, ['lookup', 'connect', 'ready', 'data', 'end', 'finish', 'close', 'error']);
    seen.push(client.readyState, client.pending);
    await once(client, 'connect');
    seen.push(client.readyState, client.pending);
    await gone(client);
    seen.push(client.readyState, client.destroyed, client.bytesRead, client.bytesWritten);
    await served;
  },
  async 'writing after the peer’s end'(net, seen, t) {
    const server = await open(net, t);
    server.on('connection', (socket: plain.Socket) => socket.end());
    const client = net.connect(portOf(server), '127.0.0.1');
    client.resume();
    watch(seen, 'client', client, ['end', 'close', 'error']);
    await once(client, 'end');
    seen.push(client.write('late', (error) => seen.push(['callback', error && describe(error)])));
    await gone(client);
    await turn();
  },
  async 'writing after destroy and after end'(net, seen, t) {
    const server = await open(net, t);
    const client = net.connect(portOf(server), '127.0.0.1');
    await once(client, 'connect');
    watch(seen, 'client', client, ['close', 'error']);
    client.destroy();
    client.write('late', (error) => seen.push(error && describe(error)));
    await gone(client);
    const other = net.connect(portOf(server), '127.0.0.1');
    watch(seen, 'other', other, ['close', 'error']);
    other.end();
    other.write('late', (error) => seen.push(error && describe(error)));
    await gone(other);
  },
  async 'writing before connecting'(net, seen, t) {
    const server = await open(net, t);
    const client = new net.Socket();
    client.connect(portOf(server), '127.0.0.1');
    seen.push(client.write('early'), client.bytesWritten);
    const [socket] = (await once(server, 'connection')) as [plain.Socket];
    const [data] = (await once(socket, 'data')) as [Buffer];
    seen.push(String(data), client.bytesWritten);
    client.destroy();
  },
  async 'a connection refused'(net, seen, t) {
    const server = await open(net, t);
    const port = portOf(server);
    server.close();
    await once(server, 'close');
    const client = net.connect(port, '127.0.0.1');
    watch(seen, 'client', client, [
      'connect',
      'connectionAttempt',
      'connectionAttemptFailed',
      'end',
      'close',
      'error',
    ]);
    client.write('early', (error) => seen.push(['callback', error && describe(error)]));
    await gone(client);
    await turn();
  },
  async resets(net, seen, t) {
    const server = await open(net, t);
    const client = net.connect(portOf(server), '127.0.0.1');
    watch(seen, 'client', client, ['end', 'close', 'error']);
    const [socket] = (await once(server, 'connection')) as [plain.Socket];
    watch(seen, 'server', socket, ['end', 'close', 'error']);
    const closed = Promise.all([gone(client), gone(socket)]);
    seen.push(socket.resetAndDestroy() === socket);
    await closed;
    attempt(seen, () =>
      new net.Socket().on('error', (error) => seen.push(describe(error))).resetAndDestroy(),
    );
    await turn();
  },
  async 'dropping over maxConnections'(net, seen, t) {
    const server = await open(net, t);
    server.maxConnections = 1;
    watch(seen, 'server', server, ['connection', 'drop']);
    const first = net.connect(portOf(server), '127.0.0.1');
    await once(server, 'connection');
    const second = net.connect(portOf(server), '127.0.0.1');
    watch(seen, 'second', second, ['connect', 'end', 'close', 'error']);
    const [info] = (await once(server, 'drop')) as [object];
    seen.push(Object.keys(info));
    second.resume();
    await gone(second);
    first.destroy();
  },
  async getConnections(net, seen, t) {
    const server = await open(net, t);
    const client = net.connect(portOf(server), '127.0.0.1');
    await once(server, 'connection');
    seen.push(
      await new Promise((resolve) => server.getConnections((error, count) => resolve([error, count]))),
    );
    client.destroy();
  },
  async 'options of accepted sockets'(net, seen, t) {
    const server = await open(net, t, {
      allowHalfOpen: true,
      pauseOnConnect: true,
      highWaterMark: 99,
      noDelay: true,
    });
    const client = net.connect(portOf(server), '127.0.0.1');
    const [socket] = (await once(server, 'connection')) as [plain.Socket];
    seen.push(socket.allowHalfOpen, socket.isPaused(), socket.readableFlowing, socket.readableHighWaterMark);
    seen.push(socket.writableHighWaterMark, socket.readyState, socket.connecting, Object.keys(socket));
    seen.push((socket as unknown as { server: unknown }).server === server);
    client.destroy();
  },
  async timeouts(net, seen, t) {
    const server = await open(net, t);
    const client = net.connect(portOf(server), '127.0.0.1');
    await once(client, 'connect');
    for (const value of wrongValues) attempt(seen, () => client.setTimeout(value as never));
    attempt(seen, () => client.setTimeout(1000, 'x' as never));
    seen.push(client.setTimeout(10) === client, client.timeout);
    await once(client, 'timeout');
    seen.push(client.destroyed, client.listenerCount('timeout'));
    client.setTimeout(0);
    client.destroy();
  },
  async tuning(net, seen, t) {
    const server = await open(net, t);
    const client = net.connect(portOf(server), '127.0.0.1');
    await once(client, 'connect');
    seen.push(client.setNoDelay() === client, client.setKeepAlive(true, 2000) === client);
    seen.push(client.ref() === client, client.unref() === client, client.ref() === client);
    const tos = client as unknown as { setTypeOfService(value: unknown): void; getTypeOfService(): number };
    for (const value of [0, 8, 256, -1, NaN, 'x', undefined])
      attempt(seen, () => tos.setTypeOfService(value));
    seen.push(tos.getTypeOfService());
    client.destroy();
  },
  async aborting(net, seen) {
    const controller = new AbortController();
    const server = net.createServer();
    watch(seen, 'server', server, ['listening', 'close', 'error']);
    server.listen({ port: 0, signal: controller.signal });
    await once(server, 'listening');
    controller.abort();
    await once(server, 'close');
    const socket = new net.Socket({ signal: AbortSignal.abort() });
    watch(seen, 'socket', socket, ['close', 'error']);
    await gone(socket, 'error');
    await turn();
  },
  async 'Unix sockets'(net, seen, t) {
    const path = join(tempDir(t), 'socket');
    const server = net.createServer((socket) => socket.end(pattern(10)));
    closeAfter(t, server);
    watch(seen, 'server', server, ['listening', 'connection', 'close', 'error']);
    server.listen({ path, readableAll: true, writableAll: true });
    seen.push(server.listening);
    await once(server, 'listening');
    seen.push(server.address() === path, (fs.statSync(path).mode & 0o666).toString(8));
    const client = net.connect(path);
    watch(seen, 'client', client, ['connect', 'data', 'end', 'close', 'error']);
    await gone(client);
    seen.push(client.remoteAddress, client.address());
    const second = net.createServer();
    watch(seen, 'second', second, ['listening', 'error', 'close']);
    second.listen(path);
    await gone(second, 'error');
    server.close();
    seen.push(fs.existsSync(path));
    const missing = net.connect(path);
    watch(seen, 'missing', missing, ['connect', 'error', 'close']);
    await gone(missing);
    const tooLong = net.connect(`/${'x'.repeat(300)}`);
    watch(seen, 'long', tooLong, ['connect', 'error', 'close']);
    await gone(tooLong);
  },
  async 'listening again after close'(net, seen, t) {
    const port = await closedPort();
    const server = net.createServer().listen(port, '127.0.0.1');
    closeAfter(t, server);
    await once(server, 'listening');
    server.close();
    await once(server, 'close');
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    seen.push(portOf(server) === port);
  },
  async 'handles handed over'(net, seen, t) {
    const internal = net as unknown as {
      _createServerHandle: (address: string, port: number, family: number) => object;
    };
    const handle = internal._createServerHandle('127.0.0.1', 0, 4);
    const server = net.createServer();
    closeAfter(t, server);
    server.listen(handle as never);
    await once(server, 'listening');
    const client = net.connect(portOf(server), '127.0.0.1');
    const [socket] = (await once(server, 'connection')) as [plain.Socket];
    seen.push(socket.constructor === net.Socket);
    client.destroy();
  },
  async onread(net, seen, t) {
    const server = await open(net, t);
    server.on('connection', (socket: plain.Socket) => socket.end('into the buffer'));
    const buffer = Buffer.alloc(64);
    const client = net.connect({
      port: portOf(server),
      host: '127.0.0.1',
      onread: {
        buffer,
        callback(count, given) {
          seen.push(Buffer.from(given.subarray(0, count)).toString());
          return true;
        },
      },
    });
    watch(seen, 'client', client, ['data', 'end', 'close', 'error']);
    await gone(client);
  },
  async 'async iteration'(net, seen, t) {
    const server = await open(net, t);
    server.on('connection', (socket: plain.Socket) => socket.end(pattern(100_000)));
    let size = 0;
    for await (const chunk of net.connect(portOf(server), '127.0.0.1')) size += (chunk as Buffer).length;
    seen.push(size);
  },
  'family autoselection defaults'(net, seen) {
    seen.push(net.getDefaultAutoSelectFamily(), net.getDefaultAutoSelectFamilyAttemptTimeout());
    attempt(seen, () => net.setDefaultAutoSelectFamily('x' as never));
    attempt(seen, () => net.setDefaultAutoSelectFamilyAttemptTimeout(0));
  },
};

for (const [title, play] of Object.entries(scenes)) {
  test(`the same as node:net: ${title}`, async (t) => {
    const stories: Seen[] = [];
    for (const net of modules) {
      const seen: Seen = [];
      await play(net, seen, t);
      stories.push(seen);
    }
    t.deepEqual(stories[1], stories[0]);
    t.true(stories[0]!.length > 0);
  });
}
