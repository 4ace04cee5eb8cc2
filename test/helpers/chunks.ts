import type { Transform } from 'node:stream';
import fc from 'fast-check';

/** Bytes cut into chunks anywhere. */
export function chunksOf(bytes: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer[]> {
  return fc.tuple(bytes, fc.array(fc.nat({ max: 40 }), { maxLength: 12 })).map(([whole, cuts]) => {
    const places = cuts.map((cut) => Math.min(cut, whole.length)).sort((a, b) => a - b);
    return [0, ...places].map((from, index) => whole.subarray(from, places[index] ?? whole.length));
  });
}

/** What a transform makes of the chunks. */
export async function runTransform(transform: Transform, chunks: readonly Buffer[]): Promise<Buffer> {
  const out: Buffer[] = [];
  transform.on('data', (chunk: Buffer) => out.push(chunk));
  const ended = new Promise<void>((resolve, reject) => {
    transform.once('end', resolve).once('error', reject);
  });
  for (const chunk of chunks) transform.write(chunk);
  transform.end();
  await ended;
  return Buffer.concat(out);
}
