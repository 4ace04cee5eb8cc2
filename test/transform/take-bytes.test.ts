import test from 'ava';
import fc from 'fast-check';
import { TakeBytes } from '../../src/transform/take-bytes.ts';

test('exactly the first bytes come through, however they are cut, and the rest is dropped', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 8 }),
      fc.integer({ min: 1, max: 60 }),
      async (chunks, limit) => {
        let calls = 0;
        const take = new TakeBytes(limit, () => calls++);
        for (const chunk of chunks) take.write(Buffer.from(chunk));
        take.end();
        const out = Buffer.concat((await take.toArray()) as Buffer[]);
        const all = Buffer.concat(chunks);
        t.deepEqual(out, all.subarray(0, limit));
        t.is(take.takenBytes, out.length);
        t.is(take.isFull, all.length >= limit);
        t.is(calls, all.length >= limit ? 1 : 0);
      },
    ),
  );
});
