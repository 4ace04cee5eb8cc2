import { Readable } from 'node:stream';
import test from 'ava';
import fc from 'fast-check';
import { CrlfOut } from '../../src/transform/crlf.ts';
import { collect } from '../helpers/bytes.ts';

async function convert(chunks: readonly Buffer[]): Promise<string> {
  return (await collect(Readable.from(chunks).pipe(new CrlfOut()))).toString('latin1');
}

const rows: readonly (readonly [input: string, output: string])[] = [
  ['', ''],
  ['a\n', 'a\r\n'],
  ['a\r\n', 'a\r\n'],
  ['a\rb', 'a\rb'],
  ['\n\n', '\r\n\r\n'],
  ['a\nb\r\nc\rd', 'a\r\nb\r\nc\rd'],
  ['\r\r\n', '\r\r\n'],
];

for (const [input, output] of rows) {
  test(`${JSON.stringify(input)} is sent as ${JSON.stringify(output)}`, async (t) => {
    t.is(await convert([Buffer.from(input)]), output);
  });
}

test('any chunking sends the same bytes as the whole', async (t) => {
  const piece = fc.stringMatching(/^[\r\na]{0,6}$/);
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 12 }), async (pieces) => {
      const chunks = pieces.filter((one) => one !== '').map((one) => Buffer.from(one));
      t.is(await convert(chunks), pieces.join('').replace(/(?<!\r)\n/g, '\r\n'));
    }),
    { numRuns: 500 },
  );
});
