import test from 'ava';
import fc from 'fast-check';
import { LineCutter, LineLabel } from '../../src/transform/lines.ts';
import { collect } from '../helpers/bytes.ts';

async function label(chunks: readonly (string | Buffer)[], limitBytes?: number): Promise<string> {
  const stream = new LineLabel('[1] ', { ...(limitBytes !== undefined && { limitBytes }) });
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  return (await collect(stream)).toString();
}

test('every line is labelled, also one that comes in pieces', async (t) => {
  t.is(await label(['one\ntw', 'o\n', '\nthree\n']), '[1] one\n[1] two\n[1] \n[1] three\n');
});

test('a last line without a newline gets one', async (t) => {
  t.is(await label(['one\ntwo']), '[1] one\n[1] two\n');
});

test('nothing comes out for nothing', async (t) => {
  t.is(await label([]), '');
});

test('a line over the limit is given on in pieces', async (t) => {
  t.is(await label(['abcdefgh\n', 'xyz\n'], 3), '[1] abc\n[1] def\n[1] gh\n[1] xyz\n');
});

test('a line that is as long as the limit stays whole', async (t) => {
  t.is(await label(['abc\n', 'ab', 'c', '\n'], 3), '[1] abc\n[1] abc\n');
});

test('lines are the same however the bytes are cut into chunks', (t) => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '\n', '\r', 'é'), maxLength: 60 });
  fc.assert(
    fc.property(
      text,
      fc.array(fc.nat(8), { maxLength: 60 }),
      fc.integer({ min: 1, max: 12 }),
      (input, cuts, limit) => {
        const bytes = Buffer.from(input);
        t.deepEqual(cutLines(splitAt(bytes, cuts), limit), cutLines([bytes], limit));
      },
    ),
  );
  t.pass();
});

test('lines hold every byte but the newlines, and none is over the limit', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 1, max: 20 }), (input, limit) => {
      const bytes = Buffer.from(input);
      const lines = cutLines([bytes], limit);
      t.true(lines.every((line) => line.length <= limit * 2));
      t.is(
        lines.join(''),
        bytes.toString('hex').replace(/(..)/g, (byte) => (byte === '0a' ? '' : byte)),
      );
    }),
  );
});

function cutLines(chunks: readonly Buffer[], limitBytes: number): string[] {
  const cutter = new LineCutter(limitBytes);
  const lines = chunks.flatMap((chunk) => cutter.push(chunk));
  const last = cutter.finish();
  return [...lines, ...(last ? [last] : [])].map((line) => line.toString('hex'));
}

function splitAt(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const length of lengths) {
    chunks.push(bytes.subarray(at, at + length));
    at += length;
  }
  return [...chunks, bytes.subarray(at)];
}
