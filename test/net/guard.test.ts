import type { Socket as DatagramSocket } from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import { Duplex, PassThrough, Transform } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import type { TnetError } from '../../src/errors.ts';
import { DatagramServer } from '../../src/net/datagram-server.ts';
import { DatagramPeer } from '../../src/net/datagram-peer.ts';
import { ConnectionGuard, guarded, guardStream } from '../../src/net/guard.ts';

function watchFaults(): { guard: ConnectionGuard; faults: TnetError[] } {
  const faults: TnetError[] = [];
  return { guard: new ConnectionGuard((fault) => faults.push(fault)), faults };
}

test('an exception of a listener ends its connection, and is told once', async (t) => {
  const { guard, faults } = watchFaults();
  const connection = new PassThrough();
  guard.watch(connection);
  connection.on('data', () => {
    throw new TypeError('a bug\nwith a second line');
  });
  connection.write('x');
  connection.write('y');
  await once(connection, 'close');
  t.deepEqual(
    faults.map(({ code, message }) => [code, message]),
    [['TNET_E_INTERNAL', 'a fault of tnet: TypeError: a bug']],
  );
  t.true(faults[0]!.cause instanceof TypeError);
});

test('what serves a connection may throw or reject: both ends are destroyed', async (t) => {
  for (const serve of [
    () => {
      throw new Error('at once');
    },
    () => Promise.reject(new Error('later')),
  ]) {
    const { guard, faults } = watchFaults();
    const [client, target] = [new PassThrough(), new PassThrough()];
    guard.watch(client);
    guard.watch(target);
    await guard.run(serve);
    t.is(faults.length, 1);
    t.true(client.destroyed);
    t.true(target.destroyed);
  }
});

test('an error that nobody listens to is a fault of this connection and not of the process', async (t) => {
  const { guard, faults } = watchFaults();
  const connection = new PassThrough();
  guard.watch(connection);
  connection.destroy(Object.assign(new Error('reset'), { code: 'ECONNRESET' }));
  // events.once() would be such a listener.
  await new Promise((resolve) => connection.once('close', resolve));
  t.is(faults.length, 1);
});

test('a connection that joins after the fault is destroyed at once', async (t) => {
  const { guard, faults } = watchFaults();
  await guard.run(() => Promise.reject(new Error('early')));
  const late = new PassThrough();
  guard.watch(late);
  t.true(late.destroyed);
  t.is(faults.length, 1);
});

test('without a fault the guard changes nothing', async (t) => {
  const { guard, faults } = watchFaults();
  const connection = new PassThrough();
  guard.watch(connection);
  const seen: string[] = [];
  connection.on('data', (chunk: Buffer) => seen.push(chunk.toString()));
  connection.end('whole');
  await once(connection, 'close');
  await guard.run(() => undefined);
  t.deepEqual(seen, ['whole']);
  t.deepEqual(faults, []);
});

const fail = () => {
  throw new Error('a bug');
};

/** What is called later on behalf of a connection, each with how it is begun. */
const later: Readonly<Record<string, (connection: PassThrough) => void>> = {
  'a timer of what serves it': () => setTimeout(guarded(fail), 1),
  'a timer of a timer': () =>
    setTimeout(
      guarded(() => setTimeout(guarded(fail), 1)),
      1,
    ),
  'the next tick': () => process.nextTick(guarded(fail)),
  'the next turn of the loop': () => setImmediate(guarded(fail)),
  'a promise of a timer': () =>
    setTimeout(
      guarded(() => Promise.reject(new Error('a bug'))),
      1,
    ),
  'a promise that nobody waits for': () => void turn().then(guarded(fail)),
  'a timer of a listener of its events'(connection) {
    connection.on('data', () => setTimeout(guarded(fail), 1));
    setTimeout(() => connection.write('x'), 1);
  },
  'a stream that its bytes pass through'(connection) {
    const stream = new Transform({ transform: fail });
    guardStream(stream);
    connection.once('close', () => void stream.destroy());
    setTimeout(() => stream.write('x'), 1);
  },
  'a timer of such a stream'() {
    const stream = new Transform({ transform: () => void setTimeout(guarded(fail), 1) });
    guardStream(stream);
    setTimeout(() => stream.write('x'), 1);
  },
  'a listener of such a stream'() {
    const stream = new PassThrough();
    guardStream(stream);
    stream.on('data', fail);
    setTimeout(() => stream.write('x'), 1);
  },
  'the end of such a stream'() {
    const stream = new Transform({ flush: fail });
    guardStream(stream);
    setTimeout(() => stream.end(), 1);
  },
};

