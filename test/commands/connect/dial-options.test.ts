import test from 'ava';
import { readPatience } from '../../../commands/connect/dial-options.ts';
import { isPatient, type WaitOptions } from '../../../commands/connect/options.ts';

const none = { waitConnect: 30_000 };

for (const [what, flags, hasOwnLimit, expected] of [
  ['--retry 2', { retry: 2 }, false, { retries: 2, delayMs: 1_000, maxDelayMs: 30_000, attemptMs: 30_000 }],
  ['--retry forever', { retry: Infinity }, false, { retries: Infinity, attemptMs: 30_000 }],
  [
    '--retry 1 --retry-delay 60s',
    { retry: 1, retryDelay: 60_000 },
    false,
    { delayMs: 60_000, maxDelayMs: 60_000 },
  ],
  [
    '--wait 10s',
    { wait: 10_000 },
    false,
    { retries: Infinity, delayMs: 100, maxDelayMs: 1_000, attemptMs: 5_000, withinMs: 10_000 },
  ],
  ['--wait 10s -w 20s', { wait: 10_000, waitConnect: 20_000 }, true, { attemptMs: 20_000 }],
  ['--wait 10s -w 1s', { wait: 10_000, waitConnect: 1_000 }, true, { attemptMs: 1_000 }],
  ['--wait 10s --retry 3', { wait: 10_000, retry: 3 }, false, { retries: 3, withinMs: 10_000 }],
  ['--stable 2s', { stable: 2_000 }, false, { retries: 0, stableMs: 2_000, attemptMs: 30_000 }],
] as const) {
  test(`${what} is ${JSON.stringify(expected)}`, (t) => {
    const options: WaitOptions = { ...none, ...flags };
    t.true(isPatient(options));
    t.like(readPatience(options, hasOwnLimit), expected);
  });
}

test('without a flag for it a connection is tried once', (t) => t.false(isPatient(none)));
