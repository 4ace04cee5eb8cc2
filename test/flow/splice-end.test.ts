import { once } from 'node:events';
import { closeSync } from 'node:fs';
import net from 'node:net';
import { PassThrough } from 'node:stream';
import test from 'ava';
import { spliceFlow } from '../../src/flow/splice-flow.ts';
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

for (const kind of ['tcp', 'unix'] as const) {
  nativeTest(`half-closes a ${kind} sink and lets the answer come back`, async (t) => {
    const [client, front] = await createSocketPair(t, kind);
    const [back, target] = await createSocketPair(t, kind);
    const [up, down] = [
      spliceFlow({ source: front, sink: back }),
      spliceFlow({ source: back, sink: front }),
    ].map(must);
    target.resume();
    target.once('end', () => target.end('answer after the end'));
    const answer = collect(client);
    client.end('question');
    t.is((await up!.ended).reason, 'eof');
    t.is((await down!.ended).bytes, 20);
    t.is((await answer).toString(), 'answer after the end');
  });

  nativeTest(`carries both directions of a ${kind} relay at once`, async (t) => {
    const [client, front] = await createSocketPair(t, kind);
    const [back, target] = await createSocketPair(t, kind);
    const flows = [spliceFlow({ source: front, sink: back }), spliceFlow({ source: back, sink: front })].map(
      must,
    );
    const [up, down] = [createBytes(5_000_000), createBytes(4_000_000)];
    const received = Promise.all([collect(target), collect(client)]);
    client.end(up);
    target.end(down);
    const [upReceived, downReceived] = await received;
    t.true(up.equals(upReceived));
    t.true(down.equals(downReceived));
    const endings = await Promise.all(flows.map((flow) => flow.ended));
    t.deepEqual(
      endings.map((ending) => ending.bytes),
      [up.length, down.length],
    );
  });

  nativeTest(`echoes a ${kind} socket with one flow from it to itself`, async (t) => {
    const [client, socket] = await createSocketPair(t, kind);
    const flow = must(spliceFlow({ source: socket, sink: socket }));
    const bytes = createBytes(3_000_000);
    const echoed = collect(client);
    client.end(bytes);
    t.true(bytes.equals(await echoed));
    t.is((await flow.ended).bytes, bytes.length);
  });
}

nativeTest(
  'tells both streams of the end, so that they close when the other direction is over too',
  async (t) => {
    const [client, front] = await createSocketPair(t);
    const [back, target] = await createSocketPair(t);
    const flows = [spliceFlow({ source: front, sink: back }), spliceFlow({ source: back, sink: front })].map(
      must,
    );
    const closed = Promise.all([once(front, 'close'), once(back, 'close')]);
    client.resume().end('x');
    target.resume().end('y');
    await Promise.all(flows.map((flow) => flow.ended));
    await closed;
    t.true(front.readableEnded && front.writableFinished && back.readableEnded && back.writableFinished);
  },
);

nativeTest('leaves the sink open on request', async (t) => {
  const [client, source] = await createSocketPair(t);
  const [peer, sink] = await createSocketPair(t);
  const flow = must(spliceFlow({ source, sink, onEnd: 'keep-open' }));
  client.end('first ');
  t.is((await flow.ended).reason, 'eof');
  const received = collect(peer);
  sink.end('second');
  t.is((await received).toString(), 'first second');
});

nativeTest('writes what JavaScript had read before what it has not', async (t) => {
  const [client, source] = await createSocketPair(t);
  const [peer, sink] = await createSocketPair(t);
  const bytes = createBytes(300_000);
  client.write(bytes.subarray(0, 100_000));
  source.once('readable', () => undefined);
  await until(() => source.readableLength > 0);
  source.unshift(source.read(10) as Buffer);
  const received = collect(peer);
  const flow = must(spliceFlow({ source, sink }));
  client.end(bytes.subarray(100_000));
  t.true(bytes.equals(await received));
  t.is((await flow.ended).bytes, bytes.length);
});

nativeTest('begins only when the sink has taken what JavaScript wrote to it', async (t) => {
  const [client, source] = await createSocketPair(t);
  const [peer, sink] = await createSocketPair(t);
  const [before, after] = [createBytes(6_000_000), createBytes(50_000)];
  sink.write(before);
  t.true(sink.writableLength > 0);
  const flow = must(spliceFlow({ source, sink }));
  client.end(after);
  const received = await collect(peer);
  t.true(Buffer.concat([before, after]).equals(received));
  t.is((await flow.ended).bytes, after.length);
});

nativeTest('delivers what a source sent before its end when JavaScript has read both', async (t) => {
  const [client, source] = await createSocketPair(t);
  const [peer, sink] = await createSocketPair(t);
  source.on('readable', () => undefined);
  client.end('all of it');
  await until(() => source.readableLength > 0);
  await new Promise((resolve) => setImmediate(resolve));
  const received = collect(peer);
  const ending = await must(spliceFlow({ source, sink })).ended;
  t.deepEqual(ending, { reason: 'eof', bytes: 9, unsentBytes: 0 });
  t.is((await received).toString(), 'all of it');
});

nativeTest('reads nothing in JavaScript while the engine has the socket', async (t) => {
  const [client, source] = await createSocketPair(t);
  const [peer, sink] = await createSocketPair(t);
  const bytes = createBytes(2_000_000);
  const flow = must(spliceFlow({ source, sink }));
  source.resume();
  let stolen = 0;
  source.on('data', (chunk: Buffer) => (stolen += chunk.length));
  const received = collect(peer);
  client.end(bytes);
  t.true(bytes.equals(await received));
  t.is((await flow.ended).bytes, bytes.length);
  t.is(stolen, 0);
});

