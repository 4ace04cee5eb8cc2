import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { createAccessList } from '../../src/access/access-list.ts';
import { openExpressLane, type ExpressLaneOptions } from '../../src/flow/express-lane.ts';
import { loadNativeAddon } from '../../src/native/addon.ts';
import { collect, createBytes, createFolder, listDescriptors, nativeTest, until } from './ends.ts';
import { ended, fdOf, listen, openLane, whenClosed } from './lane-rig.ts';

const run = promisify(execFile);
const addon = loadNativeAddon();
nativeTest(
  'relays both directions, carries both ends, and tells the whole life of a connection',
  async (t) => {
    const [up, down] = [createBytes(3_000_000), createBytes(2_000_000)];
    const atTarget = Promise.withResolvers<Buffer>();
    const target = await listen(t, (socket) => {
      void collect(socket).then((bytes) => {
        atTarget.resolve(bytes);
        socket.end(down);
      });
    });
    const { events, connect, lane, port } = await openLane(t, [target]);
    const client = await connect();
    const { localPort } = client;
    client.end(up);
    t.true(up.equals(await atTarget.promise));
    t.true(down.equals(await collect(client)));
    await until(() => ended(events) !== undefined);
    const { id } = events[0] as { id: number };
    const [, connected, ending] = events;
    const local = connected?.type === 'connected' ? connected.local : undefined;
    const durationMs = ending?.type === 'ended' ? ending.durationMs : 0;
    t.true(durationMs > 0);
    t.is(local?.address, '127.0.0.1');
    t.deepEqual(events, [
      {
        type: 'accepted',
        id,
        remote: { address: '127.0.0.1', port: localPort! },
        local: { address: '127.0.0.1', port },
      },
      { type: 'connected', id, target: 0, local },
      {
        type: 'ended',
        id,
        upBytes: up.length,
        downBytes: down.length,
        durationMs,
        error: undefined,
        broken: undefined,
      },
    ]);
    t.is(lane.connections, 0);
  },
);

nativeTest('carries a reset of the target to the client, after the last byte', async (t) => {
  const target = await listen(t, (socket) => {
    socket.once('data', () => {
      socket.write('last words');
      void until(() => addon!.unsentBytes(fdOf(socket)) === 0).then(() => socket.resetAndDestroy());
    });
  });
  const { events, connect } = await openLane(t, [target]);
  const client = await connect();
  client.write('?');
  let received = '';
  client.on('data', (chunk: Buffer) => (received += chunk.toString()));
  const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
  t.is(error.code, 'ECONNRESET');
  t.is(received, 'last words');
  await until(() => ended(events) !== undefined);
  const ending = ended(events);
  t.is(ending?.type === 'ended' ? ending.broken : undefined, 'target');
  t.is(ending?.type === 'ended' ? ending.error?.code : undefined, 'ECONNRESET');
});

nativeTest('carries a reset of the client to the target', async (t) => {
  const failed = Promise.withResolvers<NodeJS.ErrnoException>();
  const target = await listen(t, (socket) => {
    socket.on('error', failed.resolve).resume();
    socket.once('data', () => client.resetAndDestroy());
  });
  const { events, connect } = await openLane(t, [target]);
  const client = await connect();
  client.write('x');
  t.is((await failed.promise).code, 'ECONNRESET');
  await until(() => ended(events) !== undefined);
  const ending = ended(events);
  t.is(ending?.type === 'ended' ? ending.broken : undefined, 'client');
});

nativeTest('resets the client when no target takes the connection, and says why', async (t) => {
  const gone = net.createServer().listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const { port } = gone.address() as net.AddressInfo;
  gone.close();
  await once(gone, 'close');
  const { events, port: lanePort } = await openLane(t, [
    { address: '127.0.0.1', port },
    { path: join(createFolder(t), 'nobody') },
  ]);
  const client = net.connect({ host: '127.0.0.1', port: lanePort });
  client.on('error', () => undefined);
  await whenClosed(client);
  await until(() => ended(events) !== undefined);
  t.deepEqual(
    events.map(({ type }) => type),
    ['accepted', 'refused', 'refused', 'ended'],
  );
  const ending = ended(events);
  t.is(ending?.type === 'ended' ? ending.error?.code : undefined, 'ECONNREFUSED');
});

