import test from 'ava';
import fc from 'fast-check';
import { formatRecord, judge } from '../../../commands/isip/verdict.ts';

const terms = { only: undefined, blocks: [], isOutside: false, takesPrefixes: true } as const;
const hard = [
  '"',
  '\\',
  '\u009b',
  '\u202e',
  '\u2028',
  'é',
  '☃',
  '%',
  '/',
  ':',
  '.',
  '::',
  '1.2.3.4',
  'fe80::1%eth0',
];

test('the object of any text is what JSON.stringify makes of its members, but for letters that a terminal obeys', (t) => {
  const text = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.string(),
    fc.array(fc.oneof(fc.constantFrom(...hard), fc.string({ maxLength: 3 }))).map((parts) => parts.join('')),
    fc.tuple(fc.ipV6(), fc.nat({ max: 140 })).map(([address, bits]) => `${address}/${bits}`),
  );
  fc.assert(
    fc.property(text, (input) => {
      const line = formatRecord(judge(input, terms));
      const read = JSON.parse(line) as { readonly input: string };
      t.is(read.input, input);
      t.notRegex(line, /[\x7f-\x9f\p{Cf}\p{Co}\u2028\u2029]/u);
      const plain = JSON.stringify(read);
      if (/^[\x20-\x7e]*$/.test(input)) t.is(line, plain);
      t.deepEqual(JSON.parse(plain), read);
    }),
    { numRuns: 500 },
  );
});
