import dgram from 'node:dgram';
import { once } from 'node:events';
import http from 'node:http';
import type { Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { errorCode } from '../../../src/errors.ts';
import { ask as exchange, collectUntilClose, payload, sameBytes } from '../../helpers/bytes.ts';
import type { Cli } from '../../helpers/cli.ts';
import { closedPort } from '../../helpers/cli.ts';
import { startControlled } from '../../helpers/control.ts';
import { connectPeer } from '../../helpers/peers.ts';
import { startEcho, startNamed } from '../../helpers/proxy.ts';

const two = ['--workers', '2', '-v'];
const corrupt = { fault: { kind: 'corrupt', share: 1 }, direction: 'down' };

/** A steered proxy that two workers serve, and its pair `web` before these targets. */
async function startWeb(t: ExecutionContext, targets: string[], settings: object = {}) {
  const started = await startControlled(t, ...two);
  const body = { name: 'web', settings: { listen: '127.0.0.1:0', targets, ...settings } };
  const added = await started.ask('POST', '/v1/pairs', { body });
  t.is(added.status, 201, added.text);
  return { ...started, web: added.body.address as string };
}

/** Connects so many clients of an echo, one after the other: each has had an answer. They go to the workers in turn. */
async function connectAll(t: ExecutionContext, address: string, count = 4): Promise<Socket[]> {
  const clients: Socket[] = [];
  while (clients.length < count) {
    const client = await connectPeer(t, address);
    await exchange(client, 'first', 5);
    clients.push(client);
  }
  return clients;
}

/** Begins to read events; they are pushed as they come. */
async function readEvents(t: ExecutionContext, address: string, path = '/v1/events') {
  const [host, port] = address.split(':');
  const request = http.get({ host, port, path, agent: false });
  t.teardown(() => request.destroy());
  request.on('error', () => undefined);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  response.setEncoding('utf8');
  let text = '';
  response.on('data', (part: string) => (text += part));
  if (text === '') await once(response, 'data');
  const list = () =>
    [...text.matchAll(/^data: (.*)\n\n/gm)].map(
      ([, json = '']) => JSON.parse(json) as Record<string, unknown>,
    );
  return {
    list,
    /** Waits until so many events have this name. */
    async have(event: string, count: number) {
      while (list().filter((one) => one['event'] === event).length < count) await once(response, 'data');
      return list().filter((one) => one['event'] === event);
    },
    ended: async () => {
      if (!response.readableEnded) await once(response, 'end');
    },
  };
}

function workersOf(cli: Cli): number[] {
  return [...cli.stderr().matchAll(/worker \d+ serves, process (\d+)/g)].map((match) => Number(match[1]));
}

test('a fault acts on the open connections of all workers, says how many they are, and is taken out of all', async (t) => {
  const { ask, web, cli } = await startWeb(t, [await startEcho(t)]);
  const clients = await connectAll(t, web);
  const say = async () => {
    const answers = await Promise.all(clients.map((client) => exchange(client, 'hello', 5)));
    return answers.filter((answer) => answer.toString() === 'hello').length;
  };
  const faults = '/v1/pairs/web/faults';
  const added = await ask('POST', faults, { body: corrupt });
  t.is(added.body.connections, 4);
  t.is(await say(), 0);
  const changed = await ask('PATCH', `${faults}/corrupt`, { body: { fault: { share: 0 } } });
  t.is(changed.body.connections, 4);
  t.is(await say(), 4);
  t.is((await ask('PATCH', '/v1/pairs/web', { body: { settings: { corrupt: 1 } } })).body.connections, 4);
  t.is(await say(), 0);
  t.is((await ask('DELETE', faults)).body.connections, 4);
  t.is(await say(), 4);
  t.deepEqual((await ask('GET', faults)).body, { faults: [] });
  process.kill(workersOf(cli)[0]!, 'SIGKILL');
  await cli.said(/ended by SIGKILL, 2 connections lost/);
});

test('the faults of a disabled pair act on the connections that it still has in its workers', async (t) => {
  const { ask, web } = await startWeb(t, [await startEcho(t)]);
  const [client] = await connectAll(t, web, 2);
  t.is((await ask('PATCH', '/v1/pairs/web', { body: { isEnabled: false } })).status, 200);
  t.is((await ask('POST', '/v1/pairs/web/faults', { body: corrupt })).body.connections, 2);
  t.not((await exchange(client!, 'hello', 5)).toString(), 'hello');
});

test('workers that replace others serve the pairs as they are by then: faults, disabled targets and settings', async (t) => {
  const { ask, web, cli } = await startWeb(t, [await startNamed(t, 'one'), await startNamed(t, 'two')]);
  const targets = (await ask('GET', '/v1/pairs/web/targets')).body.targets as { readonly address: string }[];
  await ask('POST', '/v1/pairs/web/faults', { body: { ...corrupt, fault: { kind: 'corrupt', share: 0 } } });
  for (const pid of workersOf(cli)) process.kill(pid, 'SIGKILL');
  await cli.said(/(ended by SIGKILL[^]*){2}/);
  const target = `/v1/pairs/web/targets/${encodeURIComponent(targets[0]!.address)}`;
  t.is((await ask('PATCH', target, { body: { isEnabled: false } })).status, 200);
  await ask('PATCH', '/v1/pairs/web/faults/corrupt', { body: { fault: { share: 1 } } });
  await cli.said(/(serves, process[^]*){4}/);
  for (let count = 0; count < 4; count++) {
    const { bytes } = await collectUntilClose(await connectPeer(t, web));
    t.is(bytes.length, 3);
    t.false(['one', 'two'].includes(bytes.toString()));
  }
  await ask('DELETE', '/v1/pairs/web/faults');
  for (let count = 0; count < 4; count++)
    t.is((await collectUntilClose(await connectPeer(t, web))).bytes.toString(), 'two');
  t.like((await ask('GET', '/v1/pairs/web/targets')).body.targets, [
    { address: targets[0]!.address, isEnabled: false },
    { address: targets[1]!.address, isEnabled: true },
  ]);
});

test('a change that a worker does not make is answered when that worker is gone, and its successor makes it', async (t) => {
  const { ask, web, cli } = await startWeb(t, [await startNamed(t, 'whole')]);
  const workers = workersOf(cli);
  for (const pid of workers) process.kill(pid, 'SIGSTOP');
  const changed = ask('PATCH', '/v1/pairs/web', { body: { settings: { corrupt: 1 } } });
  const added = ask('POST', '/v1/pairs/web/faults', { body: { ...corrupt, name: 'more' } });
  for (const pid of workers) process.kill(pid, 'SIGKILL');
  t.is((await changed).status, 200);
  t.is((await added).status, 201);
  await cli.said(/(serves, process[^]*){4}/);
  for (let count = 0; count < 2; count++)
    t.not((await collectUntilClose(await connectPeer(t, web))).bytes.toString(), 'whole');
  t.is((await ask('GET', '/v1/pairs/web/faults')).body.faults.length, 2);
});

test('a fault is caused in the same connections, and does the same to them, whoever serves them', async (t) => {
  const target = await startEcho(t);
  const seen = await Promise.all(
    [[], two].map(async (words) => {
      const pair = ['127.0.0.1:0', target, '--seed', '7', '--corrupt', '0.5', '--probability', '0.5'];
      const { cli, ask } = await startControlled(t, ...words, ...pair, '--direction', 'down');
      const address = await cli.address();
      const clients: Socket[] = [];
      const answers: string[] = [];
      const say = async (client: Socket) =>
        void answers.push((await exchange(client, 'hello', 5)).toString());
      for (let count = 0; count < 10; count++) {
        clients.push(await connectPeer(t, address));
        await say(clients.at(-1)!);
      }
      const body = { ...corrupt, name: 'more', toxicity: 0.4 };
      const { connections } = (await ask('POST', '/v1/pairs/127.0.0.1:0/faults', { body })).body;
      for (const client of clients) await say(client);
      return { answers, connections: connections as number };
    }),
  );
  const [alone, shared] = seen;
  t.deepEqual(shared, alone);
  t.true(alone!.connections > 0 && alone!.connections < 10);
  const whole = alone!.answers.filter((answer) => answer === 'hello').length;
  t.true(whole > 0 && whole < 20);
});

test('connections are listed with the bytes that their workers have moved, and totals are those of all', async (t) => {
  const target = await startEcho(t);
  const { ask, web } = await startWeb(t, [target]);
  const clients = await connectAll(t, web);
  for (const [index, client] of clients.entries())
    await exchange(client, payload(1000 * index), 1000 * index);
  const { connections } = (await ask('GET', '/v1/connections?pair=web')).body;
  t.like(
    connections,
    [5, 1005, 2005, 3005].map((bytes, index) => ({
      ...{ id: index + 1, pair: 'web', target, sentBytes: bytes, receivedBytes: bytes },
    })),
  );
  t.like((await ask('GET', '/v1/connections/3')).body, { id: 3, target, sentBytes: 2005 });
  t.like((await ask('GET', '/v1/totals')).body, {
    connections: 4,
    open: 4,
    sentBytes: 6020,
    receivedBytes: 6020,
  });
  t.is((await ask('GET', '/v1/pairs/web/targets')).body.targets[0].connections, 4);
  const metrics = (await ask('GET', '/metrics')).text;
  t.is(metrics.match(/proxy="web"[^\n]* 6020\n/g)?.length, 4, metrics);
  const over = collectUntilClose(clients[3]!);
  clients[3]!.end();
  await over;
  t.is((await ask('GET', '/metrics')).text.match(/ 6020\n/g)?.length, 4);
});

test('the rates of a connection are those of its worker', async (t) => {
  const { ask, web } = await startWeb(t, [await startEcho(t)]);
  const [client] = await connectAll(t, web, 2);
  let rates: number[] = [];
  while (!rates.every((rate) => rate >= 1000) || rates.length === 0) {
    await exchange(client!, payload(10_000), 10_000);
    const { body } = await ask('GET', '/v1/connections/1');
    rates = [body.sentBytesPerSecond as number, body.receivedBytesPerSecond as number];
  }
  t.deepEqual(rates.length, 2);
});

test('the connections of a target, and those of a pair, are cut in all workers', async (t) => {
  const [one, other] = [await startEcho(t), await startEcho(t)];
  const { ask, web } = await startWeb(t, [one, other], { balance: 'first' });
  const cutAll = async (method: string, path: string, body?: object) => {
    const clients = await connectAll(t, web);
    const ends = clients.map((client) => collectUntilClose(client));
    t.is((await ask(method, path, { body })).body.connections, 4);
    for (const { error } of await Promise.all(ends)) t.is(errorCode(error), 'ECONNRESET');
  };
  const disabled = { isEnabled: false, cut: true };
  await cutAll('PATCH', `/v1/pairs/web/targets/${encodeURIComponent(one)}`, disabled);
  await cutAll('DELETE', '/v1/pairs/web?cut=true');
});

test('events of all workers are in one stream, each once, up to the last ones', async (t) => {
  const { address, web, cli } = await startWeb(t, [await startEcho(t)]);
  const events = await readEvents(t, address);
  const clients = await connectAll(t, web);
  await events.have('accepted', 4);
  clients[0]!.end();
  await events.have('ended', 1);
  cli.child.kill('SIGINT');
  await events.ended();
  for (const name of ['accepted', 'connected', 'ended']) {
    const ids = events
      .list()
      .filter(({ event }) => event === name)
      .map(({ id }) => Number(id));
    t.deepEqual(ids.sort(), [1, 2, 3, 4], name);
  }
});

test('a worker that is started later is heard, too, and the tap of a connection ends with its worker', async (t) => {
  const { address, web, cli } = await startWeb(t, [await startEcho(t)]);
  const events = await readEvents(t, address);
  await connectAll(t, web, 1);
  const tap = await readEvents(t, address, '/v1/connections/1/tap');
  await tap.have('open', 1);
  for (const pid of workersOf(cli)) process.kill(pid, 'SIGKILL');
  t.like(await tap.have('close', 1), [{ reason: 'aborted' }]);
  await tap.ended();
  await events.have('worker-started', 2);
  await connectAll(t, web);
  t.deepEqual(
    (await events.have('accepted', 5)).map(({ id }) => id),
    [1, 2, 3, 4, 5],
  );
});

test('a tap that nobody reads misses bytes of a worker and says how many, and the connection does not wait for it', async (t) => {
  const { address, web } = await startWeb(t, [await startEcho(t)]);
  const [client] = await connectAll(t, web, 1);
  const [host, port] = address.split(':');
  const request = http.get({ host, port, path: '/v1/connections/1/tap', agent: false });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  // More than the system holds for a reader.
  const sent = payload(16 * 1024 * 1024);
  const back = collectUntilClose(client!);
  client!.end(sent);
  sameBytes(t, (await back).bytes, sent);
  const text = ((await response.setEncoding('utf8').toArray()) as string[]).join('');
  const told = { up: 0, down: 0 };
  const missed = { up: 0, down: 0 };
  for (const [, json = ''] of text.matchAll(/^data: (.*)\n\n/gm)) {
    const event = JSON.parse(json) as {
      event: string;
      direction: 'up' | 'down';
      base64: string;
    } & typeof missed;
    if (event.event === 'data') told[event.direction] += Buffer.from(event.base64, 'base64').length;
    if (event.event !== 'missed') continue;
    missed.up += event.up;
    missed.down += event.down;
  }
  t.deepEqual([told.up + missed.up, told.down + missed.down], [sent.length, sent.length]);
  t.true(missed.up > 0 && missed.down > 0);
});

test('a target is up where a worker finds it up, and down where all find it down', async (t) => {
  const [up, down] = [await startEcho(t), `127.0.0.1:${await closedPort()}`];
  const { ask } = await startWeb(t, [up, down], { health: '20ms', healthFall: 1 });
  const isUp = async () =>
    ((await ask('GET', '/v1/pairs/web/targets')).body.targets as { isUp: boolean }[]).map((one) => one.isUp);
  let states = await isUp();
  while (states[1] !== false) states = await isUp();
  t.deepEqual(states, [true, false]);
});

test('a pair of datagrams beside others is served by the process that accepts, and steered with them', async (t) => {
  const server = dgram.createSocket('udp4');
  t.teardown(() => server.close());
  server.on('message', (message, { port, address }) => server.send(message, port, address));
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  const { ask, web } = await startWeb(t, [await startEcho(t)]);
  await connectAll(t, web, 2);
  const targets = [`udp://127.0.0.1:${server.address().port}`];
  const body = { name: 'dns', settings: { listen: 'udp://127.0.0.1:0', targets } };
  const { address } = (await ask('POST', '/v1/pairs', { body })).body as { readonly address: string };
  const client = dgram.createSocket('udp4');
  t.teardown(() => client.close());
  client.send('hello', Number(address.split(':').at(-1)), '127.0.0.1');
  await once(client, 'message');
  const { connections } = (await ask('GET', '/v1/connections')).body;
  t.like(connections, [{ pair: 'web' }, { pair: 'web' }, { pair: 'dns', receivedBytes: 5 }]);
  t.deepEqual((await ask('DELETE', '/v1/connections/3')).body, { connections: 1 });
});

test('while connections drain, a steered proxy of workers shows them and takes no change', async (t) => {
  const { ask, web, cli } = await startWeb(t, [await startEcho(t)]);
  const [client] = await connectAll(t, web, 1);
  cli.child.kill('SIGTERM');
  await cli.said(/waiting for 1 connection/);
  t.is((await ask('GET', '/v1/connections')).body.connections.length, 1);
  t.is((await ask('DELETE', '/v1/pairs/web/faults')).status, 503);
  const over = collectUntilClose(client!);
  client!.end('last');
  t.is((await over).bytes.toString(), 'last');
  t.is((await cli.exit).code, 143);
});
