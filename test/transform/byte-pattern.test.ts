import test from 'ava';
import fc from 'fast-check';
import { ByteMatcher } from '../../src/transform/byte-matcher.ts';
import { compilePattern } from '../../src/transform/byte-pattern.ts';
import { chunksOf } from '../helpers/chunks.ts';

/** Where the earliest match ends; -1 without one. */
function find(pattern: string, chunks: readonly Buffer[]): number {
  const matcher = new ByteMatcher(compilePattern(pattern));
  let before = 0;
  for (const chunk of chunks) {
    const used = matcher.push(chunk);
    if (used !== undefined) return before + used;
    before += chunk.length;
  }
  return matcher.end() ? before : -1;
}

/** The same by JavaScript, for a text that has ended: the first place where a match can end. */
function findSlowly(pattern: string, text: string): number {
  const lineEnds: Readonly<Record<string, string>> = { '^': '(?<=\\n|(?<![^]))', $: '(?=\\n|(?![^]))' };
  const spelt = pattern.replace(/\[\^a\]|[\^$]/g, (found) => lineEnds[found] ?? found);
  const ends = Array.from({ length: text.length + 1 }, (_, end) => end);
  return ends.find((end) => new RegExp(`(?:${spelt})(?<=(?<![^])[^]{${end}})`).test(text)) ?? -1;
}

for (const [pattern, text, end] of [
  ['', 'abc', 0],
  ['b', 'abc', 2],
  ['a+', 'aaa', 1],
  ['a{2,3}b', 'aaaab', 5],
  ['a{2}', 'a', -1],
  ['(?:ab|cd){2}', 'abcd', 4],
  ['a??b*?c', 'c', 1],
  ['[^a-c\\d]', 'ab1x', 4],
  ['[]a]', 'a]', -1],
  ['[^]', '\n', 1],
  ['.', '\r\nx', 3],
  ['(?s:.)', '\n', 1],
  ['(?i:Ok[x-z])', 'oKY', 3],
  ['(?i:a)b', 'AB', -1],
  ['(?<name>a)b', 'ab', 2],
  ['\\d\\w\\s\\D\\W\\S', '1a x -', 6],
  ['\\x41\\u0042\\u{43}\\t\\0', 'ABC\t\0', 5],
  ['\\cA', '\x01', 1],
  ['\\[\\.\\]', '[.]', 3],
  ['a{,2}', 'a{,2}', 5],
  ['é+x', 'ééx', 5],
  ['[éa]x', 'éx', 3],
  ['€', '€', 3],
  ['\\xe9', 'é', -1],
  ['\\bok\\b', 'book ok', 7],
  ['o\\Bk', 'ok', 2],
  ['^b', 'a\nb', 3],
  ['a$', 'ab\na', 4],
  ['(^|x)a', 'ba xa', 5],
  ['(a|b|)c', 'c', 1],
] as const) {
  test(`/${pattern}/ ends at ${end} of ${JSON.stringify(text)}`, (t) =>
    t.is(find(pattern, [Buffer.from(text)]), end));
}

for (const [pattern, message] of [
  ['(', /Invalid regular expression/],
  ['a**', /Invalid regular expression/],
  ['(a)\\1', /\\1 is a back-reference, which is not supported/],
  ['(?<n>a)\\k<n>', /\\k is a back-reference, which is not supported/],
  ['(?=a)', /\(\?=…\) is a lookahead, which is not supported/],
  ['(?!a)', /\(\?!…\) is a lookahead, which is not supported/],
  ['(?<=a)', /\(\?<=…\) is a lookbehind, which is not supported/],
  ['(?<!a)', /\(\?<!…\) is a lookbehind, which is not supported/],
  ['[^é]', /\[\^…\] cannot contain é/],
  ['[à-ü]', /a range cannot begin or end with à/],
  ['(a{100}){100}', /the pattern is too large/],
  ['a{5000}', /repeats too often/],
] as const) {
  test(`/${pattern}/ is refused`, (t) => {
    t.throws(() => compilePattern(pattern), { message });
  });
}

test('repetitions of nothing are compiled at once', (t) => {
  t.is(find('((((){2000}){2000}){2000})*x', [Buffer.from('ax')]), 2);
});

const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\n', '\\b', '\\B', '^', '$', '\\w');
const { pattern: anyPattern } = fc.letrec<{ pattern: string; part: string }>((tie) => ({
  part: fc.oneof(
    { maxDepth: 3 },
    atom,
    fc
      .tuple(tie('pattern'), fc.constantFrom('*', '+', '?', '{2}', '{1,2}', '*?', ''))
      .map(([inner, sign]) => `(?:${inner})${sign}`),
  ),
  pattern: fc.oneof(
    { maxDepth: 3 },
    fc.array(tie('part'), { minLength: 1, maxLength: 4 }).map((parts) => parts.join('')),
    fc.tuple(tie('part'), tie('part')).map(([one, other]) => `${one}|${other}`),
  ),
}));
const anyText = fc.string({ unit: fc.constantFrom('a', 'b', '\n', ' '), maxLength: 8 });

test('a match ends where the shortest one of JavaScript does, however the bytes are cut into chunks', (t) => {
  const cases = fc
    .tuple(anyPattern, anyText)
    .chain(([pattern, text]) =>
      fc.tuple(fc.constant(pattern), fc.constant(text), chunksOf(fc.constant(Buffer.from(text)))),
    );
  fc.assert(
    fc.property(cases, ([pattern, text, chunks]) => {
      t.is(find(pattern, chunks), findSlowly(pattern, text), `/${pattern}/ in ${JSON.stringify(text)}`);
    }),
    { numRuns: 500 },
  );
});

for (const pattern of ['^(a+)+$', '(a|a)*b', '(a*)*b', '([a-z]+)*[0-9]$', '(.*)*x(.*)*y']) {
  test(`each byte costs /${pattern}/ the same, however many there are`, (t) => {
    // With backtracking a few dozen bytes would take longer than the test may.
    t.is(find(pattern, [Buffer.alloc(100_000, 'a'), Buffer.from('!\n')]), -1);
  });
}
