import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { errorCode } from '../../../../src/errors.ts';
import { readPair } from '../../../../commands/proxy/pair.ts';
import type { ProxyHost } from '../../../../src/handlers/relay/host.ts';
import { LiveFaults } from '../../../../src/handlers/relay/faults/live-faults.ts';
import { prepareRelay } from '../../../../src/handlers/relay/prepare.ts';
import { nativeStatus } from '../../../../src/native/addon.ts';
import { createServer, type Socket } from '../../../../src/net/index.ts';
import { Ledger } from '../../../../src/serve/ledger.ts';
import { serveClient } from '../../../../src/serve/serve-client.ts';
import { collectUntilClose, payload, sameBytes } from '../../../helpers/bytes.ts';

function createHost(): ProxyHost & { ended: string[] } {
  const ended: string[] = [];
  return {
    ended,
    ledger: new Ledger(),
    emit: (event) => {
      if (event.event === 'ended') ended.push(event.reason);
    },
    fail: (_subject, error) => ended.push(String(error)),
    signal: new AbortController().signal,
  };
}

/** A relay whose faults can be exchanged, before a server that sends everything back. */
async function startRelay(t: ExecutionContext, live: LiveFaults) {
  const echo = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  echo.listen(0, '127.0.0.1');
  await once(echo, 'listening');
  const target = `127.0.0.1:${(echo.address() as net.AddressInfo).port}`;
  const pair = readPair({ listen: '127.0.0.1:0', targets: [target], values: {} }, { name: (part) => part });
  const host = createHost();
  const service = await prepareRelay({ ...pair, liveFaults: live }, host);
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket: Socket) => {
    void serveClient(socket, '127.0.0.1:0', service, host);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    service.close();
    server.close();
    echo.close();
  });
  return {
    host,
    service,
    connect: async () => {
      const { port } = server.address() as net.AddressInfo;
      const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      socket.on('error', () => undefined);
      t.teardown(() => socket.destroy());
      await once(socket, 'connect');
      return socket;
    },
  };
}

/** Waits until so many connections are relayed. */
async function untilOpen(live: LiveFaults, count: number): Promise<void> {
  const fault = { kind: 'corrupt', share: 0 } as const;
  for (;;) {
    const { connections } = live.add({ name: 'probe', fault });
    live.remove('probe');
    if (connections === count) return;
    await delay(1);
  }
}

test('faults are added, changed and removed while megabytes go both ways, and every byte is right', async (t) => {
  t.timeout(60_000);
  const live = new LiveFaults({ seed: 1 });
  const { connect, host } = await startRelay(t, live);
  const sockets = await Promise.all([connect(), connect(), connect()]);
  await untilOpen(live, 3);
  const sent = payload(3_000_000);
  const received = sockets.map((socket) => {
    socket.end(sent);
    return collectUntilClose(socket);
  });
  const all = Promise.all(received);
  const over = new AbortController();
  void all.then(() => over.abort());
  t.deepEqual(live.add({ name: 'slow', fault: { kind: 'latency', delayMs: 5, jitterMs: 5 } }), {
    connections: 3,
  });
  let changes = 0;
  while (!over.signal.aborted && changes < 200) {
    live.change('slow', { fault: { kind: 'latency', delayMs: changes % 7, jitterMs: changes % 3 } });
    live.add({ name: 'narrow', fault: { kind: 'bandwidth', bytesPerSecond: 20_000_000 } });
    await delay(1);
    live.add({ name: 'cut', direction: 'down', fault: { kind: 'slice', bytes: 5_000 } }, { before: 'slow' });
    live.remove('narrow');
    await delay(1);
    live.remove('cut');
    changes++;
  }
  live.clear();
  for (const { bytes, error } of await all) {
    t.is(error, undefined);
    sameBytes(t, bytes, sent);
  }
  t.deepEqual(host.ended, ['eof', 'eof', 'eof']);
});

test('a fault that is added to an open connection acts on it at once, and its removal too', async (t) => {
  const live = new LiveFaults();
  const { connect } = await startRelay(t, live);
  const socket = await connect();
  await untilOpen(live, 1);
  t.deepEqual(live.add({ name: 'slow', fault: { kind: 'latency', delayMs: 60_000 } }), { connections: 1 });
  socket.write('abc');
  await delay(50);
  t.is(socket.readableLength, 0);
  live.remove('slow');
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  t.is(chunk.toString(), 'abc');
});

test('a limit closes an open connection behind the bytes that may pass', async (t) => {
  const live = new LiveFaults();
  const { connect, host } = await startRelay(t, live);
  const socket = await connect();
  await untilOpen(live, 1);
  live.add({ name: 'cut', direction: 'down', fault: { kind: 'limit', bytes: 5 } });
  socket.write('abcdefgh');
  const { bytes, error } = await collectUntilClose(socket);
  t.is(error, undefined);
  t.is(bytes.toString(), 'abcde');
  socket.destroy();
  while (host.ended.length === 0) await delay(1);
  t.deepEqual(host.ended, ['limit']);
});

test('a reset breaks an open connection off', async (t) => {
  const live = new LiveFaults();
  const { connect, host } = await startRelay(t, live);
  const socket = await connect();
  await untilOpen(live, 1);
  live.add({ name: 'break', fault: { kind: 'reset', afterMs: 1 } });
  const { error } = await collectUntilClose(socket);
  t.is(errorCode(error), 'ECONNRESET');
  t.deepEqual(host.ended, ['limit']);
});

test('a removed timeout closes the connections whose bytes it has dropped', async (t) => {
  const live = new LiveFaults();
  live.add({ name: 'dead', direction: 'up', fault: { kind: 'timeout', afterMs: 0 } });
  const { connect } = await startRelay(t, live);
  const socket = await connect();
  socket.write('abc');
  await untilOpen(live, 1);
  live.remove('dead');
  // What is unread when a connection is closed may make the system send a reset.
  t.is((await collectUntilClose(socket)).bytes.length, 0);
});

(nativeStatus().used ? test : test.skip)(
  'the clients of a pair whose faults may be exchanged are served in JavaScript, and those of others are not',
  async (t) => {
    const { service } = await startRelay(t, new LiveFaults());
    t.is(service.lane.obstacle, 'the exchange of faults needs JavaScript');
    const pair = readPair({ listen: '1', targets: ['2'], values: {} }, { name: (part) => part });
    const plain = await prepareRelay(pair, createHost());
    plain.close();
    t.is(plain.lane.obstacle, undefined);
  },
);
