import { spawn } from 'node:child_process';
import { once } from 'node:events';
import nodeNet from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import net, { connect, createServer, Socket, type SocketType } from '../../src/net/index.ts';
import {
  connectPair,
  listen,
  pattern,
  portOf,
  record,
  targetOf,
  transports,
  turn,
} from '../helpers/net/sockets.ts';

const halfOpen = { serverOptions: { allowHalfOpen: true }, clientOptions: { allowHalfOpen: true } };
/** Nothing is read here, so that another process finds all of it. */
const unread = { serverOptions: { allowHalfOpen: true, pauseOnConnect: true } };
const adoptProgram = fileURLToPath(new URL('../helpers/net/adopt.ts', import.meta.url));

for (const transport of transports) {
  test(`${transport}: connect() opens a connection and data goes both ways`, async (t) => {
    const server = await listen(
      t,
      createServer((socket) => socket.pipe(socket)),
      transport,
    );
    const target = targetOf(server);
    const client = 'path' in target ? connect(target.path) : connect(target.port, target.host);
    await once(client, 'connect');
    client.end('there and back');
    const story = record(client);
    await story.closed;
    t.is(story.bytes().toString(), 'there and back');
    t.deepEqual(story.events, ['end', 'close false']);
  });

  test(`${transport}: with allowHalfOpen a socket that was ended by its peer can still write`, async (t) => {
    const { accepted, client } = await connectPair(t, transport, halfOpen);
    const story = record(client);
    accepted.resume();
    client.end();
    await once(accepted, 'end');
    t.true(accepted.writable);
    accepted.end(pattern(300_000));
    await story.closed;
    t.true(story.bytes().equals(pattern(300_000)));
  });

  test(`${transport}: without allowHalfOpen the peer’s end closes the socket once it has written`, async (t) => {
    const { accepted, client } = await connectPair(t, transport);
    const story = record(accepted);
    client.end();
    client.resume();
    await story.closed;
    t.deepEqual(story.events, ['end', 'close false']);
    t.true(accepted.writableFinished);
  });

  test(`${transport}: write() is false while bytes are queued, and drain and the callbacks follow`, async (t) => {
    const { accepted, client } = await connectPair(t, transport);
    accepted.pause();
    let called = 0;
    while (client.write(pattern(65_536), () => called++));
    const bufferSize = () => Reflect.get<object, string>(client, 'bufferSize') as unknown as number;
    t.true(bufferSize() > 0);
    t.is(bufferSize(), client.writableLength);
    accepted.resume();
    await once(client, 'drain');
    await turn();
    t.is(bufferSize(), 0);
    t.true(called > 0);
  });

  test(`${transport}: bytesRead and bytesWritten are exact before, during and after`, async (t) => {
    const fresh = new Socket();
    t.is(fresh.bytesRead, 0);
    t.is(fresh.bytesWritten, 0);
    const { accepted, client } = await connectPair(t, transport);
    client.write('é');
    t.is(client.bytesWritten, 2);
    client.end(pattern(100_000));
    const story = record(accepted);
    client.resume();
    await Promise.all([story.closed, once(client, 'close')]);
    t.is(client.bytesWritten, 100_002);
    t.is(accepted.bytesRead, 100_002);
    t.is(accepted.bytesWritten, 0);
  });

  test(`${transport}: the idle timeout only notifies, once for each quiet spell, and 0 switches it off`, async (t) => {
    const { accepted, client } = await connectPair(t, transport, halfOpen);
    accepted.resume();
    let calls = 0;
    client.setTimeout(20, () => calls++);
    await once(client, 'timeout');
    t.is(calls, 1);
    t.false(client.destroyed);
    client.write('still open');
    await once(client, 'timeout');
    t.is(calls, 1, 'the callback is a one-time listener');
    client.setTimeout(0);
    client.on('timeout', () => t.fail());
    await delay(60);
  });

  test(`${transport}: pause() holds data back and resume() lets it go on`, async (t) => {
    const { accepted, client } = await connectPair(t, transport);
    const story = record(accepted);
    accepted.pause();
    client.write('held');
    await delay(20);
    t.is(story.bytes().length, 0);
    accepted.resume();
    await once(accepted, 'data');
    t.is(story.bytes().toString(), 'held');
  });

  test(`${transport}: destroy() ends all activity and close says whether there was an error`, async (t) => {
    const { accepted, client } = await connectPair(t, transport);
    const story = record(client);
    client.destroy(new Error('parse error'));
    await story.closed;
    t.deepEqual(story.events, ['error parse error', 'close true']);
    const clean = record(accepted);
    accepted.destroy();
    await clean.closed;
    t.is(clean.events.at(-1), 'close false');
  });

  test(`${transport}: end(data, encoding) writes the data and then ends`, async (t) => {
    const { accepted, client } = await connectPair(t, transport);
    const story = record(accepted);
    client.end('aMOp', 'base64');
    await story.closed;
    t.is(story.bytes().toString(), 'hé'.normalize().slice(0, 1) + 'é');
    t.deepEqual(story.events, ['end', 'close false']);
  });

  for (const encoding of ['ascii', 'utf8', 'base64'] as const) {
    test(`${transport}: setEncoding("${encoding}") is right across chunk borders`, async (t) => {
      const { accepted, client } = await connectPair(t, transport, { clientOptions: { noDelay: true } });
      const bytes = Buffer.from('añ€😀z');
      accepted.setEncoding(encoding);
      let text = '';
      accepted.on('data', (chunk: unknown) => {
        t.is(typeof chunk, 'string');
        text += chunk as string;
      });
      for (const byte of bytes) {
        client.write(Buffer.of(byte));
        await turn();
      }
      client.end();
      await once(accepted, 'end');
      t.is(text, bytes.toString(encoding));
    });
  }

  test(`${transport}: a closed socket can connect again`, async (t) => {
    const { server, accepted, client } = await connectPair(t, transport);
    accepted.destroy();
    client.resume();
    await once(client, 'close');
    client.connect(targetOf(server));
    await once(client, 'connect');
    t.false(client.destroyed);
  });

  test(`${transport}: a descriptor is adopted as the type that it has`, async (t) => {
    const type: SocketType = transport;
    const { client, accepted } = await connectPair(t, transport, unread);
    const child = spawn(process.execPath, [adoptProgram, type], {
      stdio: ['ignore', 'pipe', 'inherit', accepted],
    });
    const story = record(client);
    client.write('hello');
    await once(client, 'end');
    t.is(story.bytes().toString(), 'HELLO');
    await once(child, 'exit');
  });

  test(`${transport}: a descriptor of another type is a TypeError`, async (t) => {
    const other: SocketType = transport === 'unix' ? 'tcp4' : 'unix';
    const { accepted } = await connectPair(t, transport, halfOpen);
    const child = spawn(process.execPath, [adoptProgram, other], {
      stdio: ['ignore', 'pipe', 'inherit', accepted],
    });
    const [line] = (await once(child.stdout!, 'data')) as [Buffer];
    t.is(line.toString(), 'ERR_INVALID_ARG_VALUE\n');
  });

  test(`${transport}: a descriptor of another type is closed, and the process ends`, async (t) => {
    const other: SocketType = transport === 'unix' ? 'tcp4' : 'unix';
    const { accepted } = await connectPair(t, transport, halfOpen);
    const child = spawn(process.execPath, [adoptProgram, other], {
      stdio: ['ignore', 'pipe', 'inherit', accepted],
    });
    t.teardown(() => child.kill());
    child.stdout!.resume();
    // Our own end of it stays open all the while.
    const [status] = (await once(child, 'exit')) as [number];
    t.is(status, 0);
  });
}

