import { PassThrough } from 'node:stream';
import test from 'ava';
import { connectPatiently, type Patience, type Retry } from '../../src/dial/patience.ts';
import { TnetError } from '../../src/errors.ts';

const patience: Patience = { retries: 3, delayMs: 1, maxDelayMs: 4, attemptMs: 1_000 };
const refused = () => Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });

/** Attempts that end as the list says: with an error, or with a connection. Tells what was waited for. */
async function run(outcomes: readonly (Error | 'open')[], more: Partial<Patience> = {}, random = () => 0.5) {
  const connection = new PassThrough();
  const retries: Retry[] = [];
  const limits: number[] = [];
  const waiting = connectPatiently({
    ...patience,
    ...more,
    subject: 'a:1',
    random,
    onRetry: (retry) => retries.push(retry),
    attempt: (timeoutMs) => {
      limits.push(timeoutMs);
      const outcome = outcomes[Math.min(limits.length, outcomes.length) - 1] ?? 'open';
      return outcome === 'open' ? Promise.resolve(connection) : Promise.reject(outcome);
    },
  });
  const error = await waiting.then(
    () => undefined,
    (failure: unknown) => failure as NodeJS.ErrnoException,
  );
  connection.destroy();
  return { error, retries, limits, tries: limits.length };
}

test('a connection that is there at once is waited for no longer', async (t) => {
  const { error, tries, retries } = await run(['open']);
  t.deepEqual([error, tries, retries], [undefined, 1, []]);
});

test('failures are repeated until the connection is there, and each is told', async (t) => {
  const { error, tries, retries } = await run([refused(), refused(), 'open']);
  t.is(error, undefined);
  t.is(tries, 3);
  t.deepEqual(
    retries.map(({ retry, of }) => [retry, of]),
    [
      [1, 3],
      [2, 3],
    ],
  );
});

test('the waits double up to the longest', async (t) => {
  const { retries } = await run([refused()], { retries: 4 });
  t.deepEqual(
    retries.map(({ delayMs }) => delayMs),
    [1, 2, 4, 4],
  );
});

for (const [random, expectedMs] of [
  [0, 75],
  [0.5, 100],
  [0.999_999, 125],
] as const) {
  test(`a wait of 100 ms is ${expectedMs} ms when chance says ${random}`, async (t) => {
    const { retries } = await run([refused(), 'open'], { delayMs: 100, maxDelayMs: 100 }, () => random);
    t.is(retries[0]?.delayMs, expectedMs);
  });
}

test('when the tries are used up, the last failure is the outcome', async (t) => {
  const last = refused();
  const { error, tries } = await run([refused(), refused(), last], { retries: 2 });
  t.is(error, last);
  t.is(tries, 3);
});

for (const [what, failure] of [
  ['a usage error', new TnetError('TNET_E_USAGE', 'wrong')],
  ['an address that is none', new TnetError('TNET_E_ADDRESS', 'wrong')],
  ['a port of ours in use', Object.assign(new Error('in use'), { code: 'EADDRINUSE', syscall: 'bind' })],
] as const) {
  test(`${what} does not pass by itself, and is not repeated`, async (t) => {
    const { error, tries } = await run([failure]);
    t.is(error, failure);
    t.is(tries, 1);
  });
}

test('what may pass is for the caller to say', async (t) => {
  const { error, tries } = await run([refused()], { mayPass: () => false });
  t.is(error?.code, 'ECONNREFUSED');
  t.is(tries, 1);
});

test('the limit of all tries ends the waiting, and the last failure is told with it', async (t) => {
  const { error, limits } = await run([refused()], { retries: Infinity, delayMs: 20, withinMs: 30 });
  t.is(error?.code, 'TNET_E_TIMEOUT');
  t.regex(error?.message ?? '', /^no connection within 30 ms: .*ECONNREFUSED$/);
  t.true(limits.every((limitMs) => limitMs <= 30));
});

test('an attempt has no more time than is left of all', async (t) => {
  const { limits } = await run(['open'], { attemptMs: 5_000, withinMs: 100 });
  t.true(limits[0]! <= 100);
});

test('a connection that ends within the time it has to stay open is a failure', async (t) => {
  const ended = new PassThrough();
  ended.end();
  const waiting = connectPatiently({
    ...{ ...patience, retries: 0, stableMs: 1_000 },
    subject: 'a:1',
    attempt: () => Promise.resolve(ended),
  });
  await t.throwsAsync(waiting, { code: 'TNET_E_UNSTABLE' });
});
