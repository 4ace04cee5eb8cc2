import { once } from 'node:events';
import { closeSync, createReadStream } from 'node:fs';
import net from 'node:net';
import { loadNativeAddon } from '../../src/native/addon.ts';
import { startRelay } from '../../src/flow/relay.ts';
import { spliceFlow, spliceFlowPair } from '../../src/flow/splice-flow.ts';
import { Socket } from '../../src/net/socket.ts';
import {
  collect,
  createBytes,
  createPipe,
  createSink,
  createSocketPair,
  must,
  nativeTest,
  until,
} from '../native/ends.ts';

const addon = loadNativeAddon();
const fdOf = (socket: net.Socket) => (socket as unknown as { _handle: { fd: number } })._handle.fd;

/** Random places to break off, small and large, on both sides of the switch to splice. */
const offsets = [1, 1000, 70_000, 400_000, 1_500_000].map((most) => 1 + Math.floor(Math.random() * most));

for (const offset of offsets) {
  nativeTest(`delivers all ${offset} bytes that came before a source's reset`, async (t) => {
    const [client, source] = await createSocketPair(t);
    const { sink, collect: collectSink } = await createSink(t, 'file');
    void collectSink();
    const flow = must(spliceFlow({ source, sink }));
    client.write(createBytes(offset));
    await until(() => client.writableLength === 0 && addon!.unsentBytes(fdOf(client)) === 0);
    client.resetAndDestroy();
    const ending = await flow.ended;
    t.is(ending.reason, 'reset');
    t.is(ending.side, 'source');
    t.is((ending.error as NodeJS.ErrnoException).code, 'ECONNRESET');
    t.is(ending.bytes, offset);
    t.is(ending.unsentBytes, 0);
  });

  nativeTest(`counts what a sink took and did not when it resets after ${offset} bytes`, async (t) => {
    const [client, source] = await createSocketPair(t);
    const [peer, sink] = await createSocketPair(t);
    const flow = must(spliceFlow({ source, sink }));
    let taken = 0;
    peer.on('data', (chunk: Buffer) => {
      taken += chunk.length;
      if (taken >= offset) peer.resetAndDestroy();
    });
    peer.resume();
    client.write(createBytes(offset + 12_000_000));
    const ending = await flow.ended;
    t.is(ending.reason, 'reset');
    t.is(ending.side, 'sink');
    t.true(['ECONNRESET', 'EPIPE'].includes((ending.error as NodeJS.ErrnoException).code ?? ''));
    t.true(ending.bytes >= taken);
    t.is(ending.bytes + ending.unsentBytes, flow.bytesRead);
  });
}

nativeTest(
  'tells both flows of a relay that a socket was reset, whoever the kernel told first',
  async (t) => {
    const [client, front] = await createSocketPair(t);
    const [back, target] = await createSocketPair(t);
    const up = must(spliceFlow({ source: front, sink: back }));
    const down = must(spliceFlow({ source: back, sink: front }));
    const received = collect(client);
    client.write('question');
    target.resume();
    await once(target, 'data');
    target.write('answer');
    await until(() => down.bytes === 6);
    target.resetAndDestroy();
    const endings = await Promise.all([up.ended, down.ended]);
    t.deepEqual(
      endings.map(({ reason, side, error }) => [reason, side, (error as NodeJS.ErrnoException).code]),
      [
        ['reset', 'sink', 'ECONNRESET'],
        ['reset', 'source', 'ECONNRESET'],
      ],
    );
    front.end();
    t.is((await received).toString(), 'answer');
  },
);

