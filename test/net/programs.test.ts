import { once } from 'node:events';
import http from 'node:http';
import { createRequire } from 'node:module';
import nodeNet from 'node:net';
import test from 'ava';
import net, { connect, createServer, type Socket } from '../../src/net/index.ts';
import { listen, pattern, portOf } from './support/sockets.ts';

/** Whole programs of Node's, with tnet's sockets and servers in the place of node:net's. */

test('an http server answers on the connections of a tnet server', async (t) => {
  const web = http.createServer((request, response) => request.pipe(response));
  const server = await listen(
    t,
    createServer((socket) => void web.emit('connection', socket)),
  );
  const agent = new http.Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  for (const size of [0, 10, 200_000]) {
    const request = http.request({ port: portOf(server), method: 'POST', agent });
    request.end(pattern(size));
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    t.true(Buffer.concat(chunks).equals(pattern(size)));
  }
});

test('an http client speaks over a tnet Socket', async (t) => {
  const web = await listen(
    t,
    http.createServer((_request, response) => response.end('hello')),
  );
  const request = http.get({
    createConnection: () => connect(portOf(web), '127.0.0.1', () => undefined),
  });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  let body = '';
  for await (const chunk of response) body += String(chunk);
  t.is(body, 'hello');
  t.true(request.socket instanceof net.Socket);
});

test('http.createServer() listens on the handle of a tnet server', async (t) => {
  const holder = await listen(t, createServer());
  const web = http.createServer((_request, response) => response.end('handed over'));
  // One listening socket, two objects: the connections come to the one that listened last.
  web.listen((holder as unknown as { _handle: object })._handle as never);
  await once(web, 'listening');
  const [response] = (await once(http.get({ port: portOf(holder), agent: false }), 'response')) as [
    http.IncomingMessage,
  ];
  let body = '';
  for await (const chunk of response) body += String(chunk);
  t.is(body, 'handed over');
  (web as unknown as { _handle: null })._handle = null;
});

test('a websocket handshake and frame go over an upgraded tnet socket', async (t) => {
  const web = http.createServer();
  web.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    socket.on('data', (chunk) => socket.end(chunk));
  });
  const server = await listen(
    t,
    createServer({ allowHalfOpen: true }, (socket) => void web.emit('connection', socket)),
  );
  const request = http.get({
    port: portOf(server),
    headers: { connection: 'Upgrade', upgrade: 'websocket' },
    agent: false,
  });
  const [, socket] = (await once(request, 'upgrade')) as [unknown, nodeNet.Socket];
  const frame = Buffer.from([0x81, 0x02, 0x68, 0x69]);
  socket.write(frame);
  const [echo] = (await once(socket, 'data')) as [Buffer];
  t.true(echo.equals(frame));
});

test('an accepted socket can be handed to a child process', async (t) => {
  const { fork } = await import('node:child_process');
  const { mkdtempSync, writeFileSync, rmSync } = await import('node:fs');
  const dir = mkdtempSync('/tmp/tnet-');
  t.teardown(() => rmSync(dir, { recursive: true }));
  const program = `${dir}/child.cjs`;
  writeFileSync(
    program,
    `process.on('message', (_m, socket) => { socket.end('from the child'); process.disconnect(); });`,
  );
  const child = fork(program);
  const server = await listen(t, createServer({ pauseOnConnect: true }));
  const client = connect(portOf(server), '127.0.0.1');
  const [socket] = (await once(server, 'connection')) as [Socket];
  child.send('socket', socket);
  const [data] = (await once(client, 'data')) as [Buffer];
  t.is(data.toString(), 'from the child');
});

/** Installed only where a program's own test wants them; without them the test has nothing to say. */
function load(name: string): unknown {
  try {
    return createRequire(import.meta.url)(name);
  } catch {
    return undefined;
  }
}

const ioredis = load('ioredis') as { Redis: new (options: object) => RedisClient } | undefined;
interface RedisClient {
  set(key: string, value: string): Promise<string>;
  get(key: string): Promise<string>;
  disconnect(): void;
}

(ioredis ? test : test.skip)('ioredis speaks over a tnet Socket', async (t) => {
  const server = await listen(
    t,
    createServer((socket) => {
      socket.on('data', (chunk) => {
        const text = String(chunk);
        if (text.includes('info')) socket.write('$0\r\n\r\n');
        else if (text.includes('get')) socket.write('$5\r\nvalue\r\n');
        else socket.write('+OK\r\n');
      });
    }),
  );
  const client = new ioredis!.Redis({
    Connector: class {
      connecting = true;
      check() {
        return true;
      }
      disconnect() {
        this.connecting = false;
      }
      connect() {
        return Promise.resolve(connect(portOf(server), '127.0.0.1'));
      }
    },
    enableReadyCheck: false,
    disableClientInfo: true,
  });
  t.is(await client.set('key', 'value'), 'OK');
  t.is(await client.get('key'), 'value');
  client.disconnect();
});