for (const [type, target] of [
  ['tcp4', { port: 1, host: '::1' }],
  ['tcp6', { port: 1, host: '127.0.0.1' }],
  ['tcp4', { path: '/nowhere' }],
  ['unix', { port: 1 }],
] as [SocketType, nodeNet.NetConnectOpts][]) {
  test(`a ${type} socket refuses to connect to ${JSON.stringify(target)}`, (t) => {
    t.throws(() => new Socket({ type }).connect(target), { code: 'ERR_INVALID_ARG_VALUE' });
  });
}

test('a socket type keeps a name to its family', async (t) => {
  const server = await listen(t, createServer());
  const families: unknown[] = [];
  const socket = new Socket({ type: 'tcp4', fd: null });
  socket.connect({
    port: portOf(server),
    host: 'name.test',
    lookup: (_name, options, callback) => {
      families.push(options.family);
      callback(null, '127.0.0.1', 4);
    },
  });
  await once(socket, 'connect');
  t.deepEqual(families, [4]);
  socket.destroy();
});

test('an unknown socket type is a TypeError', (t) => {
  t.throws(() => new Socket({ type: 'udp' as SocketType }), { code: 'ERR_INVALID_ARG_VALUE' });
});

test('address(), remoteAddress and remotePort say who talks to whom', async (t) => {
  const { server, accepted, client } = await connectPair(t, 'tcp4');
  t.like(client.address(), { address: '127.0.0.1', family: 'IPv4' });
  t.is(client.remotePort, portOf(server));
  t.is(accepted.remotePort, client.localPort);
  t.is(accepted.remoteAddress, '127.0.0.1');
  t.deepEqual(server.address(), { address: '127.0.0.1', family: 'IPv4', port: portOf(server) });
});

