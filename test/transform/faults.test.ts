import { once } from 'node:events';
import { PassThrough, type Readable, type Transform } from 'node:stream';
import fc from 'fast-check';
import test, { type ExecutionContext } from 'ava';
import type { Fault } from '../../src/transform/faults/fault.ts';
import { FaultChain } from '../../src/transform/faults/fault-chain.ts';
import { createRandom } from '../../src/transform/random.ts';
import { payload, sameBytes } from '../helpers/bytes.ts';

/** One fault of one direction, and what it does to the whole connection. */
function createLine(fault: Fault, seed = 0, { close = (): void => undefined } = {}): FaultChain {
  const line = new FaultChain({ close, reset: () => undefined });
  line.add(fault.kind, fault, { at: 0, random: createRandom(seed) });
  return line;
}

/** Writes the chunks, ends, and gives what comes out. */
async function pass(transform: Transform, chunks: readonly Buffer[]): Promise<Buffer[]> {
  const out: Buffer[] = [];
  transform.on('data', (chunk: Buffer) => out.push(chunk));
  const ended = once(transform, 'end');
  for (const chunk of chunks) if (!transform.write(chunk)) await once(transform, 'drain');
  transform.end();
  await ended;
  return out;
}

/** Milliseconds until the stream's end. */
async function timeUntilEnd(stream: Readable): Promise<number> {
  const startedAt = performance.now();
  stream.resume();
  await once(stream, 'end');
  return performance.now() - startedAt;
}

test('the same seed draws the same numbers, and another word another row', (t) => {
  const draw = (...words: [number, ...(string | number)[]]) => {
    const random = createRandom(...words);
    return Array.from({ length: 20 }, random);
  };
  t.deepEqual(draw(1, 'up'), draw(1, 'up'));
  t.notDeepEqual(draw(1, 'up'), draw(1, 'down'));
  t.notDeepEqual(draw(1), draw(2));
  const many = createRandom(7);
  const mean = Array.from({ length: 10_000 }, many).reduce((sum, value) => sum + value) / 10_000;
  t.true(Math.abs(mean - 0.5) < 0.02);
});

test('corruption replaces the same bytes however the stream is cut', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.nat(50), async (bytes, size) => {
      const whole = Buffer.from(bytes);
      const pieces = [];
      for (let at = 0; at < whole.length; at += size + 1) pieces.push(whole.subarray(at, at + size + 1));
      const once_ = Buffer.concat(await pass(createLine({ kind: 'corrupt', share: 0.2 }, 5), [whole]));
      const cut = Buffer.concat(await pass(createLine({ kind: 'corrupt', share: 0.2 }, 5), pieces));
      return once_.equals(cut) && whole.equals(Buffer.from(bytes));
    }),
    { numRuns: 50 },
  );
  t.pass();
});

test('corruption replaces about the share of bytes that was asked for', async (t) => {
  const sent = Buffer.alloc(1_000_000);
  const got = Buffer.concat(await pass(createLine({ kind: 'corrupt', share: 0.001 }, 3), [sent]));
  const changed = got.filter((byte) => byte !== 0).length;
  t.true(changed > 850 && changed < 1150, `${changed} bytes`);
  t.is(got.length, sent.length);
});

for (const share of [0, 1]) {
  test(`corruption of ${share} changes ${share === 0 ? 'no' : 'every'} byte`, async (t) => {
    const got = Buffer.concat(await pass(createLine({ kind: 'corrupt', share }, 3), [Buffer.alloc(1000)]));
    t.is(got.filter((byte) => byte !== 0).length, share * 1000);
  });
}

test('slicing keeps every byte and cuts at the same places for the same seed', async (t) => {
  const sent = payload(5_000);
  const slice = () => createLine({ kind: 'slice', bytes: 64, variationBytes: 63 }, 9);
  const first = await pass(slice(), [sent]);
  const again = await pass(slice(), [sent]);
  sameBytes(t, Buffer.concat(first), sent);
  t.deepEqual(
    first.map(({ length }) => length),
    again.map(({ length }) => length),
  );
  t.true(first.every(({ length }) => length >= 1 && length <= 127));
});

