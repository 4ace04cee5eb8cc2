import test from 'ava';
import fc from 'fast-check';
import { RateLimit } from '../../src/access/rate-limit.ts';

test('a rate lets so many through at once and as many again in its time', (t) => {
  const limit = new RateLimit({ count: 3, perMs: 300 });
  const taken = (now: number) => limit.take('a', now);
  t.deepEqual([0, 0, 0, 0].map(taken), [true, true, true, false]);
  t.true(limit.take('b', 0));
  t.deepEqual([100, 100, 200, 1000, 1000, 1000, 1000].map(taken), [
    true,
    false,
    true,
    true,
    true,
    true,
    false,
  ]);
});

test('a rate forgets clients that it needs no longer', (t) => {
  const limit = new RateLimit({ count: 1, perMs: 10 });
  for (let index = 0; index < 50_000; index++) limit.take(`c${index}`, index);
  t.false(limit.take('c49999', 49_999));
});

test('no client gets more than its rate in any stretch of time, and none that waits is refused', (t) => {
  const steps = fc.array(fc.nat({ max: 400 }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 300 }),
      steps,
      (count, perMs, waits) => {
        const limit = new RateLimit({ count, perMs });
        const taken: number[] = [];
        let now = 0;
        for (const wait of waits) {
          now += wait;
          const [last = -Infinity] = taken.slice(-1);
          const isTaken = limit.take('a', now);
          if (now - last >= perMs) t.true(isTaken);
          if (isTaken) taken.push(now);
        }
        // A full allowance at once, and what has grown again since.
        taken.forEach((from, first) => {
          const most = (at: number) => count + ((at - from) * count) / perMs + 1e-3;
          taken.slice(first).forEach((at, index) => t.true(index + 1 <= most(at)));
        });
      },
    ),
  );
});
