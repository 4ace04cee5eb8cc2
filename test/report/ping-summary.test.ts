import test from 'ava';
import { renderHistogram, renderPing, type PingEvent, RoundTrips } from '../../src/report/ping-summary.ts';

function gather(...times: readonly number[]): RoundTrips {
  const roundTrips = new RoundTrips();
  for (const ms of times) roundTrips.add(ms);
  return roundTrips;
}

test('the percentiles of 1 to 1000 ms are those, to three digits, and the ends are exact', (t) => {
  const { minMs, p50Ms, p90Ms, p99Ms, maxMs } = gather(
    ...Array.from({ length: 1000 }, (_, at) => at + 1),
  ).times!;
  t.is(minMs, 1);
  t.is(maxMs, 1000);
  for (const [actual, wanted] of [
    [p50Ms, 500],
    [p90Ms, 900],
    [p99Ms, 990],
  ] as const) {
    t.true(Math.abs(actual - wanted) <= wanted / 500, `${actual} for ${wanted}`);
  }
});

test('one round trip is all of its percentiles', (t) => {
  t.deepEqual(gather(0.1234).times, { minMs: 0.123, p50Ms: 0.123, p90Ms: 0.123, p99Ms: 0.123, maxMs: 0.123 });
});

test('without a round trip there are no times and no buckets', (t) => {
  t.is(gather().times, undefined);
  t.deepEqual(gather().buckets, []);
});

test('buckets begin at 1, 2 and 5 of each power of ten, without a gap', (t) => {
  t.deepEqual(
    gather(0.05, 0.09, 0.1, 0.6, 0.0001).buckets.filter(({ count }) => count > 0),
    [
      { fromMs: 0.001, toMs: 0.002, count: 1 },
      { fromMs: 0.05, toMs: 0.1, count: 2 },
      { fromMs: 0.1, toMs: 0.2, count: 1 },
      { fromMs: 0.5, toMs: 1, count: 1 },
    ],
  );
  const { buckets } = gather(0.0005, 12_345);
  for (const [index, { toMs }] of buckets.slice(0, -1).entries()) t.is(toMs, buckets[index + 1]!.fromMs);
});

test('the histogram fits its window, and a bucket with a round trip is seen', (t) => {
  const { buckets } = gather(...Array.from({ length: 1000 }, () => 0.15), 3);
  for (const columns of [40, 80, 200]) {
    const lines = renderHistogram(buckets, columns);
    t.is(lines.length, 5);
    t.true(lines.every((line) => line.length <= columns));
    t.regex(lines[0]!, /^from 100 µs {2}1000 {2}█+$/);
    t.regex(lines[4]!, /^from 2 ms {7}1 {2}█$/);
  }
  t.deepEqual(renderHistogram(buckets, 39), []);
});

const clean: PingEvent = {
  event: 'ping',
  remote: '127.0.0.1:7',
  payloadBytes: 64,
  sent: 1000,
  received: 997,
  lost: 3,
  pending: 0,
  wrong: 1,
  wrongBytes: 1,
  duplicates: 2,
  reordered: 4,
  sentBytes: 64_000,
  receivedBytes: 63_808,
  durationMs: 2000,
  bytesPerSecond: 31_904,
  minMs: 0.05,
  p50Ms: 0.1,
  p90Ms: 0.2,
  p99Ms: 0.9,
  maxMs: 12.345,
};

test('a result in words has all of its figures', (t) => {
  t.deepEqual(renderPing(clean), [
    '127.0.0.1:7: 1000 sent, 997 back, of 64 bytes each, in 2.000 s',
    '3 lost (0.30 %), 1 wrong (1 byte), 2 doubled, 4 out of order',
    'round trip: min 0.050, p50 0.100, p90 0.200, p99 0.900, max 12.345 ms',
    'throughput: 31kB/s each way',
  ]);
});

test('a result without an answer has no round trips', (t) => {
  const { minMs, p50Ms, p90Ms, p99Ms, maxMs, ...silent } = clean;
  t.is(minMs! + p50Ms! + p90Ms! + p99Ms! + maxMs! > 0, true);
  t.false(renderPing({ ...silent, received: 0, pending: 1 }).some((line) => line.startsWith('round trip')));
});
