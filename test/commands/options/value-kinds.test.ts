import test from 'ava';
import { longestDelayMs, readRate, readTimeSpread } from '../../../src/quantities.ts';
import { count, size, time } from '../../../commands/options/value-kinds.ts';

const times: readonly (readonly [text: string, ms: number])[] = [
  ['0', 0],
  ['2', 2000],
  ['0.5', 500],
  ['500ms', 500],
  ['2s', 2000],
  ['1.5m', 90_000],
  ['1h', 3_600_000],
];

for (const [text, ms] of times) {
  test(`the time ${text} is ${ms} ms`, (t) => {
    t.is(time.read(text), ms);
  });
}

for (const text of ['', 's', '-1', '1d', '1 s', '1e3', 'soon', '1.s', '999h', 'Infinity']) {
  test(`the time ${JSON.stringify(text)} is refused`, (t) => {
    t.throws(() => time.read(text));
  });
}

for (const text of ['1/999h', '1/9999999s', '5/2147483.648s']) {
  test(`the rate ${text} is refused: no timer lasts so long`, (t) => {
    t.throws(() => readRate(text), { message: 'the longest time is 24 days' });
  });
}

for (const text of ['999h', '500h+-200h', '596h±1h']) {
  test(`the time ${text} is refused: no timer lasts so long`, (t) => {
    t.throws(() => readTimeSpread(text), { message: 'the longest time is 24 days' });
  });
}

test('the longest times are taken', (t) => {
  t.is(time.read('2147483647ms'), longestDelayMs);
  t.deepEqual(readTimeSpread('2147483646ms±1ms'), { mean: longestDelayMs - 1, spread: 1 });
  t.deepEqual(readRate('1/2147483.647s'), { count: 1, perMs: longestDelayMs });
});

const sizes: readonly (readonly [text: string, bytes: number])[] = [
  ['0', 0],
  ['512', 512],
  ['64k', 65_536],
  ['64K', 65_536],
  ['1.5k', 1536],
  ['10M', 10_485_760],
  ['1G', 1_073_741_824],
];

for (const [text, bytes] of sizes) {
  test(`the size ${text} is ${bytes} bytes`, (t) => {
    t.is(size.read(text), bytes);
  });
}

for (const text of ['', 'k', '-1', '1kb', '1 k', '0x10']) {
  test(`the size ${JSON.stringify(text)} is refused`, (t) => {
    t.throws(() => size.read(text));
  });
}

test('a count is a whole number of at least the least', (t) => {
  t.is(count(1).read('1'), 1);
  t.is(count(0).read('0'), 0);
  for (const text of ['0', '-1', '1.5', '1x', '', ' 1', '9007199254740993'])
    t.throws(() => count(1).read(text), undefined, text);
});