nativeTest('goes on to the next address, IPv6 and Unix ones too', async (t) => {
  const folder = createFolder(t);
  const abstractPath = `\0tnet-lane-${process.pid}`;
  for (const where of [{ path: join(folder, 's') }, { path: abstractPath }, { host: '::1', port: 0 }]) {
    const server = net.createServer((socket) => void socket.end('hello')).listen(where);
    await once(server, 'listening');
    const address = server.address();
    const second =
      typeof address === 'string' ? { path: where.path! } : { address: '::1', port: address!.port };
    const { events, connect } = await openLane(t, [{ address: '127.0.0.1', port: 1 }, second]);
    t.is((await collect((await connect()).end())).toString(), 'hello');
    await until(() => ended(events) !== undefined);
    const connected = events.find((event) => event.type === 'connected');
    t.is(connected?.type === 'connected' ? connected.target : -1, 1);
    server.close();
  }
});

nativeTest('keeps more connections than it may have in the backlog', async (t) => {
  const target = await listen(t, (socket) => void socket.resume());
  const { lane, connect, events } = await openLane(t, [target], { maxConnections: 2 });
  const clients = [await connect(), await connect(), await connect()];
  await until(() => events.filter((event) => event.type === 'connected').length === 2);
  t.is(lane.connections, 2);
  clients[0]!.resetAndDestroy();
  await until(() => events.filter((event) => event.type === 'connected').length === 3);
  t.is(lane.connections, 2);
});

const octets = fc.tuple(...Array.from({ length: 3 }, () => fc.nat({ max: 2 })));
const clientAddress = octets.map((bytes) => `127.${bytes.join('.')}`).filter((text) => text !== '127.0.0.0');
const block = fc
  .tuple(clientAddress, fc.integer({ min: 0, max: 32 }), fc.constantFrom('', '::ffff:'))
  .map(([address, bits, mapped]) => `${mapped}${address}/${mapped === '' ? bits : bits + 96}`);
const list = fc.option(fc.array(fc.oneof(block, fc.constantFrom('::/0', '::1')), { maxLength: 3 }), {
  nil: undefined,
});

