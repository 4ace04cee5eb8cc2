import test from 'ava';
import { renderTries } from '../../src/report/tries-summary.ts';

test('a series of tries is shown with its failures and its times', (t) => {
  const times = { minMs: 0.1, avgMs: 0.25, p50Ms: 0.2, p90Ms: 0.4, p99Ms: 0.4, maxMs: 0.4 };
  t.deepEqual(
    renderTries({
      event: 'tries',
      address: 'h:80',
      tried: 40,
      opened: 39,
      failed: 1,
      durationMs: 4001,
      ...times,
    }),
    [
      'h:80: 40 tried, 39 open, 1 failed (2.50 %), in 4.001 s',
      'time: min 0.100, avg 0.250, p50 0.200, p90 0.400, p99 0.400, max 0.400 ms',
    ],
  );
});

test('a series without a success has no times', (t) => {
  t.deepEqual(
    renderTries({ event: 'tries', address: 'h:80', tried: 2, opened: 0, failed: 2, durationMs: 1000 }),
    ['h:80: 2 tried, 0 open, 2 failed (100 %), in 1.000 s'],
  );
});