nativeTest('lets JavaScript go on reading where a stopped flow left off', async (t) => {
  const [client, source] = await createSocketPair(t);
  const [peer, sink] = await createSocketPair(t);
  const arrived = once(peer, 'data');
  const flow = must(spliceFlow({ source, sink }));
  client.write('for the engine');
  t.is(String((await arrived)[0]), 'for the engine');
  flow.stop('limit');
  t.deepEqual(await flow.ended, { reason: 'limit', error: undefined, bytes: 14, unsentBytes: 0 });
  client.end('for JavaScript');
  t.is((await collect(source)).toString(), 'for JavaScript');
});

nativeTest('finishes as if the source had ended, with everything read delivered', async (t) => {
  const [client, source] = await createSocketPair(t);
  const [peer, sink] = await createSocketPair(t);
  const received = collect(peer);
  const flow = must(spliceFlow({ source, sink }));
  client.write('so far');
  await until(() => flow.bytes === 6);
  flow.finish();
  t.deepEqual(await flow.ended, { reason: 'eof', bytes: 6, unsentBytes: 0 });
  t.is((await received).toString(), 'so far');
  t.false(source.readableEnded);
});

nativeTest('reports activity in sums that add up to what was read', async (t) => {
  const [client, source] = await createSocketPair(t);
  const { sink, collect: collectSink } = await createSink(t, 'tcp');
  const collected = collectSink();
  let reported = 0;
  const flow = must(spliceFlow({ source, sink, onActivity: (bytes) => (reported += bytes) }));
  client.write('one');
  await until(() => reported > 0);
  client.end('two');
  await flow.ended;
  t.is(reported, 6);
  t.is((await collected).toString(), 'onetwo');
});

nativeTest('counts bytes and idle time while it runs', async (t) => {
  const [client, source] = await createSocketPair(t);
  const [, sink] = await createSocketPair(t);
  const flow = must(spliceFlow({ source, sink }));
  client.write('12345');
  await until(() => flow.bytes === 5);
  t.is(flow.bytesRead, 5);
  t.false(flow.blocked);
  await until(() => flow.idleMs > 20);
  client.write('6');
  await until(() => flow.bytes === 6);
  t.true(flow.idleMs < 10_000);
  flow.stop('aborted');
  await flow.ended;
});

nativeTest('lets the process of a waiting pipe go on: an empty source blocks no other flow', async (t) => {
  const { readFd, writeFd } = createPipe(t);
  const [, idleSink] = await createSocketPair(t);
  const idle = must(spliceFlow({ source: readFd, sink: idleSink }));
  const [client, socket] = await createSocketPair(t);
  const echo = must(spliceFlow({ source: socket, sink: socket }));
  const echoed = collect(client);
  client.end('still here');
  t.is((await echoed).toString(), 'still here');
  await echo.ended;
  closeSync(writeFd);
  t.is((await idle.ended).reason, 'eof');
  closeSync(readFd);
});

nativeTest('counts what the engine moves in the bytesRead and bytesWritten of the sockets', async (t) => {
  const [client, source] = await createSocketPair(t);
  const [peer, sink] = await createSocketPair(t);
  const received = collect(peer);
  client.write('head');
  source.on('readable', () => undefined);
  await until(() => source.readableLength === 4);
  sink.write('before ');
  const flow = must(spliceFlow({ source, sink }));
  client.end(createBytes(1_000_000));
  await flow.ended;
  const counters = () => [source.bytesRead, sink.bytesWritten];
  t.deepEqual(counters(), [1_000_004, 1_000_011]);
  source.destroy();
  sink.destroy();
  t.deepEqual(counters(), [1_000_004, 1_000_011]);
  t.is((await received).length, 1_000_011);
});

nativeTest('tells a socket that only reads, as stdin is one, that it has ended', async (t) => {
  const { readFd, writeFd } = createPipe(t);
  const source = new net.Socket({ fd: readFd, readable: true, writable: false });
  const [, sink] = await createSocketPair(t);
  const ended = once(source, 'end');
  const flow = must(spliceFlow({ source, sink }));
  closeSync(writeFd);
  t.is((await flow.ended).reason, 'eof');
  await ended;
  t.pass();
});

test('declines what it cannot carry, so that the stream engine does', async (t) => {
  const [, socket] = await createSocketPair(t);
  const [, other] = await createSocketPair(t);
  t.is(spliceFlow({ source: new PassThrough(), sink: socket }), undefined);
  t.is(spliceFlow({ source: socket, sink: new PassThrough() }), undefined);
  t.is(spliceFlow({ source: socket, sink: other, transforms: [new PassThrough()] }), undefined);
  t.is(spliceFlow({ source: socket, sink: 1_000_000 }), undefined);
  const secure = Object.assign(Object.create(socket) as typeof socket, { secureLayer: {} });
  t.is(spliceFlow({ source: secure, sink: other }), undefined);
  t.is(spliceFlow({ source: other, sink: secure }), undefined);
  socket.destroy();
  t.is(spliceFlow({ source: socket, sink: other }), undefined);
  other.setEncoding('utf8');
  t.is(spliceFlow({ source: other, sink: other }), undefined);
});
