import test from 'ava';
import fc from 'fast-check';
import { LineDelay } from '../../src/transform/lines.ts';
import { chunksOf, runTransform } from '../helpers/chunks.ts';

test('every line after the first waits, and a line in two chunks waits once', async (t) => {
  const startedAt = performance.now();
  const chunks = ['one\ntw', 'o\nthree'].map((text) => Buffer.from(text));
  t.is((await runTransform(new LineDelay(100), chunks)).toString(), 'one\ntwo\nthree');
  const tookMs = performance.now() - startedAt;
  t.true(tookMs >= 180 && tookMs < 1_000, `${tookMs} ms`);
});

test('no byte is lost or moved', async (t) => {
  const text = fc
    .string({ unit: fc.constantFrom('a', '\n'), maxLength: 8 })
    .map((value) => Buffer.from(value));
  await fc.assert(
    fc.asyncProperty(chunksOf(text), async (chunks) => {
      t.deepEqual(await runTransform(new LineDelay(0.01), chunks), Buffer.concat(chunks));
    }),
    { numRuns: 30 },
  );
});

test('a delay that is running ends with the transform', async (t) => {
  const delay = new LineDelay(3_600_000);
  delay.write('one\ntwo\n');
  const closed = new Promise((resolve) => delay.once('close', resolve));
  delay.destroy();
  await closed;
  t.pass();
});
