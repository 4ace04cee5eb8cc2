import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { Turns } from '../../../src/serve/greeting/users.ts';

test('work is done one piece at a time, and those who ask take turns', async (t) => {
  const turns = new Turns();
  const done: string[] = [];
  let running = 0;
  const work = (name: string) => async () => {
    t.is(++running, 1);
    await turn();
    running--;
    done.push(name);
    return name;
  };
  const [one, other] = [
    ['a1', 'a2', 'a3', 'a4'],
    ['b1', 'b2'],
  ];
  const asked = [
    ...one.map((name) => turns.take('a', work(name))),
    ...other.map((name) => turns.take('b', work(name))),
  ];
  t.deepEqual(await Promise.all(asked), [...one, ...other]);
  t.deepEqual(done, ['a1', 'a2', 'b1', 'a3', 'b2', 'a4']);
});

test('work that fails is told to who asked for it, and the next one has its turn', async (t) => {
  const turns = new Turns();
  const failing = turns.take('a', () => Promise.reject(new Error('no')));
  const next = turns.take('a', () => Promise.resolve(7));
  await t.throwsAsync(failing, { message: 'no' });
  t.is(await next, 7);
});
