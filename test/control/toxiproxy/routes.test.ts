import { once } from 'node:events';
import { join } from 'node:path';
import tls from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import type { ControlAnswer, ControlRequest } from '../../../src/control/request.ts';
import { answerToxiproxy } from '../../../src/control/toxiproxy/routes.ts';
import { toSteered } from '../../helpers/steering.ts';
import { echo, exchange, startProxy, startServer } from '../../helpers/proxied.ts';
import { toxiproxyCalls, withoutPorts, withPorts } from '../../helpers/toxiproxy-calls.ts';
import { tempDir } from '../../helpers/temp.ts';
import { findPorts } from '../../helpers/toxiproxy-world.ts';

async function start(t: ExecutionContext) {
  const { proxy: steered } = await startProxy(t, []);
  const answer = answerToxiproxy(toSteered(steered));
  const ask = (
    method: string,
    path: string,
    body?: unknown,
    headers = {},
  ): Promise<ControlAnswer | undefined> => {
    const request: ControlRequest = {
      method,
      path: path.split('/').slice(1).map(decodeURIComponent),
      query: new URLSearchParams(),
      headers,
      text: body === undefined ? '' : JSON.stringify(body),
      body,
    };
    return answer(request);
  };
  return { steered, ask };
}

test('every call of toxiproxy is answered as it answers it', async (t) => {
  const { ask } = await start(t);
  const ports = await findPorts(9);
  for (const { method, path, body, status, answer } of toxiproxyCalls) {
    const found = await ask(method, path, withPorts(body, ports));
    const title = `${method} ${path} ${JSON.stringify(body)}`;
    t.is(found?.status, status, `${title}: ${JSON.stringify(found?.body)}`);
    if (answer !== undefined) t.deepEqual(withoutPorts(found?.body, ports), answer, title);
  }
});

test('a path that toxiproxy has not is not answered here', async (t) => {
  const { ask } = await start(t);
  for (const path of ['/', '/v1/pairs', '/proxies/a/b/c/d', '/proxies/a/other', '/nothing'])
    t.is(await ask('GET', path), undefined, path);
});

test('a page of a browser is turned away', async (t) => {
  const { ask } = await start(t);
  const answer = await ask('GET', '/proxies', undefined, { 'user-agent': 'Mozilla/5.0 (X11; Linux)' });
  t.is(answer?.status, 403);
});

test('a name may hold what a path cannot', async (t) => {
  const { ask } = await start(t);
  const name = 'a/b ü%';
  const path = `/proxies/${encodeURIComponent(name)}`;
  await ask('POST', '/proxies', { name, listen: '127.0.0.1:0', upstream: 'localhost:1' });
  t.is((await ask('POST', `${path}/toxics`, { type: 'latency', name: 'x/y' }))?.status, 200);
  t.is((await ask('DELETE', `${path}/toxics/x%2Fy`))?.status, 204);
  t.is((await ask('DELETE', path))?.status, 204);
});

test('a pair with what toxiproxy has not is shown with it, and keeps it when it is changed', async (t) => {
  const { ask, steered } = await start(t);
  await steered.addPair('mine', {
    listen: '127.0.0.1:0',
    targets: ['a:1', 'b:2'],
    idle: '5s',
    balance: 'least',
  });
  steered.pair('mine').faults.add({ name: 'odd', fault: { kind: 'corrupt', share: 0.1 } });
  const shown = (await ask('GET', '/proxies/mine'))?.body;
  t.like(shown, {
    upstream: 'a:1,b:2',
    settings: { idle: '5s', balance: 'least' },
    toxics: [{ type: 'corrupt', stream: 'both', attributes: { share: 0.1 } }],
  });
  await ask('POST', '/proxies/mine/toxics', { type: 'latency' });
  await ask('DELETE', '/proxies/mine/toxics/latency_downstream');
  t.deepEqual((await ask('PATCH', '/proxies/mine', shown))?.body, shown);
  const changed = await ask('PATCH', '/proxies/mine', {
    upstream: 'c:3',
    settings: { idle: null, balance: null, tlsOut: true },
  });
  t.like(changed?.body, { upstream: 'c:3', settings: { tlsOut: true } });
  t.is(steered.pair('mine').faults.list.length, 1);
});

