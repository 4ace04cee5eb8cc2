import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import nodeNet from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { mock } from 'node:test';
import { spawn } from 'node:child_process';
import test, { type ExecutionContext } from 'ava';
import net, { createServer, Server, type Socket } from '../../src/net/index.ts';
import { heldConnectionsLimit } from '../../src/net/accept-gate.ts';
import { closedPort } from '../helpers/cli.ts';
import {
  canPark,
  closeAfter,
  connectPair,
  listen,
  portOf,
  targetOf,
  transports,
  turn,
} from '../helpers/net/sockets.ts';

/** A client that says hello and keeps what it is told. */
function hello(t: ExecutionContext, server: nodeNet.Server): nodeNet.Socket {
  const client = nodeNet.connect(targetOf(server) as nodeNet.NetConnectOpts);
  client.on('error', () => undefined).resume();
  client.write('hello');
  t.teardown(() => client.destroy());
  return client;
}

/** Resolves at an event, whatever errors come before it. */
function happened(emitter: NodeJS.EventEmitter, event: string): Promise<unknown> {
  return new Promise((resolve) => emitter.once(event, resolve));
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(5);
}

for (const transport of transports) {
  test(`${transport}: pause() leaves connections waiting, and none is lost`, async (t) => {
    const server = await listen(t, createServer(), transport);
    const served: string[] = [];
    server.on('connection', (socket) => socket.once('data', (chunk) => served.push(String(chunk))));
    t.is(server.pause(60_000), server);
    t.true(server.paused);
    t.true(server.listening);
    t.truthy(server.address());
    const clients = Array.from({ length: 20 }, () => hello(t, server));
    await Promise.all(clients.map((client) => once(client, 'connect')));
    await delay(30);
    t.is(server.connections, 0);
    server.resume();
    t.false(server.paused);
    await until(() => served.length === 20);
    t.deepEqual(new Set(served), new Set(['hello']));
    t.is(server.connections, 20);
  });

  test(`${transport}: accepting goes on after pause()’s time`, async (t) => {
    const server = await listen(t, createServer(), transport);
    server.pause(50);
    const started = performance.now();
    hello(t, server);
    await once(server, 'connection');
    t.true(performance.now() - started >= 40);
    hello(t, server);
    await once(server, 'connection');
    t.is(server.connections, 2);
  });

  test(`${transport}: closing a paused server closes it, waiting connections included`, async (t) => {
    const server = await listen(t, createServer(), transport);
    const target = targetOf(server);
    server.pause(60_000);
    const client = hello(t, server);
    await once(client, 'connect');
    await turn();
    server.on('connection', () => t.fail());
    server.close();
    await Promise.all([happened(server, 'close'), happened(client, 'close')]);
    const [error] = (await once(nodeNet.connect(target as nodeNet.NetConnectOpts), 'error')) as [
      NodeJS.ErrnoException,
    ];
    t.regex(error.code!, /ECONNREFUSED|ENOENT/);
  });

  test(`${transport}: overflow "wait" leaves the excess in the backlog until a connection ends`, async (t) => {
    const server = createServer({ overflow: 'wait', allowHalfOpen: false });
    server.maxConnections = 2;
    server.on('drop', () => t.fail());
    await listen(t, server, transport);
    const served: Socket[] = [];
    server.on('connection', (socket) => {
      socket.resume();
      served.push(socket);
    });
    const clients = Array.from({ length: 5 }, () => hello(t, server));
    await Promise.all(clients.map((client) => once(client, 'connect')));
    await until(() => served.length === 2);
    await delay(30);
    t.is(served.length, 2);
    for (let count = 3; count <= 5; count++) {
      served[count - 3]!.destroy();
      await until(() => served.length === count);
      t.true(server.connections <= 2);
    }
  });

  test(`${transport}: maxConnections drops the excess and says so`, async (t) => {
    const server = createServer();
    server.maxConnections = 1;
    await listen(t, server, transport);
    const dropped = happened(server, 'drop') as Promise<nodeNet.DropArgument | undefined>;
    hello(t, server);
    await once(server, 'connection');
    const second = hello(t, server);
    const info = await dropped;
    await happened(second, 'close');
    t.is(server.connections, 1);
    if (transport === 'unix') t.is(info, undefined);
    else t.is(info!.localPort, portOf(server));
  });

  test(`${transport}: connections counts open connections`, async (t) => {
    const { server, accepted, client } = await connectPair(t, transport);
    t.is(server.connections, 1);
    t.is(
      await new Promise((resolve) => server.getConnections((_error, count) => resolve(count))),
      server.connections,
    );
    client.destroy();
    accepted.resume();
    await once(accepted, 'close');
    t.is(server.connections, 0);
  });
}