test('latency holds bytes and the end back by its time, and keeps their order', async (t) => {
  const line = createLine({ kind: 'latency', delayMs: 200, jitterMs: 50 }, 1);
  const startedAt = performance.now();
  const sent = payload(100_000);
  const out: Buffer[] = [];
  line.on('data', (chunk: Buffer) => out.push(chunk));
  for (let at = 0; at < sent.length; at += 1000) line.write(sent.subarray(at, at + 1000));
  line.end();
  const ended = once(line, 'end');
  await once(line, 'data');
  const firstAt = performance.now() - startedAt;
  await ended;
  t.true(firstAt >= 130, `${firstAt} ms`);
  sameBytes(t, Buffer.concat(out), sent);
});

test('latency stops taking bytes when its reader takes none', async (t) => {
  const line = createLine({ kind: 'latency', delayMs: 1 });
  const chunk = Buffer.alloc(64 * 1024);
  let taken = 0;
  while (line.write(chunk) || taken < 32 * 1024 * 1024) {
    taken += chunk.length;
    if (line.writableNeedDrain && !(await Promise.race([once(line, 'drain'), sleep(100)]))) break;
  }
  t.true(taken < 16 * 1024 * 1024, `${taken} bytes`);
  line.destroy();
});

async function sleep(ms: number): Promise<undefined> {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return undefined;
}

/** A clock that moves only by the timers that come due on it, each so many milliseconds late. */
function useClock(t: ExecutionContext, lateMs: () => number): { readonly nowMs: () => number } {
  let nowMs = 1_000;
  const { setTimeout } = globalThis;
  const now = performance.now.bind(performance);
  performance.now = () => nowMs;
  globalThis.setTimeout = ((callback: () => void, ms: number) =>
    setImmediate(() => {
      nowMs += ms + lateMs();
      callback();
    })) as unknown as typeof setTimeout;
  t.teardown(() => {
    globalThis.setTimeout = setTimeout;
    performance.now = now;
  });
  return { nowMs: () => nowMs };
}

// Serial: the others have the machine's clock, which a busy machine makes late.
for (const rate of [5_000, 200_000, 5_000_000]) {
  for (const lateMs of [0, 15]) {
    test.serial(
      `a bandwidth of ${rate} bytes a second carries within a tenth of it with timers ${lateMs} ms late`,
      async (t) => {
        let timers = 0;
        const clock = useClock(t, () => (timers++ % 3) * (lateMs / 2));
        const startedAt = clock.nowMs();
        const line = createLine({ kind: 'bandwidth', bytesPerSecond: rate });
        const source = new PassThrough();
        source.pipe(line);
        source.end(Buffer.alloc(rate * 0.6));
        await once(line.resume(), 'end');
        const tookMs = clock.nowMs() - startedAt;
        t.true(tookMs >= 540 && tookMs <= 660, `${tookMs} ms`);
      },
    );
  }
}

test('a bandwidth carries no sooner than its rate says', async (t) => {
  const line = createLine({ kind: 'bandwidth', bytesPerSecond: 200_000 });
  line.end(Buffer.alloc(120_000));
  const tookMs = await timeUntilEnd(line);
  t.true(tookMs >= 540, `${tookMs} ms`);
});

test('a byte limit hands on what it allows, and closes the connection once', async (t) => {
  let calls = 0;
  const reached = Promise.withResolvers<undefined>();
  const close = () => {
    calls++;
    reached.resolve(undefined);
  };
  const limit = createLine({ kind: 'limit', bytes: 1500 }, 0, { close });
  const out: Buffer[] = [];
  limit.on('data', (chunk: Buffer) => out.push(chunk));
  limit.write(Buffer.alloc(1000, 1));
  limit.write(Buffer.alloc(1000, 2));
  limit.write(Buffer.alloc(1000, 3));
  await reached.promise;
  await sleep(30);
  t.is(Buffer.concat(out).length, 1500);
  t.is(calls, 1);
});

test('a black hole hands on neither bytes nor the end', async (t) => {
  const hole = createLine({ kind: 'blackhole' });
  hole.on('data', () => t.fail());
  hole.on('end', () => t.fail());
  hole.end(payload(100_000));
  await sleep(50);
  t.pass();
});

test('a slow close hands bytes on at once and the end later', async (t) => {
  const line = createLine({ kind: 'slow-close', delayMs: 200 });
  const ended = once(line, 'end');
  line.end('x');
  const startedAt = performance.now();
  await once(line, 'data');
  t.false(line.readableEnded);
  await ended;
  t.true(performance.now() - startedAt >= 180);
});
