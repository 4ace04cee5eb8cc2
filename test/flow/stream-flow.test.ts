import { once } from 'node:events';
import { PassThrough, Readable, Transform, Writable } from 'node:stream';
import test from 'ava';
import fc from 'fast-check';
import { startStreamFlow } from '../../src/flow/stream-flow.ts';
import { payload, sameBytes } from '../helpers/bytes.ts';

/** A sink that keeps what it takes, a chunk a turn. */
function slowSink(): Writable & { taken: () => Buffer } {
  const chunks: Buffer[] = [];
  const sink = new Writable({
    highWaterMark: 10,
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      setImmediate(done);
    },
  });
  return Object.assign(sink, { taken: () => Buffer.concat(chunks) });
}

function sourceOf(chunks: readonly Buffer[]): Readable {
  return Readable.from(chunks, { objectMode: false });
}

test('every byte of any chunking arrives in order, is counted, and the sink is ended', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 30 }),
      async (pieces) => {
        const sent = Buffer.concat(pieces);
        const sink = slowSink();
        const flow = startStreamFlow({ source: sourceOf(pieces.map((piece) => Buffer.from(piece))), sink });
        const ending = await flow.ended;
        t.deepEqual(ending, { reason: 'eof', bytes: sent.length, unsentBytes: 0 });
        t.true(sink.taken().equals(sent));
        t.true(sink.writableFinished);
      },
    ),
    { numRuns: 200 },
  );
});

test('keep-open leaves the sink as it is, with everything taken', async (t) => {
  const sink = slowSink();
  const ending = await startStreamFlow({ source: sourceOf([payload(100)]), sink, onEnd: 'keep-open' }).ended;
  t.is(ending.bytes, 100);
  t.false(sink.writableEnded);
});

test('a source that breaks is a reset, after the sink has taken what came before', async (t) => {
  const sent = payload(5000);
  const source = new PassThrough();
  const sink = slowSink();
  const flow = startStreamFlow({ source, sink });
  source.write(sent);
  while (flow.bytesRead < sent.length) await new Promise(setImmediate);
  const failure = Object.assign(new Error('gone'), { code: 'ECONNRESET' });
  source.destroy(failure);
  const ending = await flow.ended;
  t.is(ending.reason, 'reset');
  t.is(ending.side, 'source');
  t.is(ending.error, failure);
  sameBytes(t, sink.taken(), sent);
  t.is(ending.bytes, sent.length);
  t.false(sink.writableEnded);
});

test('a sink that breaks is a reset of its side, with the untaken bytes counted', async (t) => {
  const failure = Object.assign(new Error('broken'), { code: 'EPIPE' });
  const sink = new Writable({ write: (_chunk, _encoding, done) => setImmediate(done, failure) });
  const ending = await startStreamFlow({ source: sourceOf([payload(7)]), sink }).ended;
  t.is(ending.reason, 'reset');
  t.is(ending.side, 'sink');
  t.is(ending.error, failure);
  t.is(ending.bytes, 0);
  t.is(ending.unsentBytes, 7);
});

test('a sink that is full stops the source, and memory is bounded', async (t) => {
  let produced = 0;
  const source = new Readable({
    highWaterMark: 1000,
    read() {
      produced += 100;
      this.push(Buffer.alloc(100));
    },
  });
  let release!: () => void;
  const sink = new Writable({
    highWaterMark: 100,
    write(_chunk, _encoding, done) {
      release = done;
    },
  });
  const flow = startStreamFlow({ source, sink });
  await once(source, 'pause');
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  t.true(flow.blocked);
  t.true(produced <= 3000, `${produced} bytes`);
  flow.stop('aborted');
  release();
  t.is((await flow.ended).reason, 'aborted');
  source.destroy();
});

test('transforms are applied in order and the sink ends after their last byte', async (t) => {
  const suffix = (text: string) =>
    new Transform({
      transform(chunk: Buffer, _encoding, done) {
        done(null, Buffer.concat([chunk, Buffer.from(text)]));
      },
      flush(done) {
        done(null, Buffer.from(text.toUpperCase()));
      },
    });
  const sink = slowSink();
  const transforms = [suffix('a'), suffix('b')];
  const ending = await startStreamFlow({ source: sourceOf([Buffer.from('-')]), sink, transforms }).ended;
  t.is(sink.taken().toString(), '-abAbB');
  t.is(ending.bytes, 6);
});

test('finish delivers what was read and ends the sink, although the source goes on', async (t) => {
  const source = new PassThrough();
  const sink = slowSink();
  const flow = startStreamFlow({ source, sink });
  source.write('read');
  while (flow.bytesRead < 4) await new Promise(setImmediate);
  flow.finish();
  const ending = await flow.ended;
  t.is(ending.reason, 'eof');
  t.is(sink.taken().toString(), 'read');
  t.true(sink.writableFinished);
});

test('a source that is destroyed without an error ends the flow as aborted', async (t) => {
  const source = new PassThrough();
  const flow = startStreamFlow({ source, sink: slowSink() });
  source.destroy();
  t.is((await flow.ended).reason, 'aborted');
});

test('a flow leaves no listener behind but the one that keeps late errors from ending the process', async (t) => {
  const source = sourceOf([payload(10)]);
  const sink = slowSink();
  await startStreamFlow({ source, sink, onEnd: 'keep-open' }).ended;
  for (const event of ['data', 'end', 'close', 'drain']) {
    t.is(source.listenerCount(event), 0, event);
    t.is(sink.listenerCount(event), 0, event);
  }
  t.is(sink.listenerCount('error'), 1);
});

test('a hundred flows may share one sink', async (t) => {
  const sink = slowSink();
  const flows = Array.from({ length: 100 }, () =>
    startStreamFlow({ source: sourceOf([payload(3)]), sink, onEnd: 'keep-open' }),
  );
  for (const { ended } of flows) t.is((await ended).bytes, 3);
  t.is(sink.taken().length, 300);
});