nativeTest('tells both flows of a connection of a reset, although one has bytes to send first', async (t) => {
  const [client, front] = await createSocketPair(t);
  const [back, target] = await createSocketPair(t);
  front.once('readable', () => undefined);
  client.write('head');
  await until(() => front.readableLength === 4);
  (front as unknown as { _handle: { readStop: () => void } })._handle.readStop();
  client.resetAndDestroy();
  await until(() => addon!.tcpState(fdOf(front)) === 7);
  const received = once(target.resume(), 'data');
  const [up, down] = must(spliceFlowPair({ source: front, sink: back }, { source: back, sink: front }));
  const ending = await up.ended;
  t.is((await down.ended).side, 'sink');
  t.is(ending.reason, 'reset');
  t.is(ending.side, 'source');
  t.is(ending.bytes, 4);
  t.is(String((await received)[0]), 'head');
  t.true(back.writable);
});

nativeTest('delivers what a blocked sink has not taken when the source resets behind it', async (t) => {
  const [client, source] = await createSocketPair(t);
  const [peer, sink] = await createSocketPair(t);
  const flow = must(spliceFlow({ source, sink }));
  const bytes = createBytes(12_000_000);
  client.write(bytes);
  await until(() => flow.blocked);
  client.resetAndDestroy();
  let received = 0;
  peer.on('data', (chunk: Buffer) => (received += chunk.length)).resume();
  const ending = await flow.ended;
  sink.end();
  await once(peer, 'end');
  t.is(ending.side, 'source');
  t.is(ending.reason, 'reset');
  t.is(ending.bytes, received);
  t.is(ending.unsentBytes, 0);
});

for (const how of ['resets', 'closes'] as const) {
  nativeTest(`a relay whose client ${how} while both directions are full ends within a second`, async (t) => {
    const [client, front] = await createSocketPair(t);
    const [target, back] = await createSocketPair(t);
    const relay = startRelay({ client: front, target: back });
    for (const socket of [client, target]) socket.pause().write(Buffer.alloc(24_000_000));
    await until(() => relay.up.blocked && relay.down.blocked);
    const brokenAt = performance.now();
    if (how === 'resets') client.resetAndDestroy();
    else client.destroy();
    const { broken, error, up } = await relay.ended;
    const elapsedMs = performance.now() - brokenAt;
    t.true(elapsedMs > 900 && elapsedMs < 2_500, `${elapsedMs} ms`);
    t.is(broken, 'client');
    t.is((error as NodeJS.ErrnoException).code, 'ECONNRESET');
    t.true(up.unsentBytes > 0);
    t.is(up.bytes + up.unsentBytes, relay.up.bytesRead);
  });
}

nativeTest(
  'a sink that is no peer of a relay takes what came before a reset as slowly as it likes',
  async (t) => {
    const [client, source] = await createSocketPair(t);
    const { readFd, writeFd } = createPipe(t);
    const [flow] = must(
      spliceFlowPair({ source, sink: writeFd }, { source: createPipe(t).readFd, sink: source }),
    );
    client.write(createBytes(8_000_000));
    await until(() => flow.blocked);
    client.resetAndDestroy();
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    let received = 0;
    createReadStream('', { fd: readFd }).on('data', (chunk) => (received += chunk.length));
    const ending = await flow.ended;
    closeSync(writeFd);
    t.is(ending.side, 'source');
    t.is(ending.unsentBytes, 0);
    await until(() => received === ending.bytes);
  },
);

nativeTest('stops reading while the sink takes nothing', async (t) => {
  const [client, source] = await createSocketPair(t);
  const [peer, sink] = await createSocketPair(t);
  const flow = must(spliceFlow({ source, sink }));
  const bytes = createBytes(40_000_000);
  client.end(bytes);
  await until(() => flow.blocked);
  const { bytesRead } = flow;
  t.true(bytesRead < bytes.length / 2, `${bytesRead} bytes read of ${bytes.length}`);
  await until(() => flow.idleMs > 30);
  t.is(flow.bytesRead, bytesRead);
  t.true(bytes.equals(await collect(peer)));
  t.is((await flow.ended).bytes, bytes.length);
});

