import test from 'ava';
import fc from 'fast-check';
import { joinCommandWords, splitCommandWords } from '../../src/address/command-words.ts';

const cases: [text: string, words: string[]][] = [
  ['cat', ['cat']],
  ['  grep  -n\tx ', ['grep', '-n', 'x']],
  ["printf '%s %s' a", ['printf', '%s %s', 'a']],
  ['echo "a \\"b\\" $HOME" c\\ d', ['echo', 'a "b" $HOME', 'c d']],
  ['a\'b\'"c"d', ['abcd']],
  ['x \'\' ""', ['x', '', '']],
  ['\'a\\b\' "a\\b"', ['a\\b', 'a\\b']],
  ['a | b > c', ['a', '|', 'b', '>', 'c']],
];

for (const [text, words] of cases) {
  test(`${text} is the words ${JSON.stringify(words)}`, (t) => t.deepEqual(splitCommandWords(text), words));
}

for (const text of ['', '   ', "a 'b", 'a "b']) {
  test(`${JSON.stringify(text)} is a usage error`, (t) => {
    t.throws(() => splitCommandWords(text), { code: 'TNET_E_USAGE' });
  });
}

test('words in single quotes come back as they are', (t) => {
  const word = fc.string().filter((text) => !text.includes("'"));
  fc.assert(
    fc.property(fc.array(word, { minLength: 1 }), (words) => {
      t.deepEqual(splitCommandWords(words.map((text) => `'${text}'`).join(' ')), words);
    }),
  );
});

test('any text gives words or a usage error', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', ' ', '"', "'", '\\', '$') }), (text) => {
      try {
        t.true(splitCommandWords(text).length > 0);
      } catch (error) {
        t.is((error as { code?: string }).code, 'TNET_E_USAGE');
      }
    }),
  );
});

test('words that are joined come back as they are', (t) => {
  const word = fc.string({ unit: fc.constantFrom('a', ' ', '"', "'", '\\', '$', '\t') });
  fc.assert(
    fc.property(fc.array(word, { minLength: 1 }), (words) => {
      t.deepEqual(splitCommandWords(joinCommandWords(words)), words);
    }),
  );
});
