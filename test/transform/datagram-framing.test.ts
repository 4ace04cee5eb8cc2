import { once } from 'node:events';
import test from 'ava';
import fc from 'fast-check';
import { FrameDatagrams, UnframeDatagrams } from '../../src/transform/datagrams.ts';

/** Cuts bytes at these places, counted round the end. */
function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);
  return [0, ...sorted].map((from, index) => bytes.subarray(from, sorted[index] ?? bytes.length));
}

/** What comes out of a stream that is written these chunks and ended, or the code of its failure. */
async function run(stream: FrameDatagrams | UnframeDatagrams, chunks: readonly Buffer[]) {
  const out: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => out.push(chunk));
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  try {
    await once(stream, 'end');
    return out;
  } catch (error) {
    return (error as { code?: string }).code;
  }
}

test('datagrams come out of the stream as they went in, wherever it is cut', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 }),
      fc.array(fc.nat(), { maxLength: 20 }),
      async (arrays, cuts) => {
        const datagrams = arrays.map((array) => Buffer.from(array));
        const framed = Buffer.concat((await run(new FrameDatagrams(), datagrams)) as Buffer[]);
        t.deepEqual(await run(new UnframeDatagrams(), cutAt(framed, cuts)), datagrams);
      },
    ),
    { numRuns: 200 },
  );
});

test('a stream that ends within a datagram or its length fails', async (t) => {
  for (const bytes of [[0], [0, 1], [0, 3, 1, 2], [0, 0, 1]]) {
    t.is(await run(new UnframeDatagrams(), [Buffer.from(bytes)]), 'TNET_E_FRAMING');
  }
});

test('a length that UDP cannot carry fails, and the longest that it can does not', async (t) => {
  t.is(await run(new UnframeDatagrams(), [Buffer.from([0xff, 0xe4])]), 'TNET_E_FRAMING');
  const longest = Buffer.alloc(65_507, 1);
  const framed = (await run(new FrameDatagrams(), [longest])) as Buffer[];
  t.deepEqual(await run(new UnframeDatagrams(), framed), [longest]);
});
