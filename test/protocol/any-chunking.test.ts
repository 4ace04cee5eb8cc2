import test from 'ava';
import fc from 'fast-check';
import { applyEdits, cutAt, cutEverywhere, editKinds, type Edit } from '../helpers/protocol/codec-target.ts';
import { codecTargets } from '../fuzz/codecs/index.ts';

const number = fc.nat(0xffff);
const edit: fc.Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom(...editKinds),
  at: number,
  value: number,
});
const cuts = fc.array(number, { maxLength: 8 });

for (const target of codecTargets) {
  const mutated = fc
    .tuple(fc.constantFrom(...target.seeds), fc.array(edit, { maxLength: 6 }))
    .map(([seed, edits]) => applyEdits(seed, edits));
  const random = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));

  test(`${target.name}: any input in any chunking gives what it gives as a whole`, (t) => {
    const property = fc.property(fc.oneof(mutated, mutated, random), cuts, (bytes, positions) => {
      t.deepEqual(target.run(cutAt(bytes, positions)), target.run([bytes]));
    });
    fc.assert(property, { numRuns: 2000 });
  });

  test(`${target.name}: correct input one byte at a time gives what it gives as a whole`, (t) => {
    for (const seed of target.seeds) t.deepEqual(target.run(cutEverywhere(seed)), target.run([seed]));
  });
}
