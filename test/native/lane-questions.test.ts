import { once } from 'node:events';
import net from 'node:net';
import type { ExecutionContext } from 'ava';
import type { ExpressLane, ExpressLaneOptions, LaneEvent, LaneTarget } from '../../src/flow/express-lane.ts';
import { getSystemErrorName } from 'node:util';
import { Server } from '../../src/net/index.ts';
import { closedPort } from '../helpers/cli.ts';
import { collect, listDescriptors, nativeTest, until } from './ends.ts';
import { ended, listen, openLane, whenClosed } from './lane-rig.ts';

type EventOf<Type extends LaneEvent['type']> = Extract<LaneEvent, { type: Type }>;
type Answer = (lane: ExpressLane, event: EventOf<'asked'>) => void;

/** A lane that asks for each connection. */
async function openAsking(t: ExecutionContext, answer: Answer, options: Partial<ExpressLaneOptions> = {}) {
  const events: LaneEvent[] = [];
  const rig = await openLane(t, [], {
    asks: 'at-once',
    ...options,
    onEvents: (batch) => {
      events.push(...batch);
      for (const event of batch) if (event.type === 'asked') answer(rig.lane, event);
    },
  });
  return { ...rig, events };
}

const greeting = (t: ExecutionContext, word: string) => listen(t, (socket) => void socket.end(word));

const of = <Type extends LaneEvent['type']>(events: readonly LaneEvent[], type: Type) =>
  events.filter((event): event is EventOf<Type> => event.type === type);

nativeTest('asks for each connection, which goes where the answer says', async (t) => {
  const targets = [await greeting(t, 'a'), await greeting(t, 'b')];
  let nth = 0;
  const { connect, events } = await openAsking(t, (lane, { id }) =>
    lane.answer(id, { target: targets[nth++ % 2] }),
  );
  for (const word of ['a', 'b', 'a']) t.is((await collect((await connect()).end())).toString(), word);
  await until(() => of(events, 'ended').length === 3);
  t.deepEqual(
    events.slice(0, 2).map(({ type }) => type),
    ['accepted', 'asked'],
  );
});

nativeTest('sends the head before the bytes of the client, and counts these alone', async (t) => {
  const target = await listen(t, (socket) => void socket.pipe(socket));
  const head = Buffer.from('head ');
  const { connect, events } = await openAsking(t, (lane, { id }) => lane.answer(id, { target, head }));
  const client = await connect();
  client.end('body');
  t.is((await collect(client)).toString(), 'head body');
  await until(() => ended(events) !== undefined);
  const ending = ended(events);
  t.is(ending?.type === 'ended' ? ending.upBytes : -1, 4);
});

nativeTest('asks with the first bytes, and drops as many as the answer says', async (t) => {
  const target = await listen(t, (socket) => void socket.pipe(socket));
  let said = '';
  const { connect, events } = await openAsking(
    t,
    (lane, event) => {
      said = Buffer.from(event.said).toString();
      lane.answer(event.id, { target, skipped: 4 });
    },
    { asks: 'first-bytes' },
  );
  const client = await connect();
  t.is(of(events, 'asked').length, 0);
  client.write('who body');
  await until(() => said !== '');
  client.end(' and more');
  t.is(said, 'who body');
  t.is((await collect(client)).toString(), 'body and more');
});

nativeTest('asks for a client that ends or is silent with no bytes', async (t) => {
  const target = await greeting(t, 'hello');
  const asked: number[] = [];
  const { connect } = await openAsking(
    t,
    (lane, event) => {
      asked.push(event.said.length);
      lane.answer(event.id, { target });
    },
    { asks: 'first-bytes' },
  );
  t.is((await collect((await connect()).end())).toString(), 'hello');
  t.is((await collect(await connect())).toString(), 'hello');
  t.deepEqual(asked, [0, 0]);
});