for (const [what, begin] of Object.entries(later)) {
  test(`an exception in ${what} ends its connection and no other`, async (t) => {
    const { guard, faults } = watchFaults();
    const [connection, other] = [new PassThrough(), new PassThrough()];
    guard.watch(connection);
    await guard.run(() => begin(connection));
    await once(connection, 'close');
    t.deepEqual(
      faults.map(({ message }) => message),
      ['a fault of tnet: Error: a bug'],
    );
    t.false(other.destroyed);
  });
}

test('a stream that is guarded does each thing once', async (t) => {
  const { guard, faults } = watchFaults();
  const done: string[] = [];
  const note = (what: string, act: () => void) => {
    done.push(what);
    act();
  };
  const transform = new Transform({
    transform: (chunk, _encoding, next) => note('transform', () => next(null, chunk)),
    flush: (next) => note('flush', next),
  });
  const duplex = new Duplex({
    read: () => undefined,
    write: (_chunk, _encoding, next) => note('write', next),
    final: (next) => note('final', next),
  });
  await guard.run(() => {
    for (const stream of [transform, duplex]) guardStream(stream);
  });
  transform.pipe(duplex);
  transform.end('x');
  await once(duplex, 'finish');
  t.deepEqual(done, ['transform', 'write', 'flush', 'final']);
  t.deepEqual(faults, []);
});

test('a callback is given back as it is where no connection is served', (t) => {
  t.is(guarded(fail), fail);
});

test('a timer is guarded by the connection that it was started for, among many', async (t) => {
  const runs = Array.from({ length: 3 }, () => ({ ...watchFaults(), connection: new PassThrough() }));
  for (const { guard, connection } of runs) guard.watch(connection);
  await Promise.all(
    runs.map(({ guard }, index) =>
      guard.run(() => setTimeout(guarded(index === 1 ? fail : () => undefined), 1)),
    ),
  );
  await once(runs[1]!.connection, 'close');
  t.deepEqual(
    runs.map(({ faults, connection }) => [faults.length, connection.destroyed]),
    [
      [0, false],
      [1, true],
      [0, false],
    ],
  );
});

test('a peer that goes between two datagrams of one chunk is sent no second one', async (t) => {
  let sent = 0;
  let go: (error: Error | null) => void = () => undefined;
  const peer = new DatagramPeer({
    ...{ remoteAddress: '192.0.2.1', remotePort: 9, localAddress: undefined, localPort: undefined },
    send(_datagram, done) {
      // As node:dgram when its socket has been closed.
      if (sent++ > 0) throw new Error('Not running');
      go = done;
    },
    close: () => undefined,
  });
  peer.write(Buffer.alloc(70_000));
  peer.destroy();
  await once(peer, 'close');
  t.notThrows(() => go(null));
  t.is(sent, 1);
});

test('a fault while the first peer gets the socket is told, and not thrown', async (t) => {
  const socket = Object.assign(new EventEmitter(), {
    connect: () => socket.emit('connect'),
    // As node:dgram when its socket has been closed.
    remoteAddress: fail,
  });
  const server = new DatagramServer(socket as unknown as DatagramSocket, {
    onlyFirst: true,
    onPeer: () => t.fail('there is no peer'),
  });
  const told = new Promise<TnetError>((resolve) => server.once('error', resolve));
  socket.emit('message', Buffer.from('x'), { address: '192.0.2.1', port: 9, family: 'IPv4', size: 1 });
  t.is((await told).code, 'TNET_E_INTERNAL');
});

test('a datagram that claims to come from port 0 is turned away', (t) => {
  const socket = new EventEmitter() as unknown as DatagramSocket;
  const refused: string[] = [];
  const server = new DatagramServer(socket, {
    onPeer: () => t.fail('a peer that cannot be answered'),
    onRefused: (_remote, reason) => refused.push(reason),
  });
  server.on('error', (error: Error) => t.fail(error.message));
  socket.emit('message', Buffer.from('x'), { address: '192.0.2.1', port: 0, family: 'IPv4', size: 1 });
  t.deepEqual(refused, ['nobody can be answered at port 0']);
});
