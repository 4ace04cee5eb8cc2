import { once } from 'node:events';
import dgram from 'node:dgram';
import net from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Event, Proxy } from '../../../../commands/proxy/library.ts';
import { collect } from '../../../helpers/bytes.ts';
import { closedPort } from '../../../helpers/cli.ts';
import { connect, echo, endOf, exchange, startProxy, startServer } from '../../../helpers/proxied.ts';
import { tempDir } from '../../../helpers/temp.ts';

/** A proxy of one pair, `web`, in front of a server that sends back what it gets. */
async function startWeb(t: ExecutionContext, settings: object = {}) {
  const target = await startServer(t, echo);
  const { proxy, events } = await startProxy(t, []);
  const web = await proxy.addPair('web', { listen: '127.0.0.1:0', targets: [target], ...settings });
  return { proxy, events, web, target };
}

/** A client may see the end of its connection before its proxy counts it. */
async function untilOpen(proxy: Proxy, count: number): Promise<void> {
  while (proxy.connections.length !== count) await new Promise(setImmediate);
}

/** Sends a word, and gives what comes back with how long that took. */
async function ask(socket: net.Socket, word = 'hello') {
  const startedAt = performance.now();
  socket.write(word);
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  return { word: bytes.toString(), tookMs: performance.now() - startedAt };
}

test('a fault that is added, changed and removed acts on a connection that is open', async (t) => {
  const { web } = await startWeb(t);
  const socket = connect(t, web.address);
  await ask(socket);
  const latency = (delayMs: number) => ({ kind: 'latency', delayMs }) as const;
  t.deepEqual(web.faults.add({ name: 'slow', direction: 'down', fault: latency(300) }), { connections: 1 });
  t.true((await ask(socket)).tookMs >= 270);
  t.deepEqual(web.faults.change('slow', { fault: latency(600_000) }), { connections: 1 });
  const answer = ask(socket, 'held');
  t.deepEqual(web.faults.remove('slow'), { connections: 1 });
  t.is((await answer).word, 'held');
  t.deepEqual(web.faults.list, []);
});

test('a fault in the settings is one of the faults of the pair, and a change of it acts at once', async (t) => {
  const { proxy, web, target } = await startWeb(t, { latency: '1ms', direction: 'down', seed: 7 });
  const socket = connect(t, web.address);
  await ask(socket);
  t.like(web.faults.list, [{ name: 'latency', direction: 'down', fault: { kind: 'latency', delayMs: 1 } }]);
  t.deepEqual(web.settings, { listen: '127.0.0.1:0', targets: [target] });
  t.deepEqual(await proxy.changePair('web', { latency: '250ms' }), { connections: 1 });
  t.true((await ask(socket)).tookMs >= 220);
  t.deepEqual(await proxy.changePair('web', { latency: null, corrupt: 1 }), { connections: 1 });
  t.not((await ask(socket)).word, 'hello');
  t.deepEqual(
    web.faults.list.map(({ name }) => name),
    ['corrupt'],
  );
  await t.throwsAsync(proxy.changePair('web', { seed: 8 }), { code: 'TNET_E_CONFIG' });
});

test('a pair that is disabled refuses clients and keeps its connections, and is bound again where it was', async (t) => {
  const { proxy, web } = await startWeb(t);
  const { address } = web;
  const socket = connect(t, address);
  await ask(socket);
  t.deepEqual(await proxy.setEnabled('web', false), { connections: 0 });
  t.false(web.isEnabled);
  t.is(web.address, undefined);
  t.is(await endOf(connect(t, address)), 'ECONNREFUSED');
  t.is((await ask(socket)).word, 'hello');
  await proxy.setEnabled('web', true);
  t.is(web.address, address);
  t.is((await exchange(t, address, Buffer.from('again'))).toString(), 'again');
  await untilOpen(proxy, 1);
  const end = endOf(socket);
  t.deepEqual(await proxy.setEnabled('web', false, { cut: true }), { connections: 1 });
  t.is(await end, 'ECONNRESET');
});

