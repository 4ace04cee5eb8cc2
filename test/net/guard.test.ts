import type { Socket as DatagramSocket } from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import { PassThrough } from 'node:stream';
import test from 'ava';
import type { TnetError } from '../../src/errors.ts';
import { DatagramServer } from '../../src/net/datagram-server.ts';
import { ConnectionGuard } from '../../src/net/guard.ts';

function guarded(): { guard: ConnectionGuard; faults: TnetError[] } {
  const faults: TnetError[] = [];
  return { guard: new ConnectionGuard((fault) => faults.push(fault)), faults };
}

test('an exception of a listener ends its connection, and is told once', async (t) => {
  const { guard, faults } = guarded();
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
    const { guard, faults } = guarded();
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
  const { guard, faults } = guarded();
  const connection = new PassThrough();
  guard.watch(connection);
  connection.destroy(Object.assign(new Error('reset'), { code: 'ECONNRESET' }));
  // events.once() would be such a listener.
  await new Promise((resolve) => connection.once('close', resolve));
  t.is(faults.length, 1);
});

test('a connection that joins after the fault is destroyed at once', async (t) => {
  const { guard, faults } = guarded();
  await guard.run(() => Promise.reject(new Error('early')));
  const late = new PassThrough();
  guard.watch(late);
  t.true(late.destroyed);
  t.is(faults.length, 1);
});

test('without a fault the guard changes nothing', async (t) => {
  const { guard, faults } = guarded();
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
