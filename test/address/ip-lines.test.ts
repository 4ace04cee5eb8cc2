import net from 'node:net';
import test from 'ava';
import fc from 'fast-check';
import { answerLines, familyOfBytes } from '../../src/address/ip-lines.ts';
import { textLikeAddress } from '../helpers/ip-texts.ts';

function answers(text: string, only?: 4 | 6): string {
  const bytes = Buffer.from(text);
  const output = Buffer.alloc(2 * bytes.length);
  const { written } = answerLines(bytes, output, only);
  return output.toString('latin1', 0, written);
}

test('familyOfBytes agrees with node:net on the UTF-8 bytes of addresses and of mutated addresses', (t) => {
  fc.assert(
    fc.property(textLikeAddress, (text) => {
      const bytes = Buffer.from(`1${text}1`);
      return familyOfBytes(bytes, 1, bytes.length - 1) === net.isIP(text);
    }),
    { numRuns: 20_000 },
  );
  t.pass();
});

test('familyOfBytes takes no arbitrary bytes for an address that node:net refuses', (t) => {
  const bytes = fc.uint8Array({ max: 127, maxLength: 16 });
  fc.assert(
    fc.property(
      bytes,
      (text) => familyOfBytes(text, 0, text.length) === net.isIP(Buffer.from(text).toString()),
    ),
    { numRuns: 5000 },
  );
  t.pass();
});

test('answerLines gives one answer for each line of any list', (t) => {
  const line = textLikeAddress.filter((text) => !/[\r\n]/.test(text));
  const list = fc.array(fc.tuple(line, fc.constantFrom('\n', '\r\n')), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(list, (lines) => {
      const wanted = lines.map(([text]) => `${net.isIP(text)}\n`).join('');
      t.is(answers(lines.map((parts) => parts.join('')).join('')), wanted);
    }),
  );
});

const cases: [string, string, string][] = [
  ['strips one newline of a line', '1.2.3.4\n', '4\n'],
  ['answers an empty line with 0', '1.2.3.4\n\n', '4\n0\n'],
  ['strips a carriage return before the newline', '::1\r\n', '6\n'],
  ['strips one carriage return only', '::1\r\r\n', '0\n'],
  ['keeps a carriage return that no newline follows', '::1\r', '0\n'],
  ['counts a last line without a newline', '::1\n1.2.3.4', '6\n4\n'],
  ['writes nothing for no bytes', '', ''],
  ['answers 0 to a lone carriage return and newline', '\r\n', '0\n'],
];

for (const [behaviour, input, output] of cases) {
  test(`answerLines ${behaviour}`, (t) => {
    t.is(answers(input), output);
  });
}

test('answerLines answers 0 to the family that was not asked for, and counts the other', (t) => {
  t.is(answers('::1\n1.2.3.4\nx\n', 4), '0\n4\n0\n');
  t.is(answers('::1\n1.2.3.4\nx\n', 6), '6\n0\n0\n');
  const bytes = Buffer.from('::1\n1.2.3.4\nx\n');
  t.deepEqual(answerLines(bytes, Buffer.alloc(99), 4), { written: 6, yes: 1 });
});