test('a pair that listens elsewhere keeps its old address until the new one is bound', async (t) => {
  const { proxy, web, target } = await startWeb(t);
  const { address: old } = web;
  const socket = connect(t, old);
  await ask(socket);
  const error = await t.throwsAsync(proxy.changePair('web', { listen: target, targets: ['127.0.0.1:9'] }));
  t.like(error, { code: 'EADDRINUSE', subject: target });
  t.is(web.address, old);
  t.deepEqual(web.settings, { listen: '127.0.0.1:0', targets: [target] });
  t.is((await exchange(t, old, Buffer.from('still'))).toString(), 'still');
  const path = join(tempDir(t), 's');
  await proxy.changePair('web', { listen: path });
  t.is(web.address, path);
  t.is(await endOf(connect(t, old)), 'ECONNREFUSED');
  t.is((await exchange(t, path, Buffer.from('here'))).toString(), 'here');
  t.is((await ask(socket)).word, 'hello');
});

test('pairs are added beside others and removed, and those keep their ports', async (t) => {
  const { proxy, web, target } = await startWeb(t, { listen: `127.0.0.1:${await closedPort()}` });
  const { address } = web;
  const settings = { listen: '127.0.0.1:0', targets: [target] };
  const other = await proxy.addPair('other', settings);
  const { address: free } = other;
  const waiting = await proxy.addPair('waiting', settings, { isEnabled: false });
  t.is(waiting.address, undefined);
  await t.throwsAsync(proxy.addPair('other', settings), { code: 'TNET_E_NAME_TAKEN' });
  const socket = connect(t, address);
  await ask(socket);
  await proxy.removePair('web');
  t.is(other.address, free);
  t.is((await exchange(t, free, Buffer.from('other'))).toString(), 'other');
  t.is((await ask(socket)).word, 'hello');
  t.is(await endOf(connect(t, address)), 'ECONNREFUSED');
  t.throws(() => proxy.pair('web'), { code: 'TNET_E_UNKNOWN_NAME' });
  await t.throwsAsync(proxy.changePair('web', {}), { code: 'TNET_E_UNKNOWN_NAME' });
  // The address is free at once.
  await proxy.addPair('again', { listen: address!, targets: [target] });
  t.deepEqual(
    proxy.pairs.map(({ name }) => name),
    ['other', 'waiting', 'again'],
  );
});

test('a change that cannot be read or served changes nothing, and names the setting', async (t) => {
  const { proxy, web, target } = await startWeb(t);
  const before = { ...web.settings };
  const wrong: [object, object][] = [
    [{ latncy: '1s' }, { code: 'TNET_E_CONFIG', subject: '/latncy' }],
    [{ idle: 'soon' }, { code: 'TNET_E_CONFIG', subject: '/idle' }],
    [{ listen: null }, { code: 'TNET_E_CONFIG', subject: '/listen' }],
    [{ name: 'other' }, { code: 'TNET_E_CONFIG', subject: '/name' }],
    [{ targets: [web.address] }, { code: 'TNET_E_LOOP' }],
    [{ allow: ['./no-such-file'] }, { code: 'TNET_E_ACCESS' }],
  ];
  for (const [settings, expected] of wrong) {
    t.like(await t.throwsAsync(proxy.changePair('web', settings)), expected, JSON.stringify(settings));
    t.deepEqual(web.settings, before);
  }
  const added = proxy.addPair('loop', { listen: '127.0.0.1:9', targets: ['127.0.0.1:9'] });
  await t.throwsAsync(added, { code: 'TNET_E_LOOP' });
  t.is(proxy.pairs.length, 1);
  t.is((await exchange(t, web.address, Buffer.from('still'))).toString(), 'still');
  await untilOpen(proxy, 0);
  t.deepEqual(web.targets, [
    { address: target, isEnabled: true, isUp: undefined, connections: 0, settings: {} },
  ]);
});

