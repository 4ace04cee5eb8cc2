import test from 'ava';
import { renderTimings, type TimedPart } from '../../src/report/timings.ts';

const parts: readonly TimedPart[] = [
  { phase: 'dns', startedAt: 1_000, durationMs: 25 },
  { phase: 'attempt', address: '192.0.2.1:80', outcome: 'connected', startedAt: 1_025, durationMs: 25 },
  { phase: 'first-byte', startedAt: 1_050, durationMs: 50 },
  { phase: 'total', startedAt: 1_000, durationMs: 100 },
];

test('timings are aligned, with bars that show when each part was', (t) => {
  const lines = renderTimings(parts, 1_000, 80);
  t.deepEqual(lines, [
    'dns              25.0 ms  ██████',
    'attempt          25.0 ms        ██████              192.0.2.1:80, connected',
    'first byte       50.0 ms              ████████████',
    'total           100.0 ms  ████████████████████████',
  ]);
});

test('on a narrow terminal timings have no bars', (t) => {
  t.deepEqual(renderTimings(parts, 1_000, 60).slice(0, 2), [
    'dns              25.0 ms',
    'attempt          25.0 ms  192.0.2.1:80, connected',
  ]);
});
