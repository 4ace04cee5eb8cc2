import { once } from 'node:events';
import net from 'node:net';
import test from 'ava';
import { createProxy, type PairSettings } from '../../../commands/proxy/library.ts';
import { collect } from '../../helpers/bytes.ts';
import { pattern } from '../../helpers/net/sockets.ts';
import { connect, echo, endOf, exchange, startProxy, startServer } from '../../helpers/proxied.ts';
import { tempDir } from '../../helpers/temp.ts';
import { join } from 'node:path';

test('a proxy in this process relays every byte, and tells what its command would', async (t) => {
  const target = await startServer(t, echo);
  const path = join(tempDir(t), 's');
  const { proxy, events } = await startProxy(t, [
    { listen: '127.0.0.1:0', targets: [target] },
    { listen: path, targets: [target] },
  ]);
  const bytes = pattern(1_000_000);
  t.deepEqual(await exchange(t, proxy.addresses[0], bytes), bytes);
  t.deepEqual(await exchange(t, proxy.addresses[1], bytes), bytes);
  t.is(proxy.addresses[1], path);
  await proxy.close();
  const { connections, open, failed, sentBytes, receivedBytes } = proxy.totals;
  t.deepEqual([connections, open, failed, sentBytes, receivedBytes], [2, 0, 0, 2_000_000, 2_000_000]);
  const names = events.map(({ event }) => event);
  t.deepEqual(names.slice(0, 1), ['listening']);
  t.is(names.filter((name) => name === 'ended').length, 2);
  t.false(names.includes('error'));
});

test('an open connection is listed with its target and bytes, and reset by its number', async (t) => {
  const target = await startServer(t, echo);
  const { proxy } = await startProxy(t, { listen: '127.0.0.1:0', targets: [target] });
  const client = connect(t, proxy.addresses[0]);
  client.write('hello');
  await once(client, 'data');
  const [connection] = proxy.connections;
  t.is(connection?.target, target);
  t.is(connection?.receivedBytes, 5);
  t.true(connection!.ageMs >= 0);
  const end = endOf(client);
  t.true(proxy.reset(connection!.id));
  t.is(await end, 'ECONNRESET');
  t.false(proxy.reset(connection!.id + 1));
});

test('new settings are those of the next connections, and open ones go on', async (t) => {
  const [one, other] = [
    await startServer(t, (socket) => void socket.on('data', () => socket.write('one'))),
    await startServer(t, (socket) => void socket.on('data', () => socket.write('other'))),
  ];
  const { proxy } = await startProxy(t, { listen: '127.0.0.1:0', targets: [one] });
  const [address] = proxy.addresses;
  const ask = async (socket: net.Socket) => {
    socket.write('?');
    return String((await once(socket, 'data'))[0]);
  };
  const first = connect(t, address);
  t.is(await ask(first), 'one');
  await proxy.setPairs({ listen: '127.0.0.1:0', targets: [other], latency: '1ms' });
  t.deepEqual(proxy.addresses, [address]);
  t.is(await ask(connect(t, address)), 'other');
  t.is(await ask(first), 'one');
});

test('what cannot be read or bound is refused, and all stays as it was', async (t) => {
  const target = await startServer(t, echo);
  const { proxy } = await startProxy(t, { listen: '127.0.0.1:0', targets: [target] });
  const refused: [unknown, object][] = [
    [
      { listen: '127.0.0.1:0', targets: [target], latncy: '1s' },
      { code: 'TNET_E_CONFIG', subject: '/latncy' },
    ],
    [[{ listen: '127.0.0.1:0' }], { code: 'TNET_E_CONFIG', subject: '/0/targets' }],
    [{ targets: [target] }, { code: 'TNET_E_CONFIG', subject: '/listen' }],
    [undefined, { code: 'TNET_E_CONFIG', subject: '/' }],
    [{ listen: target, targets: ['127.0.0.1:1'] }, { code: 'EADDRINUSE' }],
    [{ listen: '127.0.0.1:9', targets: ['127.0.0.1:9'] }, { code: 'TNET_E_LOOP' }],
  ];
  for (const [pairs, expected] of refused) {
    const error = await t.throwsAsync(proxy.setPairs(pairs as PairSettings));
    t.like(error, expected, JSON.stringify(pairs));
  }
  t.is((await exchange(t, proxy.addresses[0], Buffer.from('still'))).toString(), 'still');
});

test('close() lets connections go on for drainMs, and accepts no more', async (t) => {
  const target = await startServer(t, echo);
  const { proxy } = await startProxy(t, { listen: '127.0.0.1:0', targets: [target] });
  const [address] = proxy.addresses;
  const client = connect(t, address);
  client.write('a');
  await once(client, 'data');
  const closed = proxy.close({ drainMs: 60_000 });
  client.end('b');
  t.is((await collect(client)).toString(), 'b');
  await closed;
  t.is(await endOf(connect(t, address)), 'ECONNREFUSED');
  await t.throwsAsync(proxy.setPairs({ listen: '127.0.0.1:0', targets: [target] }), { code: 'TNET_E_USAGE' });
});

test('close() without drainMs resets what is open, and leaving its scope closes a proxy', async (t) => {
  const target = await startServer(t, echo);
  let client: net.Socket;
  {
    await using proxy = await createProxy({ listen: '127.0.0.1:0', targets: [target] });
    client = connect(t, proxy.addresses[0]);
    client.write('a');
    await once(client, 'data');
  }
  t.is(await endOf(client), 'ECONNRESET');
});

test('a client that cannot be connected is an event, and no exception', async (t) => {
  const gone = net.createServer().listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const target = `127.0.0.1:${(gone.address() as net.AddressInfo).port}`;
  gone.close();
  await once(gone, 'close');
  const { proxy, events } = await startProxy(t, { listen: '127.0.0.1:0', targets: [target] });
  t.is(await endOf(connect(t, proxy.addresses[0])), 'ECONNRESET');
  await proxy.close();
  t.like(
    events.find(({ event }) => event === 'error'),
    { subject: target, code: 'ECONNREFUSED' },
  );
  t.is(proxy.totals.failed, 1);
});