test('a target that is disabled gets no new clients, also when the settings change', async (t) => {
  const named = (name: string) => startServer(t, (socket) => socket.end(name));
  const [one, other] = [await named('one'), await named('other')];
  const { proxy } = await startProxy(t, []);
  const pair = await proxy.addPair('both', {
    listen: '127.0.0.1:0',
    targets: [one, other],
    balance: 'first',
  });
  const seen = async () => (await collect(connect(t, pair.address))).toString();
  t.is(await seen(), 'one');
  await proxy.setTargetEnabled('both', one, false);
  t.is(await seen(), 'other');
  await proxy.changePair('both', { idle: '1h' });
  t.is(await seen(), 'other');
  t.like(pair.targets, [
    { address: one, isEnabled: false },
    { address: other, isEnabled: true },
  ]);
  await proxy.setEnabled('both', false);
  await proxy.setTargetEnabled('both', one, true);
  await proxy.setEnabled('both', true);
  t.is(await seen(), 'one');
  await t.throwsAsync(proxy.setTargetEnabled('both', '127.0.0.1:1', false), { code: 'TNET_E_UNKNOWN_NAME' });
});

test('the connections to a target that is disabled are reset on demand', async (t) => {
  const { proxy, web, target } = await startWeb(t);
  const socket = connect(t, web.address);
  await ask(socket);
  t.deepEqual(await proxy.setTargetEnabled('web', target, false), { connections: 0 });
  t.is((await ask(socket)).word, 'hello');
  const end = endOf(socket);
  t.deepEqual(await proxy.setTargetEnabled('web', target, false, { cut: true }), { connections: 1 });
  t.is(await end, 'ECONNRESET');
});

test('connections are listed with their pair, and the totals count from when they are reset', async (t) => {
  const { proxy, web, target } = await startWeb(t);
  const other = await proxy.addPair('other', { listen: '127.0.0.1:0', targets: [target] });
  const [one, two] = [connect(t, web.address), connect(t, other.address)];
  await ask(one);
  await ask(two);
  t.deepEqual(
    proxy.connections.map(({ pair, remote }) => [pair, remote]),
    [
      ['web', `127.0.0.1:${one.localPort}`],
      ['other', `127.0.0.1:${two.localPort}`],
    ],
  );
  proxy.resetTotals();
  t.like(proxy.totals, { connections: 0, open: 2, sentBytes: 0, receivedBytes: 0, failed: 0 });
  await ask(one, 'abc');
  t.like(proxy.totals, { connections: 0, open: 2, sentBytes: 3, receivedBytes: 3 });
});

test('changes are made one after the other, in the order in which they were asked for', async (t) => {
  const { proxy, web, target } = await startWeb(t, { listen: `127.0.0.1:${await closedPort()}` });
  const { address } = web;
  await Promise.all([
    proxy.removePair('web'),
    proxy.addPair('web', { listen: address!, targets: [target] }),
    proxy.setEnabled('web', false),
    proxy.setEnabled('web', true),
    proxy.changePair('web', { idle: '1h' }),
  ]);
  t.like(proxy.pair('web'), { address, isEnabled: true, settings: { listen: address, idle: '1h' } });
  t.is((await exchange(t, address, Buffer.from('served'))).toString(), 'served');
});

test('a pair of datagrams has the faults of its settings, which hold for the sessions that come', async (t) => {
  const { proxy } = await startProxy(t, []);
  const settings = { listen: 'udp://127.0.0.1:0', targets: ['udp://127.0.0.1:9'], loss: 1 };
  const pair = await proxy.addPair('udp', settings);
  t.deepEqual(pair.settings, settings);
  const fault = { name: 'slow', fault: { kind: 'latency', delayMs: 1 } } as const;
  t.throws(() => pair.faults.add(fault), { code: 'TNET_E_UNSUPPORTED' });
  t.deepEqual(await proxy.changePair('udp', { loss: null, latency: '1ms' }), { connections: 0 });
});