test('a proxy of other settings than toxiproxy has is made through the same call', async (t) => {
  const { ask, steered } = await start(t);
  const body = { name: 'socks', listen: '127.0.0.1:0', settings: { socks: true } };
  t.is((await ask('POST', '/proxies', body))?.status, 201);
  t.like(steered.pair('socks').settings, { listen: '127.0.0.1:0', targets: [], socks: true });
});

test('a replaced proxy keeps nothing of the one before', async (t) => {
  const { ask, steered } = await start(t);
  await steered.addPair('mine', { listen: '127.0.0.1:0', targets: ['a:1'], idle: '5s' });
  const { address } = steered.pair('mine');
  steered.pair('mine').faults.add({ name: 'odd', fault: { kind: 'blackhole' } });
  await ask('POST', '/populate', [{ name: 'mine', listen: address, upstream: 'b:2' }]);
  const { settings, faults } = steered.pair('mine');
  t.deepEqual(settings, { listen: '127.0.0.1:0', targets: ['b:2'] });
  t.deepEqual(faults.list, []);
});

test('the bytes of each proxy are counted under the names of toxiproxy', async (t) => {
  const { ask, steered } = await start(t);
  const upstream = await startServer(t, echo);
  const { address = '' } = await steered.addPair('a"b', { listen: '127.0.0.1:0', targets: [upstream] });
  await exchange(t, address, Buffer.from('hello'));
  await exchange(t, address, Buffer.from('again'));
  const found = await ask('GET', '/metrics');
  t.regex(found?.headers?.['content-type'] ?? '', /^text\/plain; version=0\.0\.4/);
  const labels = `listener="${address}",proxy="a\\"b",upstream="${upstream}"`;
  t.deepEqual(
    (found?.body as string).split('\n').filter((line) => line !== '' && !line.startsWith('#')),
    ['received', 'sent'].flatMap((what) =>
      ['upstream', 'downstream'].map(
        (direction) => `toxiproxy_proxy_${what}_bytes_total{direction="${direction}",${labels}} 10`,
      ),
    ),
  );
});

test('TLS clients, Unix sockets, faults and seeds of tnet are had by the same calls', async (t) => {
  const { ask } = await start(t);
  const path = join(tempDir(t), 'echo');
  const upstream = await startServer(t, echo);
  const inner = { name: 'inner', listen: path, upstream, settings: { seed: 7, slice: true } };
  t.is((await ask('POST', '/proxies', inner))?.status, 201);
  const outer = { name: 'outer', listen: 'tls://127.0.0.1:0', upstream: path };
  const made = (await ask('POST', '/proxies', outer))?.body as { listen: string };
  const damage = { type: 'corrupt', stream: 'upstream', attributes: { share: 1 } };
  t.is((await ask('POST', '/proxies/inner/toxics', damage))?.status, 200);
  const socket = tls.connect({ port: Number(made.listen.split(':').at(-1)), rejectUnauthorized: false });
  t.teardown(() => socket.destroy());
  socket.write('hello');
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  t.not(bytes.toString(), 'hello'.slice(0, bytes.length));
  t.like((await ask('GET', '/proxies/inner'))?.body, {
    toxics: [
      { name: 'slice', type: 'slicer', stream: 'both' },
      { name: 'corrupt_upstream', type: 'corrupt' },
    ],
  });
});

test('a proxy of datagrams has the faults of its settings, and takes no toxic', async (t) => {
  const { ask } = await start(t);
  const body = { name: 'dns', listen: 'udp://127.0.0.1:0', upstream: 'udp://127.0.0.1:9' };
  const made = await ask('POST', '/proxies', { ...body, settings: { loss: 0.1 } });
  t.like(made?.body, { upstream: 'udp://127.0.0.1:9', settings: { loss: 0.1 }, toxics: [] });
  t.is((await ask('POST', '/proxies/dns/toxics', { type: 'latency' }))?.status, 400);
  t.is((await ask('PATCH', '/proxies/dns', { settings: { loss: null, latency: '5ms' } }))?.status, 200);
  t.like((await ask('GET', '/proxies/dns'))?.body, { settings: { latency: '5ms' } });
});
