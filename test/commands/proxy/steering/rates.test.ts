import test from 'ava';
import { Rates } from '../../../../commands/proxy/steering/rates.ts';

test('the rate of a connection is that since the note before the last one', (t) => {
  const rates = new Rates();
  const at = (sentBytes: number, receivedBytes = 0) => ({ id: 1, startedAt: 0, sentBytes, receivedBytes });
  const cases: [now: number, sent: number, rate: number][] = [
    [1_000, 1_000, 1_000],
    [2_000, 1_000, 500],
    [3_000, 4_000, 1_500],
    [4_000, 4_000, 1_500],
    [5_000, 4_000, 0],
  ];
  for (const [now, sent, rate] of cases) {
    t.is(rates.of(at(sent), now).sentBytesPerSecond, rate, `at ${now} ms`);
    rates.note([at(sent)], now);
  }
});

test('a connection that has just begun has the rate of a whole second', (t) => {
  const rates = new Rates();
  const connection = { id: 7, startedAt: 5_000, sentBytes: 300, receivedBytes: 20 };
  t.deepEqual(rates.of(connection, 5_010), { sentBytesPerSecond: 300, receivedBytesPerSecond: 20 });
});

test('a connection that is over is forgotten, and the next one of its number begins at nothing', (t) => {
  const rates = new Rates();
  const old = { id: 1, startedAt: 0, sentBytes: 9_000, receivedBytes: 0 };
  rates.note([old], 1_000);
  rates.note([], 2_000);
  rates.note([], 3_000);
  const next = { id: 1, startedAt: 3_000, sentBytes: 100, receivedBytes: 0 };
  t.is(rates.of(next, 4_000).sentBytesPerSecond, 100);
});