for (const framing of ['chunk', 'length'] as const)
  test(`faults between UDP and a stream are exchanged within a session (framing ${framing})`, async (t) => {
    const { proxy } = await startProxy(t, []);
    const settings = { listen: 'udp://127.0.0.1:0', targets: [await startServer(t, echo)], framing };
    const pair = await proxy.addPair('mixed', { ...settings, latency: '1ms' });
    const client = dgram.createSocket('udp4');
    t.teardown(() => client.close());
    const ask = async () => {
      const startedAt = performance.now();
      client.send('hello', Number(pair.address?.split(':').at(-1)), '127.0.0.1');
      const [datagram] = (await once(client, 'message')) as [Buffer];
      t.is(datagram.toString(), 'hello');
      return performance.now() - startedAt;
    };
    await ask();
    t.deepEqual(pair.faults.change('latency', { fault: { kind: 'latency', delayMs: 150 } }), {
      connections: 1,
    });
    t.true((await ask()) >= 290);
    const slice = { kind: 'slice', bytes: 1 } as const;
    if (framing === 'length')
      t.deepEqual(pair.faults.add({ name: 'pieces', fault: slice }), { connections: 1 });
    t.deepEqual(pair.faults.remove('latency'), { connections: 1 });
    await ask();
  });

test('names of pairs are their listen addresses unless they have their own, and are unique', async (t) => {
  const target = await startServer(t, echo);
  const settings = { listen: '127.0.0.1:0', targets: [target] };
  const { proxy } = await startProxy(t, [settings, { ...settings, name: 'own' }, settings]);
  t.deepEqual(
    proxy.pairs.map(({ name }) => name),
    ['127.0.0.1:0', 'own', '127.0.0.1:0 2'],
  );
  const twice = proxy.setPairs([
    { ...settings, name: 'a' },
    { ...settings, name: 'a' },
  ]);
  t.like(await t.throwsAsync(twice), { code: 'TNET_E_CONFIG', subject: '/1/name' });
  const addresses = [...proxy.addresses];
  await proxy.setPairs([settings, { ...settings, name: 'own' }]);
  t.deepEqual(proxy.addresses, addresses.slice(0, 2));
});

test('other pairs leave those that stay undisturbed: their faults, and whether they are bound', async (t) => {
  const { proxy, web, target } = await startWeb(t, { name: 'web' });
  const { address, faults } = web;
  const socket = connect(t, address);
  await ask(socket);
  web.faults.add({ name: 'slow', fault: { kind: 'latency', delayMs: 100 } });
  const settings = { name: 'web', listen: '127.0.0.1:0', targets: [target] };
  await proxy.setPairs([settings, { listen: '127.0.0.1:0', targets: [target] }]);
  t.is(proxy.pair('web').address, address);
  t.is(web.faults, faults);
  t.true((await ask(socket)).tookMs >= 175);
});

test('a listener of events hears what happens until it is taken away', async (t) => {
  const { proxy, web } = await startWeb(t);
  const heard: Event[] = [];
  const hear = (event: Event) => heard.push(event);
  proxy.on('event', hear);
  await exchange(t, web.address, Buffer.from('x'));
  await proxy.close();
  t.deepEqual([...new Set(heard.map(({ event }) => event))].slice(0, 2), ['accepted', 'attempt']);
});

test('what a client sent before its end, while its route was looked for, counts', async (t) => {
  const { proxy, events, web } = await startWeb(t, { route: ['proto:http=127.0.0.1:1'] });
  t.is((await exchange(t, web.address, Buffer.from('G'))).toString(), 'G');
  await untilOpen(proxy, 0);
  t.like(
    events.find(({ event }) => event === 'ended'),
    { receivedBytes: 1, sentBytes: 1 },
  );
});