nativeTest('tells at once that the reader of a pipe has gone, without a byte to write', async (t) => {
  const { readFd, writeFd } = createPipe(t);
  const [, source] = await createSocketPair(t);
  const flow = must(spliceFlow({ source, sink: writeFd }));
  closeSync(readFd);
  const ending = await flow.ended;
  closeSync(writeFd);
  t.is(ending.reason, 'reset');
  t.is(ending.side, 'sink');
  t.is((ending.error as NodeJS.ErrnoException).code, 'EPIPE');
});

nativeTest('survives a pipe that breaks under a splice', async (t) => {
  const { readFd, writeFd } = createPipe(t);
  const [client, source] = await createSocketPair(t);
  const flow = must(spliceFlow({ source, sink: writeFd }));
  client.write(createBytes(5_000_000));
  await until(() => flow.blocked);
  closeSync(readFd);
  const ending = await flow.ended;
  closeSync(writeFd);
  t.is((ending.error as NodeJS.ErrnoException).code, 'EPIPE');
  t.is(ending.bytes + ending.unsentBytes, flow.bytesRead);
});

nativeTest('stops with the reason it is given, and counts what was read and not sent', async (t) => {
  const [client, source] = await createSocketPair(t);
  const [, sink] = await createSocketPair(t);
  const flow = must(spliceFlow({ source, sink }));
  client.write(createBytes(20_000_000));
  await until(() => flow.blocked);
  const error = new Error('enough');
  flow.stop('timeout', error);
  flow.stop('aborted');
  const ending = await flow.ended;
  t.is(ending.reason, 'timeout');
  t.is(ending.error, error);
  t.is(ending.bytes + ending.unsentBytes, flow.bytesRead);
  t.is(ending.bytes, flow.bytes);
});

nativeTest('stops before the engine has begun, with the head unsent', async (t) => {
  const [client, source] = await createSocketPair(t);
  const [, sink] = await createSocketPair(t);
  client.write('head');
  source.on('readable', () => undefined);
  await until(() => source.readableLength === 4);
  const flow = must(spliceFlow({ source, sink }));
  flow.stop('aborted');
  t.deepEqual(await flow.ended, { reason: 'aborted', error: undefined, bytes: 0, unsentBytes: 4 });
});

nativeTest('ends when somebody destroys a stream, and lets go of the connection', async (t) => {
  const [client, source] = await createSocketPair(t);
  const [peer, sink] = await createSocketPair(t);
  const closed = Promise.all([once(client.resume(), 'close'), once(peer.resume(), 'end')]);
  const flow = must(spliceFlow({ source, sink }));
  client.end();
  source.destroy(new Error('by the session'));
  const ending = await flow.ended;
  if (ending.reason !== 'eof') {
    t.is(ending.reason, 'reset');
    t.is(ending.side, 'source');
    t.is(ending.error?.message, 'by the session');
  }
  sink.destroy();
  await closed;
  t.pass();
});

nativeTest('delivers what a socket holds before the error that it holds back', async (t) => {
  const server = net.createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const source = new Socket({ allowHalfOpen: true, dataBeforeError: true });
  source.on('error', () => undefined);
  source.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [client] = (await once(server, 'connection')) as [net.Socket];
  server.close();
  source.on('readable', () => undefined);
  client.write('the last words');
  await until(() => source.readableLength === 14);
  client.resetAndDestroy();
  await until(() => addon!.tcpState(fdOf(source)) === 7);
  await new Promise((resolve) => setTimeout(resolve, 5));
  const [peer, sink] = await createSocketPair(t);
  const arrived = once(peer, 'data');
  const ending = await must(spliceFlow({ source, sink })).ended;
  t.is(ending.reason, 'reset');
  t.is(ending.side, 'source');
  t.is((ending.error as NodeJS.ErrnoException).code, 'ECONNRESET');
  t.is(ending.bytes, 14);
  t.is(String((await arrived)[0]), 'the last words');
  source.destroy();
});
