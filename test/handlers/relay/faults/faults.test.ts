import { PassThrough, pipeline } from 'node:stream';
import test from 'ava';
import { createLiveFaults } from '../../../../src/handlers/relay/faults/pair-faults.ts';
import type { FaultValues } from '../../../../src/handlers/relay/pair.ts';
import { resolveTarget } from '../../../../src/handlers/relay/targets/names.ts';

/** The way up of a connection, by its number. */
function openUp(values: FaultValues, connection: number) {
  return createLiveFaults(values).open(connection, { close: () => undefined, reset: () => undefined }).up;
}

/** What comes out of the way up, as chunks, when `bytes` and then the end go in. */
async function carry(values: FaultValues, bytes: string) {
  const source = new PassThrough();
  const streams = [source, openUp(values, 1), new PassThrough()];
  const output = streams.at(-1)!;
  pipeline(streams, () => undefined);
  const chunks: string[] = [];
  const startedAt = performance.now();
  let lastMs = 0;
  output.on('data', (chunk: Buffer) => {
    chunks.push(chunk.toString());
    lastMs = performance.now() - startedAt;
  });
  source.end(bytes);
  await new Promise((resolve) => output.once('end', resolve));
  return { chunks, lastMs, endMs: performance.now() - startedAt };
}

test('--slice and --slice-size cut the stream into pieces of that size', async (t) => {
  const { chunks } = await carry({ sliceSize: { mean: 2, spread: 0 } }, 'abcdef');
  t.deepEqual(chunks, ['ab', 'cd', 'ef']);
  t.is((await carry({ slice: true, seed: 1 }, 'a'.repeat(500))).chunks.length > 2, true);
});

test('--slice-delay pauses between two pieces', async (t) => {
  const values = { sliceSize: { mean: 1, spread: 0 }, sliceDelay: 40 };
  const { chunks, lastMs } = await carry(values, 'abc');
  t.deepEqual(chunks, ['a', 'b', 'c']);
  t.true(lastMs >= 65, String(lastMs));
});

test('--slow-close hands the end on later than the bytes', async (t) => {
  const { chunks, lastMs, endMs } = await carry({ slowClose: 100 }, 'abc');
  t.deepEqual(chunks, ['abc']);
  t.true(endMs >= 90 && endMs > lastMs, `${lastMs}, ${endMs}`);
});

test('--probability does it to that share of the connections, the same ones for a --seed', (t) => {
  const draw = () =>
    Array.from({ length: 400 }, (_, index) => {
      const values = { corrupt: 1, probability: 0.25, seed: 3 };
      return openUp(values, index).faults.length;
    });
  const hit = draw().filter((count) => count > 0).length;
  t.true(hit > 60 && hit < 140, String(hit));
  t.deepEqual(draw(), draw());
});

test('--resolve is how often a name that has no time to live is looked up again', async (t) => {
  const target = { kind: 'tcp', host: 'localhost', port: 1 } as const;
  t.is(await (await resolveTarget(target, { resolve: 4_321 })).refreshMs, 4_321);
});