nativeTest('lets in exactly those whom the access lists let in', async (t) => {
  const target = await listen(t, (socket) => void socket.resume());
  const clients = fc.array(clientAddress, { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(list, list, clients, fc.boolean(), async (allow, deny, addresses, isDual) => {
      const access = await createAccessList({ allow, deny });
      const options = { access: access.blocks, ...(isDual && { listenFd: -1 }) };
      const { lane, port, events } = await openLane(t, [target], options);
      const sockets = addresses.map((localAddress) =>
        net.connect({ port, host: '127.0.0.1', localAddress }).on('error', () => undefined),
      );
      await until(
        () => events.filter(({ type }) => type === 'accepted' || type === 'denied').length === sockets.length,
      );
      lane.stop();
      await lane.ended;
      const told = events.flatMap((event) =>
        event.type === 'accepted' || event.type === 'denied'
          ? `${event.remote?.address.replace('::ffff:', '') ?? ''} ${event.type}`
          : [],
      );
      const expected = addresses.map(
        (address) =>
          `${address} ${access.judge(`${isDual ? '::ffff:' : ''}${address}`) === undefined ? 'accepted' : 'denied'}`,
      );
      assert.deepEqual(told.toSorted(), expected.toSorted());
    }),
    { numRuns: 60 },
  );
  t.pass();
});

nativeTest('resets idle connections after the limit, and not the busy ones', async (t) => {
  const target = await listen(t, (socket) => void socket.pipe(socket));
  const { connect, events } = await openLane(t, [target], { idleMs: 300 });
  const [idle, busy] = [await connect(), await connect()];
  const ticking = setInterval(() => busy.write('.'), 20);
  t.teardown(() => clearInterval(ticking));
  busy.resume();
  await whenClosed(idle);
  await until(() => ended(events) !== undefined);
  const ending = ended(events);
  t.is(ending?.type === 'ended' ? ending.error?.code : undefined, 'ETIMEDOUT');
  t.false(busy.destroyed);
});

nativeTest('closes: the listener at once, the connections when they are over', async (t) => {
  const target = await listen(t, (socket) => void socket.pipe(socket));
  const { lane, connect, port } = await openLane(t, [target]);
  const client = await connect();
  client.write('a');
  await once(client, 'data');
  lane.close();
  await t.throwsAsync(
    async () => {
      for (;;) {
        const late = net.connect(port, '127.0.0.1');
        await once(late, 'connect');
        late.destroy();
      }
    },
    { code: 'ECONNREFUSED' },
  );
  client.end('b');
  t.is((await collect(client)).toString(), 'b');
  await lane.ended;
  t.pass();
});

nativeTest('stops: every connection is reset, and no descriptor is left', async (t) => {
  const target = await listen(t, (socket) => void socket.resume());
  const count = () => listDescriptors().filter((line) => line.includes('socket:')).length;
  const before = count();
  const { lane, connect, events } = await openLane(t, [target]);
  const clients = await Promise.all(Array.from({ length: 20 }, connect));
  await until(() => events.filter((event) => event.type === 'connected').length === 20);
  const closed = Promise.all(clients.map((client) => whenClosed(client)));
  lane.stop();
  await lane.ended;
  await closed;
  t.is(events.filter((event) => event.type === 'ended').length, 20);
  await until(() => count() <= before);
  t.pass();
});

nativeTest('stops one connection and leaves the others', async (t) => {
  const target = await listen(t, (socket) => void socket.pipe(socket));
  const { lane, connect, events } = await openLane(t, [target]);
  const first = await connect();
  await until(() => events.length === 2);
  const second = await connect();
  await until(() => events.length === 4);
  lane.stopConnection((events[0] as { id: number }).id);
  await whenClosed(first);
  second.end('still here');
  t.is((await collect(second)).toString(), 'still here');
});

nativeTest('names IPv6 clients as RFC 5952 writes them', async (t) => {
  const target = await listen(t, (socket) => void socket.end());
  const { port, events } = await openLane(t, [target], { listenFd: -1 });
  for (const host of ['::1', '127.0.0.1']) {
    const client = net.connect({ host, port });
    await collect(client);
  }
  await until(() => events.filter((event) => event.type === 'accepted').length === 2);
  const addresses = events.flatMap((event) => (event.type === 'accepted' ? [event.remote?.address] : []));
  t.deepEqual(addresses, ['::1', '::ffff:127.0.0.1']);
});

nativeTest('refuses a target that is not numeric and a descriptor that is no listener', async (t) => {
  const server = net.createServer().listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  const listenFd = fdOf(server);
  const codeOf = (options: ExpressLaneOptions) =>
    t.throws<NodeJS.ErrnoException>(() => openExpressLane(options)).code;
  t.is(codeOf({ listenFd, targets: [{ address: 'localhost', port: 1 }] }), 'EINVAL');
  t.is(codeOf({ listenFd, targets: [{ path: 'x'.repeat(200) }] }), 'EINVAL');
  t.is(codeOf({ listenFd: 1_000_000, targets: [{ address: '::1', port: 1 }] }), 'EBADF');
  t.throws(() => openExpressLane({ listenFd, targets: [] }), { instanceOf: RangeError });
});

nativeTest('keeps the process alive until it is closed, and ends with it', async (t) => {
  const lane = new URL('../../src/flow/express-lane.ts', import.meta.url).href;
  const script = `
    const server = require('node:net').createServer().listen(0, '127.0.0.1', async () => {
      const { openExpressLane } = await import('${lane}');
      const targets = [{ address: '127.0.0.1', port: 1 }];
      const lane = openExpressLane({ listenFd: server._handle.fd, targets });
      server.close();
      if (process.argv[1] === 'exit') setTimeout(() => process.exit(3), 100);
      else setTimeout(() => lane.close(), 100).unref();
      lane.ended.then(() => console.log('ended'));
    });
  `;
  t.is((await run(process.execPath, ['-e', script, 'close'])).stdout, 'ended\n');
  const failure = (await t.throwsAsync(run(process.execPath, ['-e', script, 'exit']))) as unknown as {
    code: number;
  };
  t.is(failure.code, 3);
});
