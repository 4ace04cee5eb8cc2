import test from 'ava';
import fc from 'fast-check';
import { LineBatcher } from '../../../commands/isip/input.ts';

/** Feeds `text` in pieces of the given sizes, over and over, and gives the batches that come out. */
async function batchesOf(
  text: Buffer,
  sizes: readonly number[],
  bufferBytes: number,
): Promise<{ text: string; isCut: boolean }[]> {
  const batches: { text: string; isCut: boolean }[] = [];
  const batcher = new LineBatcher(({ bytes, start, end, isCut }) => {
    batches.push({ text: bytes.toString('latin1', start, end), isCut });
    return undefined;
  }, bufferBytes);
  for (let at = 0, turn = 0; at < text.length; turn++) {
    const count = text.copy(batcher.space, 0, at, at + sizes[turn % sizes.length]!);
    at += count;
    await batcher.filled(count);
  }
  await batcher.ended();
  return batches;
}

const text = fc
  .array(fc.constantFrom('\n', 'a', 'b', '1', '\r\n', 'cdef'), { maxLength: 60 })
  .map((parts) => parts.join(''));
const sizes = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 8 });

test('batches put together are the input, in whichever pieces it came, and end where lines end', async (t) => {
  await fc.assert(
    fc.asyncProperty(text, sizes, async (input, pieces) => {
      const batches = await batchesOf(Buffer.from(input), pieces, 1024);
      t.is(batches.map((batch) => batch.text).join(''), input);
      t.true(batches.slice(0, -1).every((batch) => batch.text.endsWith('\n') && !batch.isCut));
    }),
    { numRuns: 500 },
  );
});

test('a line longer than the buffer is passed on once, cut, and the lines around it whole', async (t) => {
  await fc.assert(
    fc.asyncProperty(text, sizes, async (input, pieces) => {
      const lines = (await batchesOf(Buffer.from(input), pieces, 8)).flatMap((batch) =>
        batch.isCut ? [batch.text] : (batch.text.match(/[^\n]*\n|[^\n]+/g) ?? []),
      );
      const wanted = input.match(/[^\n]*\n|[^\n]+/g) ?? [];
      t.is(lines.length, wanted.length);
      for (const [i, line] of wanted.entries()) t.is(lines[i], line.length > 8 ? line.slice(0, 8) : line);
    }),
    { numRuns: 500 },
  );
});
