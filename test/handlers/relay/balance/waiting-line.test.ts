import test from 'ava';
import { WaitingLine } from '../../../../src/handlers/relay/balance/waiting-line.ts';

/** A line in front of so many places. */
function lineFor(places: { free: number }) {
  const line = new WaitingLine(() => places.free > 0);
  const enter = (name: string, limitMs = 60_000, signal = new AbortController().signal) =>
    line.enter(
      () => {
        if (places.free === 0) return undefined;
        places.free--;
        return name;
      },
      { deadline: performance.now() + limitMs, signal },
    );
  return { line, enter };
}

test('where there is room nobody waits', async (t) => {
  const places = { free: 1 };
  const { line, enter } = lineFor(places);
  const entered = enter('a');
  t.is(places.free, 0, 'it is taken before anything else happens');
  t.true(line.isEmpty);
  t.is(await entered, 'a');
});

test('who has waited longest comes first, and who comes later does not overtake', async (t) => {
  const places = { free: 0 };
  const { line, enter } = lineFor(places);
  const order: (string | undefined)[] = [];
  const all = ['a', 'b', 'c'].map((name) => enter(name).then((one) => order.push(one)));
  places.free = 1;
  all.push(enter('d').then((one) => order.push(one)));
  await all[0];
  t.deepEqual(order, ['a']);
  for (let count = 0; count < 3; count++) {
    places.free = 1;
    line.wake();
  }
  await Promise.all(all);
  t.deepEqual(order, ['a', 'b', 'c', 'd']);
  t.true(line.isEmpty);
});

test('one for whom the room is not right lets the next one have it', async (t) => {
  const places = { free: 0 };
  const { line, enter } = lineFor(places);
  let isRight = false;
  const options = { deadline: performance.now() + 60_000, signal: new AbortController().signal };
  const picky = line.enter(() => (isRight && places.free > 0 ? 'picky' : undefined), options);
  const other = enter('other');
  places.free = 1;
  line.wake();
  t.is(await other, 'other');
  places.free = 1;
  isRight = true;
  line.wake();
  t.is(await picky, 'picky');
});

test('who has been in before does not wait behind those that have not', async (t) => {
  const places = { free: 0 };
  const { line, enter } = lineFor(places);
  const waiting = enter('a');
  const options = { deadline: performance.now() + 60_000, signal: new AbortController().signal };
  t.is(await line.enter(() => 'again', { ...options, hasBeenIn: true }), 'again');
  places.free = 1;
  line.wake();
  t.is(await waiting, 'a');
});

test('a place that comes after the deadline, or after the signal, is left to the others', async (t) => {
  const places = { free: 0 };
  const { line, enter } = lineFor(places);
  const stopping = new AbortController();
  const late = enter('late', 1);
  const stopped = enter('stopped', 60_000, stopping.signal);
  const last = enter('last');
  t.is(await late, undefined);
  stopping.abort();
  places.free = 1;
  line.wake();
  t.is(await stopped, undefined);
  t.is(await last, 'last');
  t.is(await enter('never', 60_000, stopping.signal), undefined);
});