nativeTest('gives a client away with its bytes, and keeps its place until it is stopped', async (t) => {
  const target = await greeting(t, 'second');
  let nth = 0;
  const { lane, connect, events } = await openAsking(
    t,
    (one, { id }) => one.answer(id, nth++ === 0 ? { take: true, skipped: 1 } : { target }),
    { asks: 'first-bytes', maxConnections: 1 },
  );
  const client = await connect();
  client.write('xhello');
  await until(() => of(events, 'taken').length === 1);
  const [{ id, fd } = { id: 0, fd: -1 }] = of(events, 'taken');
  const socket = new net.Socket({ fd, allowHalfOpen: true });
  t.is(String(await once(socket, 'data')), 'hello');
  const second = await connect();
  second.end();
  t.is(of(events, 'accepted').length, 1);
  lane.stopConnection(id);
  t.is((await collect(second)).toString(), 'second');
  socket.end('bye');
  t.is((await collect(client)).toString(), 'bye');
  client.end();
});

nativeTest('tells of a target that refuses and waits to be told what to do', async (t) => {
  const gone = { address: '127.0.0.1', port: await closedPort() };
  const { lane, connect, events } = await openAsking(t, (one, { id }) => one.answer(id, { target: gone }));
  const [client, other] = [await connect(), await connect()];
  await until(() => of(events, 'refused').length === 2);
  t.is(of(events, 'ended').length, 0);
  const [first, second] = of(events, 'accepted').map(({ id }) => id);
  lane.takeConnection(first!);
  await until(() => of(events, 'taken').length === 1);
  const socket = new net.Socket({ fd: of(events, 'taken')[0]!.fd });
  socket.end('mine');
  t.is((await collect(client)).toString(), 'mine');
  client.end();
  lane.stopConnection(second!);
  await whenClosed(other);
  lane.stopConnection(first!);
  await until(() => of(events, 'ended').length === 2);
});

/** A server that accepts nobody for a while, and has its backlog full. */
async function startSilent(t: ExecutionContext, forMs: number): Promise<LaneTarget> {
  const server = new Server((socket) => void socket.end('late')).listen({
    port: 0,
    host: '127.0.0.1',
    backlog: 1,
  });
  await once(server, 'listening');
  server.pause(forMs);
  const { port } = server.address() as net.AddressInfo;
  t.teardown(() => server.close());
  for (let index = 0; index < 3; index++) {
    const socket = net.connect(port, '127.0.0.1').on('error', () => undefined);
    t.teardown(() => socket.destroy());
    if (index < 2) await once(socket, 'connect');
  }
  return { address: '127.0.0.1', port };
}

for (const [how, connectMs, silentMs] of [
  ['stands', 20_000, 300],
  ['has no time left', 400, 3_600_000],
] as const) {
  nativeTest(`gives a connect away that is under way, and tells that it ${how}`, async (t) => {
    const target = await startSilent(t, silentMs);
    const { connect, events, lane } = await openAsking(t, (one, { id }) => one.answer(id, { target }), {
      connectMs,
    });
    const client = await connect();
    await until(() => of(events, 'asked').length === 1);
    const [{ id } = { id: 0 }] = of(events, 'asked');
    lane.takeConnection(id);
    await until(() => of(events, 'taken').length === 1);
    const socket = new net.Socket({ fd: of(events, 'taken')[0]!.fd });
    if (how === 'stands') {
      await until(() => of(events, 'dialled').length === 1);
      const dialled = new net.Socket({ fd: of(events, 'dialled')[0]!.fd });
      t.is((await collect(dialled)).toString(), 'late');
    } else {
      await until(() => of(events, 'refused').length === 1);
      t.is(getSystemErrorName(-of(events, 'refused')[0]!.errno), 'ECANCELED');
    }
    socket.destroy();
    await collect(client.resume());
    lane.stopConnection(id);
    await until(() => of(events, 'ended').length === 1);
  });
}

nativeTest('a lane with connections that wait for an answer stops, and leaves no descriptor', async (t) => {
  const count = () => listDescriptors().filter((line) => line.includes('socket:')).length;
  const before = count();
  const { lane, connect, events } = await openAsking(t, () => undefined);
  const clients = [await connect(), await connect()];
  await until(() => of(events, 'asked').length === 2);
  const closed = Promise.all(clients.map((client) => whenClosed(client)));
  lane.stop();
  await lane.ended;
  await closed;
  lane.answer(of(events, 'asked')[0]!.id, {});
  await until(() => count() <= before);
  t.is(of(events, 'ended').length, 2);
});
