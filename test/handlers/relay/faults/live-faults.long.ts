import test from 'ava';
import { changeUnderLoad } from '../../../helpers/live-faults.ts';

for (const seed of [1, 2, 3, 4]) {
  test(`after 100,000 changes of the faults of eight connections under load, every byte is right (seed ${seed})`, async (t) => {
    t.timeout(600_000);
    t.true((await changeUnderLoad(100_000, 8, seed)) > 1_000_000);
  });
}