test('maxConnections of 0 accepts no connection', async (t) => {
  const server = createServer();
  server.maxConnections = 0;
  await listen(t, server);
  server.on('connection', () => t.fail());
  const dropped = once(server, 'drop');
  const client = hello(t, server);
  await Promise.all([dropped, once(client, 'close')]);
  t.is(server.connections, 0);
});

test('pause() without an argument lasts a second', async (t) => {
  const server = await listen(t, createServer());
  const started = performance.now();
  server.pause();
  hello(t, server);
  await once(server, 'connection');
  t.true(performance.now() - started >= 950);
});

test('pause() before listening holds from the start', async (t) => {
  const server = createServer();
  server.pause(60_000);
  await listen(t, server);
  hello(t, server);
  await delay(20);
  t.is(server.connections, 0);
  server.resume();
  await once(server, 'connection');
  t.is(server.connections, 1);
});

for (const value of [-1, NaN, '1', null]) {
  test(`pause(${String(value)}) is a TypeError`, (t) => {
    t.throws(() => createServer().pause(value as number), { code: 'ERR_INVALID_ARG_VALUE' });
  });
}

test('a paused server still lets an unreferenced process end', async (t) => {
  const entry = new URL('../../src/net/index.ts', import.meta.url).href;
  const code = `import { createServer } from ${JSON.stringify(entry)};
    const server = createServer().listen(0, '127.0.0.1', () => { server.pause(60_000); server.unref(); });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'inherit' });
  const [status] = (await once(child, 'exit')) as [number];
  t.is(status, 0);
});

test('a paused Unix server refuses what goes beyond its bound', async (t) => {
  const server = await listen(t, createServer(), 'unix');
  server.pause(60_000);
  let dropped = 0;
  server.on('drop', () => dropped++);
  const clients: nodeNet.Socket[] = [];
  for (let count = 0; count < heldConnectionsLimit + 3; count++) {
    const client = hello(t, server);
    await once(client, 'connect');
    clients.push(client);
  }
  await until(() => dropped === 3);
  let served = 0;
  server.on('connection', () => served++);
  server.resume();
  t.is(served, heldConnectionsLimit);
  for (const client of clients) client.destroy();
});

for (const msecs of [2 ** 31, 2 ** 40, Infinity]) {
  test(`pause(${msecs}) does not end at once`, async (t) => {
    const server = await listen(t, createServer());
    server.pause(msecs);
    await delay(30);
    t.true(server.paused);
    t.false(server.resume().paused);
  });
}

test('pause() goes on beyond the longest timer of Node, and ends at its time', (t) => {
  t.timeout(10_000);
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const server = createServer();
    server.pause(2 ** 31 + 1000);
    mock.timers.tick(2 ** 31 - 1);
    mock.timers.tick(1000);
    t.true(server.paused);
    mock.timers.tick(1);
    t.false(server.paused);
  } finally {
    mock.timers.reset();
  }
});

const storage = new AsyncLocalStorage<string>();

for (const transport of transports) {
  test(`${transport}: after pause() connections come in the context of listen()`, async (t) => {
    const server = createServer();
    await storage.run('listen', () => listen(t, server, transport));
    const contexts: unknown[] = [];
    server.on('connection', () => contexts.push(storage.getStore()));
    for (const end of ['resume', 'time'] as const) {
      await storage.run('pause', async () => {
        server.pause(end === 'time' ? 30 : 60_000);
        await once(hello(t, server), 'connect');
        if (end === 'resume') server.resume();
        hello(t, server);
      });
      await until(() => contexts.length === (end === 'resume' ? 2 : 4));
    }
    t.deepEqual(contexts, ['listen', 'listen', 'listen', 'listen']);
  });

  test(`${transport}: who waited for a place comes in the context of listen()`, async (t) => {
    const server = createServer({ overflow: 'wait' });
    await storage.run('listen', () => listen(t, server, transport));
    server.maxConnections = 1;
    const contexts: unknown[] = [];
    server.on('connection', (socket) => {
      contexts.push(storage.getStore());
      storage.run('connection', () => socket.on('close', () => undefined).resume());
      if (contexts.length === 1) storage.run('first', () => setTimeout(() => socket.destroy(), 20));
    });
    hello(t, server);
    await once(server, 'connection');
    hello(t, server);
    await until(() => contexts.length === 2);
    t.deepEqual(contexts, ['listen', 'listen']);
  });

  test(`${transport}: a backlog that was not named is the same after pause()`, async (t) => {
    const server = await listen(t, createServer(), transport);
    server.pause(60_000).resume();
    server.pause(60_000);
    const clients = Array.from({ length: 40 }, () => hello(t, server));
    await Promise.all(clients.map((client) => once(client, 'connect')));
    t.is(server.connections, 0);
  });
}

test('the seed’s EADDRINUSE recipe ends in a listening server', async (t) => {
  // The system would give a port of its choice to another while nobody listens on it.
  const PORT = await closedPort();
  const blocker = createServer().listen(PORT, '127.0.0.1');
  closeAfter(t, blocker);
  await once(blocker, 'listening');
  const HOST = '127.0.0.1';
  const server = createServer();
  closeAfter(t, server);
  const console = { log: (line: string) => lines.push(line) };
  const lines: string[] = [];
  server.on('error', function (e: NodeJS.ErrnoException) {
    if (e.code == 'EADDRINUSE') {
      console.log('Address in use, retrying...');
      setTimeout(function () {
        server.close();
        server.listen(PORT, HOST);
      }, 1000);
    }
  });
  server.listen(PORT, HOST);
  await once(server, 'error').catch(() => undefined);
  blocker.close();
  await once(server, 'listening');
  t.deepEqual(lines, ['Address in use, retrying...']);
  t.is(portOf(server), PORT);
});

test('closeAfterError emits close directly after error', async (t) => {
  const blocker = await listen(t, createServer());
  const events: string[] = [];
  const server = createServer({ closeAfterError: true });
  server.on('error', () => events.push('error'));
  server.on('close', () => events.push('close'));
  server.listen(portOf(blocker), '127.0.0.1');
  await happened(server, 'close');
  t.deepEqual(events, ['error', 'close']);
});

test('closeAfterError emits close once when a listener of the error closes the server', async (t) => {
  const taken = await listen(t, createServer());
  const server = createServer({ closeAfterError: true });
  const events: string[] = [];
  server.on('error', () => {
    events.push('error');
    server.close();
  });
  server.on('close', () => events.push('close'));
  for (const round of [1, 2]) {
    server.listen(portOf(taken), '127.0.0.1');
    await happened(server, 'close');
    await turn();
    t.is(events.splice(0).join(), 'error,close', `round ${round}`);
  }
});

test('without closeAfterError a failed listen emits no close, as in node:net', async (t) => {
  const blocker = await listen(t, createServer());
  const server = createServer();
  server.on('close', () => t.fail());
  server.listen(portOf(blocker), '127.0.0.1');
  await once(server, 'error');
  await turn();
  t.false(server.listening);
});

test('accepted connections are tnet Sockets with their server’s options', async (t) => {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, highWaterMark: 1234 });
  await listen(t, server);
  hello(t, server);
  const [socket] = (await once(server, 'connection')) as [Socket];
  t.true(socket instanceof net.Socket);
  t.is(socket.constructor, net.Socket);
  t.true(socket.allowHalfOpen);
  t.true(socket.isPaused());
  t.is(socket.readableHighWaterMark, 1234);
  t.is((socket as unknown as { server: unknown }).server, server);
  await delay(20);
  t.is(socket.bytesRead, 0);
  socket.resume();
  await once(socket, 'data');
});

test('noDelay and keepAlive with interval and count are set on accepted sockets', async (t) => {
  const server = createServer({
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 5000,
    keepAliveInterval: 2000,
    keepAliveCount: 3,
  });
  await listen(t, server);
  hello(t, server);
  const [socket] = (await once(server, 'connection')) as [Socket];
  const handle = (socket as unknown as { _handle: { fd: number } })._handle;
  t.true(handle.fd > 0);
  // The kernel's keepalive timer (2) runs with at most the idle time: proc_net_tcp.
  const { readFileSync } = await import('node:fs');
  const port = portOf(server).toString(16).toUpperCase().padStart(4, '0');
  const row = readFileSync('/proc/self/net/tcp', 'latin1')
    .split('\n')
    .find((line) => new RegExp(`^\\s*\\d+: [0-9A-F]+:${port} [0-9A-F]+:[0-9A-F]+ 01`).test(line))!;
  const [, timer, ticks] = / (\d\d):([0-9A-F]{8}) /.exec(row)!;
  t.is(timer, '02');
  t.true(Number.parseInt(ticks!, 16) <= 500);
});

test('a blockList refuses its addresses without a connection event', async (t) => {
  const blockList = new net.BlockList();
  blockList.addAddress('127.0.0.1');
  const server = createServer({ blockList });
  await listen(t, server);
  server.on('connection', () => t.fail());
  await once(hello(t, server), 'close');
  t.is(server.connections, 0);
});

test('the diagnostics channel of node:net tells of accepted sockets', async (t) => {
  const { subscribe, unsubscribe } = await import('node:diagnostics_channel');
  const server = await listen(t, createServer());
  const seen: unknown[] = [];
  const onMessage = (message: unknown) => seen.push((message as { socket: unknown }).socket);
  subscribe('net.server.socket', onMessage);
  hello(t, server);
  const [socket] = (await once(server, 'connection')) as [Socket];
  await turn();
  unsubscribe('net.server.socket', onMessage);
  t.true(seen.includes(socket));
});

test('running out of descriptors is reported and accepting pauses until one is free', async (t) => {
  if (!(await canPark())) return void t.pass('accepting cannot be stopped');
  const entry = new URL('../../src/net/index.ts', import.meta.url).href;
  const code = `import { createServer } from ${JSON.stringify(entry)};
    const sockets = [];
    const server = createServer((socket) => sockets.push(socket.resume()));
    server.once('exhausted', (error) => {
      console.log(error.code, error.syscall, server.paused);
      process.once('message', () => setInterval(() => { for (const socket of sockets) socket.destroy(); }, 20));
    });
    server.listen(0, '127.0.0.1', () => console.log(server.address().port));
    setInterval(() => console.log('served', sockets.length), 50);`;
  const child = spawn(
    'bash',
    ['-c', 'ulimit -n 60; exec "$0" --input-type=module -e "$1"', process.execPath, code],
    { stdio: ['inherit', 'pipe', 'inherit', 'ipc'] },
  );
  t.teardown(() => child.kill());
  let output = '';
  child.stdout!.on('data', (chunk) => (output += String(chunk)));
  await until(() => /^\d+\n/.test(output));
  const port = Number.parseInt(output);
  let ended = 0;
  const clients = Array.from({ length: 70 }, () => {
    const client = nodeNet.connect(port, '127.0.0.1');
    client
      .on('end', () => ended++)
      .on('error', () => undefined)
      .resume();
    t.teardown(() => client.destroy());
    return client;
  });
  await Promise.all(clients.map((client) => once(client, 'connect')));
  await until(() => output.includes('EMFILE accept true'));
  await delay(100);
  t.is(ended, 0, 'nobody was accepted only to be closed');
  child.send('free');
  await until(() => /served 70/.test(output));
  t.pass();
});

test('anyAddress "ipv4" listens on every IPv4 address and no other when the host is omitted', async (t) => {
  const server = createServer();
  closeAfter(t, server);
  server.listen({ port: 0, anyAddress: 'ipv4' });
  await once(server, 'listening');
  t.like(server.address(), { address: '0.0.0.0', family: 'IPv4' });
});

for (const host of [null, '']) {
  test(`anyAddress "ipv4" takes a host of ${JSON.stringify(host)} for none`, async (t) => {
    const server = createServer();
    closeAfter(t, server);
    server.listen({ port: 0, host: host as string, anyAddress: 'ipv4' });
    await once(server, 'listening');
    t.like(server.address(), { address: '0.0.0.0', family: 'IPv4' });
  });
}

test('connections can be set, and counts on from there', async (t) => {
  const server = await listen(t, createServer());
  server.connections = 5;
  hello(t, server);
  await once(server, 'connection');
  t.is(server.connections, 6);
  server.connections = 1;
});

test('a listening server’s descriptor serves http', async (t) => {
  const { createServer: createHttp, get } = await import('node:http');
  const server = await listen(t, createServer());
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
  t.true(fd > 0);
  const web = createHttp((_request, response) => response.end('over http'));
  // The connections go to whoever accepts first: here one object hands them to the other.
  server.on('connection', (socket) => web.emit('connection', socket));
  const body = await new Promise<string>((resolve) => {
    get({ port: portOf(server), agent: false }, (response) => {
      response.once('data', (chunk) => resolve(String(chunk)));
    });
  });
  t.is(body, 'over http');
});

test('reusePort lets two servers share a port', async (t) => {
  const first = new Server();
  closeAfter(t, first);
  first.listen({ port: 0, host: '127.0.0.1', reusePort: true });
  await once(first, 'listening');
  const second = new Server();
  closeAfter(t, second);
  second.listen({ port: portOf(first), host: '127.0.0.1', reusePort: true });
  await once(second, 'listening');
  t.is(portOf(first), portOf(second));
});

test('an abort signal and Symbol.asyncDispose close the server', async (t) => {
  const controller = new AbortController();
  const aborted = new Server();
  aborted.listen({ port: 0, host: '127.0.0.1', signal: controller.signal });
  await once(aborted, 'listening');
  controller.abort();
  await once(aborted, 'close');
  const disposed = await listen(t, new Server());
  await disposed[Symbol.asyncDispose]();
  t.false(disposed.listening);
});

test('where IPv6 is off a server without a host listens on every IPv4 address', async (t) => {
  const entry = new URL('../../src/net/index.ts', import.meta.url).href;
  // Binding '::' fails as it does on a system without IPv6 (EAFNOSUPPORT).
  const code = `import net, { createServer } from ${JSON.stringify(entry)};
    const probe = net._createServerHandle('127.0.0.1', 0, 4);
    const prototype = Object.getPrototypeOf(probe);
    probe.close();
    prototype.bind6 = () => -97;
    const server = createServer().listen(0, () => { console.log(JSON.stringify(server.address())); server.close(); });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['inherit', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  t.like(JSON.parse(String(line)) as object, { address: '0.0.0.0', family: 'IPv4' });
});
