import { once } from 'node:events';
import { connect as connectPlain } from 'node:net';
import test from 'ava';
import { Server, type Socket } from '../../src/net/index.ts';
import { unsentBytes, waitAcknowledged } from '../../src/net/tuning.ts';
import { closeAfter, connectPair, hasIpv6, pattern, portOf, transports } from '../helpers/net/sockets.ts';

const halfOpen = { serverOptions: { allowHalfOpen: true }, clientOptions: { allowHalfOpen: true } };

for (const transport of transports) {
  test(`${transport}: everything written is acknowledged by a peer that reads`, async (t) => {
    const { accepted, client } = await connectPair(t, transport, halfOpen);
    accepted.resume();
    client.write(pattern(3_000_000));
    t.is(await waitAcknowledged(client), 'acknowledged');
    t.is(client.writableLength, 0);
    t.is(await unsentBytes(client), 0);
  });

  test(`${transport}: bytes that a full peer does not take count as unsent`, async (t) => {
    const { accepted, client } = await connectPair(t, transport, halfOpen);
    accepted.pause();
    client.write(pattern(20_000_000));
    t.is(await waitAcknowledged(client, { timeoutMs: 100 }), 'timeout');
    const unsent = (await unsentBytes(client))!;
    t.true(unsent > 1_000_000 && unsent < 20_000_000, String(unsent));
    accepted.resume();
    t.is(await waitAcknowledged(client), 'acknowledged');
    t.is(await unsentBytes(client), 0);
  });

  test(`${transport}: fin waits until our end is acknowledged`, async (t) => {
    const { accepted, client } = await connectPair(t, transport, halfOpen);
    accepted.resume();
    t.is(await waitAcknowledged(client, { timeoutMs: 20, fin: true }), 'timeout');
    client.end('last words');
    t.is(await waitAcknowledged(client, { fin: true }), 'acknowledged');
  });
}

test('a connection that was reset is closed, not acknowledged', async (t) => {
  const { accepted, client } = await connectPair(t, 'tcp4', halfOpen);
  client.write('question');
  const waiting = waitAcknowledged(client, { fin: true });
  const closed = new Promise((resolve) => client.once('close', resolve));
  accepted.resetAndDestroy();
  t.is(await waiting, 'closed');
  await closed;
  t.is(await unsentBytes(client), undefined);
});

test('a socket without a connection is closed and has no unsent bytes to tell', async (t) => {
  const { client } = await connectPair(t, 'unix', halfOpen);
  client.destroy();
  t.is(await unsentBytes(client), undefined);
  t.is(await waitAcknowledged(client, { fin: true }), 'closed');
});

test('an abort signal ends the waiting', async (t) => {
  const { client } = await connectPair(t, 'tcp4', halfOpen);
  const controller = new AbortController();
  const waiting = waitAcknowledged(client, { fin: true, signal: controller.signal });
  controller.abort();
  await t.throwsAsync(waiting, { name: 'AbortError' });
});

if (hasIpv6) {
  test('an IPv4 client of a dual-stack server is found under its mapped address', async (t) => {
    const server = new Server().listen(0, '::');
    closeAfter(t, server);
    await once(server, 'listening');
    const client = connectPlain(portOf(server), '127.0.0.1').resume();
    const [accepted] = (await once(server, 'connection')) as [Socket];
    t.is(accepted.remoteAddress, '::ffff:127.0.0.1');
    accepted.write('hello');
    t.is(await waitAcknowledged(accepted), 'acknowledged');
    t.is(await unsentBytes(accepted), 0);
    client.destroy();
  });
}
