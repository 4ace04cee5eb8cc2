import test from 'ava';
import fc from 'fast-check';
import { formatHexLines } from '../../src/record/text-formats.ts';

/** The same, a line at a time, as one would write it down. */
function describeLine(line: Buffer, offset: number): string {
  const hex = [...line].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  const ascii = [...line].map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'));
  return `${offset.toString(16).padStart(8, '0')} ${hex.padEnd(47)} |${ascii.join('')}|`;
}

test('hex lines have each byte in hex and as ASCII, sixteen a line, between what goes before and behind', (t) => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 100 }),
      fc.oneof(fc.nat(1000), fc.constantFrom(0xfffffff0, 0xfffffffff0, 2 ** 48)),
      fc.constantFrom('', '1.5 7 > ', '\x1b[36m… '),
      fc.constantFrom('', '\x1b[39m'),
      (array, offset, before, after) => {
        const bytes = Buffer.from(array);
        const lines = Array.from({ length: Math.ceil(bytes.length / 16) }, (_, i) =>
          describeLine(bytes.subarray(i * 16, i * 16 + 16), offset + i * 16),
        );
        const expected = Buffer.from(lines.map((line) => `${before}${line}${after}\n`).join(''));
        t.deepEqual(formatHexLines(bytes, offset, { before, after }), expected);
      },
    ),
  );
});
