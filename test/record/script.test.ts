import test from 'ava';
import fc from 'fast-check';
import { Comparison, type Script, type ScriptStep } from '../../src/record/script.ts';
import { chunksOf } from '../helpers/chunks.ts';

const atMicros = 0;
const wholeEnd = { side: 'client', atMicros, end: 'eof' } as const satisfies ScriptStep;

function scriptOf(chunks: readonly Buffer[], ...ends: readonly ScriptStep[]): Script {
  const steps = chunks.map((bytes): ScriptStep => ({ side: 'client', atMicros, bytes }));
  return { id: 1, openedMicros: 0, closedMicros: 0, steps: [...steps, ...ends] };
}

function compare(recorded: Script, chunks: readonly Buffer[], end: 'eof' | 'reset' | 'silence' = 'eof') {
  const comparison = new Comparison(recorded, 'client');
  for (const chunk of chunks) comparison.take(chunk);
  comparison.end(end);
  return comparison.difference;
}

const someBytes = fc.uint8Array({ minLength: 1, maxLength: 60 }).map((bytes) => Buffer.from(bytes));
/** The same bytes, cut in two ways. */
const cutTwice = someBytes.chain((bytes) =>
  fc.tuple(fc.constant(bytes), chunksOf(fc.constant(bytes)), chunksOf(fc.constant(bytes))),
);

test('the same bytes are no difference, in whatever pieces they were recorded and come', (t) => {
  fc.assert(
    fc.property(cutTwice, ([, recorded, come]) => {
      t.is(compare(scriptOf(recorded, wholeEnd), come), undefined);
    }),
  );
});

test('the first byte that is another is told by its place', (t) => {
  fc.assert(
    fc.property(cutTwice, fc.nat(), ([bytes, recorded, come], at) => {
      const place = at % bytes.length;
      const changed = Buffer.concat(come);
      changed[place] = (changed[place] ?? 0) ^ 1;
      t.true(compare(scriptOf(recorded, wholeEnd), [changed])?.startsWith(`byte ${place} is 0x`));
    }),
  );
});

const ends: readonly (readonly [
  what: string,
  sent: string,
  end: 'eof' | 'reset' | 'silence',
  RegExp | undefined,
])[] = [
  ['less', 'ab', 'eof', /^ended after 2 of 3 bytes$/],
  ['less, and a break', 'ab', 'reset', /^broke off after 2 of 3 bytes$/],
  ['less, and nothing more', 'ab', 'silence', /^fell silent after 2 of 3 bytes$/],
  ['more', 'abcd', 'eof', /^goes on after the 3 bytes/],
  ['a break after all of it', 'abc', 'reset', /^broke off, and had ended in the recording$/],
  ['all of it', 'abc', 'eof', undefined],
];
for (const [what, sent, end, difference] of ends) {
  test(`a peer that gives ${what} ${difference ? 'differs' : 'is the same'}`, (t) => {
    const told = compare(scriptOf([Buffer.from('abc')], wholeEnd), [Buffer.from(sent)], end);
    if (difference) t.regex(told ?? '', difference);
    else t.is(told, undefined);
  });
}

test('a peer that broke off in the recording may end in any way', (t) => {
  const recorded = scriptOf([Buffer.from('abc')], { side: 'client', atMicros, end: 'reset' });
  for (const end of ['eof', 'reset', 'silence'] as const)
    t.is(compare(recorded, [Buffer.from('abc')], end), undefined);
});