test('a refused connection is an error and then a close, and never a connect', async (t) => {
  const server = await listen(t, createServer());
  const port = portOf(server);
  server.close();
  await once(server, 'close');
  const events: string[] = [];
  const socket = connect(port, '127.0.0.1', () => t.fail());
  socket.on('error', (error: NodeJS.ErrnoException) => events.push(`error ${error.code!}`));
  socket.on('close', (hadError) => events.push(`close ${String(hadError)}`));
  await new Promise((resolve) => socket.once('close', resolve));
  t.deepEqual(events, ['error ECONNREFUSED', 'close true']);
});

test('setNoDelay, setKeepAlive and setTypeOfService return the socket and take effect', async (t) => {
  const { client } = await connectPair(t, 'tcp4');
  t.is(client.setNoDelay(), client);
  t.is(client.setKeepAlive(true, 5000), client);
  const tuned = client as unknown as { setTypeOfService(tos: number): Socket; getTypeOfService(): number };
  tuned.setTypeOfService(0x10);
  t.is(tuned.getTypeOfService(), 0x10);
});

test('keepAlive with interval and count takes effect on a connecting socket', async (t) => {
  const server = await listen(t, createServer());
  const calls: unknown[][] = [];
  class Watched extends net.Socket {
    override setKeepAlive(...args: unknown[]): this {
      calls.push(args);
      return (super.setKeepAlive as (...args: unknown[]) => this)(...args);
    }
  }
  const options = {
    keepAlive: true,
    keepAliveInitialDelay: 3000,
    keepAliveInterval: 2000,
    keepAliveCount: 4,
  };
  const socket = new Watched(options);
  socket.connect(portOf(server), '127.0.0.1');
  await once(socket, 'connect');
  socket.destroy();
  t.deepEqual(calls, [[true, 3000, 2000, 4]]);
});

test('an abort signal destroys a connecting socket', async (t) => {
  const controller = new AbortController();
  const socket = new Socket({ signal: controller.signal });
  socket.connect({ port: 1, host: 'name.test', lookup: () => undefined });
  controller.abort();
  const [error] = (await once(socket, 'error').catch((thrown: unknown) => [thrown])) as [Error];
  t.is(error.name, 'AbortError');
});

test('resetAndDestroy() resets the connection', async (t) => {
  const { accepted, client } = await connectPair(t, 'tcp4');
  const story = record(accepted);
  client.resetAndDestroy();
  await story.closed;
  t.deepEqual(story.events, ['error ECONNRESET', 'close true']);
});
