import { once } from 'node:events';
import http from 'node:http';
import nodeNet from 'node:net';
import test from 'ava';
import { AbstractConnector, Redis } from 'ioredis';
import mqtt from 'mqtt';
import { WebSocket, WebSocketServer } from 'ws';
import net, { connect, createServer, type Socket } from '../../src/net/index.ts';
import { listen, pattern, portOf } from '../helpers/net/sockets.ts';

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

/** A broker of one client: the packets of MQTT 3.1.1 that a connect, a subscribe and a publish need. */
function answerMqtt(socket: Socket): void {
  socket.on('data', (chunk: Buffer) => {
    for (let rest = chunk; rest.length > 1; rest = rest.subarray(2 + rest[1]!)) {
      const packet = rest.subarray(0, 2 + rest[1]!);
      const type = packet[0]! >> 4;
      if (type === 1) socket.write(Buffer.of(0x20, 2, 0, 0));
      if (type === 8) socket.write(Buffer.of(0x90, 3, packet[2]!, packet[3]!, 0));
      if (type === 3) socket.write(packet);
      if (type === 14) socket.end();
    }
  });
}

test('mqtt publishes and hears over tnet sockets on both sides', async (t) => {
  const server = await listen(t, createServer(answerMqtt));
  const client = new mqtt.MqttClient(() => connect(portOf(server), '127.0.0.1'), { reconnectPeriod: 0 });
  await new Promise<void>((resolve) => client.once('connect', () => resolve()));
  await client.subscribeAsync('topic');
  const heard = new Promise<[string, Buffer]>((resolve) => {
    client.once('message', (topic, payload) => resolve([topic, payload]));
  });
  await client.publishAsync('topic', 'hello');
  const [topic, payload] = await heard;
  t.is(topic, 'topic');
  t.is(payload.toString(), 'hello');
  await client.endAsync();
});

test('ws speaks over tnet sockets on both sides', async (t) => {
  const web = http.createServer();
  const sockets = new WebSocketServer({ server: web });
  sockets.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data as Buffer, { binary: isBinary }));
  });
  const server = await listen(
    t,
    createServer((socket) => void web.emit('connection', socket)),
  );
  const client = new WebSocket(`ws://127.0.0.1:${portOf(server)}/`, {
    createConnection: () => connect(portOf(server), '127.0.0.1') as never,
  });
  await once(client, 'open');
  for (const size of [0, 5, 200_000]) {
    client.send(pattern(size));
    const [echo] = (await once(client, 'message')) as [Buffer];
    t.true(echo.equals(pattern(size)));
  }
  client.close();
  await once(client, 'close');
});

test('ioredis speaks over tnet sockets on both sides', async (t) => {
  const server = await listen(
    t,
    createServer((socket) => {
      socket.on('data', (chunk) =>
        socket.write(String(chunk).includes('get') ? '$5\r\nvalue\r\n' : '+OK\r\n'),
      );
    }),
  );
  class Connector extends AbstractConnector {
    constructor() {
      super(1000);
    }
    override connect(): Promise<Socket> {
      this.connecting = true;
      return Promise.resolve((this.stream = connect(portOf(server), '127.0.0.1')));
    }
  }
  const client = new Redis({ Connector, enableReadyCheck: false, disableClientInfo: true });
  t.is(await client.set('key', 'value'), 'OK');
  t.is(await client.get('key'), 'value');
  client.disconnect();
});
