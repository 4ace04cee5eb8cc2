import test from 'ava';
import { fuzzControl } from '../helpers/control-fuzz.ts';

test('requests that are drawn at random are answered, whatever they are', async (t) => {
  await fuzzControl(t, 4_000, Math.floor(Math.random() * 2 ** 32));
});
