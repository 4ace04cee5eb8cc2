import { PassThrough } from 'node:stream';
import test from 'ava';
import { raceTargets } from '../../../../src/handlers/relay/targets/race.ts';

type Fate = 'accepts' | 'refuses' | 'silent';

/** A race of targets with these fates, and what is told of them. `settle` ends the silent ones. */
function race(fates: readonly Fate[]) {
  const told: string[] = [];
  const closing = new AbortController();
  const silent = new Map<string, PromiseWithResolvers<PassThrough>>();
  const result = raceTargets<string>({
    targets: fates.map((fate, index) => `${index} ${fate}`),
    isLastResort: () => false,
    isSkipped: (target) => target.endsWith('full'),
    connect(target, signal) {
      told.push(`${target} tried`);
      if (target.endsWith('refuses')) return Promise.reject(new Error('refused'));
      if (target.endsWith('accepts')) return Promise.resolve(new PassThrough());
      const pending = Promise.withResolvers<PassThrough>();
      signal.addEventListener('abort', () => pending.reject(signal.reason as Error));
      silent.set(target, pending);
      return pending.promise;
    },
    onFailed: (target) => told.push(`${target} failed`),
    onOvertaken: (target, over) => {
      told.push(`${target} overtaken`);
      void over.then(() => told.push(`${target} over`));
    },
    onLate: (target) => told.push(`${target} late`),
    isStopped: () => false,
    closing: closing.signal,
  });
  return { told, result, silent, closing };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('a target that fails is followed by the next at once, and one that accepts by none', async (t) => {
  const { told, result } = race(['refuses', 'accepts', 'accepts']);
  t.is((await result)?.target, '1 accepts');
  t.deepEqual(told, ['0 refuses tried', '0 refuses failed', '1 accepts tried']);
});

test('without a target that accepts there is no winner', async (t) => {
  t.is(await race(['refuses', 'refuses']).result, undefined);
  t.is(await race([]).result, undefined);
});

test('the next target is tried beside a silent one, whose end is still told', async (t) => {
  const { told, result, silent } = race(['silent', 'accepts']);
  t.is((await result)?.target, '1 accepts');
  silent.get('0 silent')!.reject(new Error('time-out'));
  await turn();
  t.deepEqual(told.slice(2), ['0 silent overtaken', '0 silent failed', '0 silent over']);
});

test('a silent target that accepts after all is told apart from the winner', async (t) => {
  const { told, result, silent } = race(['silent', 'accepts']);
  await result;
  silent.get('0 silent')!.resolve(new PassThrough());
  await turn();
  t.deepEqual(told.slice(2), ['0 silent overtaken', '0 silent late', '0 silent over']);
});

test('what was overtaken ends with the upstream, without being told as a failure', async (t) => {
  const { told, result, closing } = race(['silent', 'accepts']);
  await result;
  closing.abort();
  await turn();
  t.deepEqual(told.slice(2), ['0 silent overtaken', '0 silent over']);
});
