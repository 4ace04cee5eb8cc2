import test from 'ava';
import { fuzzControl } from '../helpers/control-fuzz.ts';

/** The same requests each time; with TNET_FUZZ_SEED others. */
const seed = Number(process.env['TNET_FUZZ_SEED'] ?? 0);

for (let part = 1; part <= 10; part++) {
  test(`100,000 requests that are drawn at random are answered, whatever they are: part ${part} of 10`, async (t) => {
    t.timeout(600_000);
    await fuzzControl(t, 100_000, seed + part);
  });
}
