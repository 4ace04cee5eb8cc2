import test from 'ava';
import { fuzzControl } from '../helpers/control-fuzz.ts';

test('requests that are drawn at random are answered, whatever they are', async (t) => {
  // The same each time; fuzz.long.ts draws many more.
  await fuzzControl(t, 4_000, 2026);
});
