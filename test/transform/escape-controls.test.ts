import test from 'ava';
import fc from 'fast-check';
import { escapeJson, escapeText, showLine } from '../../src/transform/escape-controls.ts';

const cases: [title: string, input: Buffer, output: string][] = [
  ['text stays as it is', Buffer.from('Grüße, 世界 👩‍👩‍👧 \\n'), 'Grüße, 世界 👩‍👩‍👧 \\n'],
  ['a tab stays', Buffer.from('a\tb'), 'a\tb'],
  ['a CR at the end goes, one inside is shown', Buffer.from('a\rb\r'), 'a\\x0db'],
  ['an escape sequence is shown', Buffer.from('\x1b[2J\x07'), '\\x1b[2J\\x07'],
  ['C1 controls are shown', Buffer.from('\u009b31m'), '\\x9b31m'],
  ['what turns the direction of text is shown', Buffer.from('a\u202eb\u2066'), 'a\\u{202e}b\\u{2066}'],
  [
    'bytes that are no UTF-8 are shown',
    Buffer.from([0x61, 0xff, 0xc3, 0x62, 0xe2, 0x82]),
    'a\\xff\\xc3b\\xe2\\x82',
  ],
  ['a surrogate in UTF-8 is shown', Buffer.from([0xed, 0xa0, 0x80]), '\\xed\\xa0\\x80'],
  ['nothing stays nothing', Buffer.alloc(0), ''],
];

for (const [title, input, output] of cases) {
  test(title, (t) => t.is(showLine(input), output));
}

test('no control byte and no broken UTF-8 ever comes out', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (input) => {
      const output = showLine(Buffer.from(input));
      t.notRegex(output, /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\ufffd]/);
    }),
  );
});

test('every control character of a text is shown, tabs and newlines too, and halves of characters', (t) => {
  t.is(
    escapeText('a\t\n\x7f\x9b\u2028\ud83dz\u{1f600}\\x'),
    'a\\x09\\x0a\\x7f\\x9b\\u{2028}\\u{d83d}z\u{1f600}\\x',
  );
});

test('JSON stays the same value, without a control character', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const json = escapeJson(JSON.stringify(text));
      t.is(JSON.parse(json), text);
      t.notRegex(json, /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
    }),
  );
});

test('any bytes are read as a strict decoder reads them', (t) => {
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(0x41, 0x80, 0x9f, 0xa0, 0xbf, 0xc2, 0xe0, 0xed, 0xf0, 0xf4, 0xff)),
      (bytes) => {
        let expected = '';
        for (let at = 0; at < bytes.length;) {
          const length = [1, 2, 3, 4].find((count) => {
            try {
              return (
                at + count <= bytes.length && strict.decode(Buffer.from(bytes.slice(at, at + count))) !== ''
              );
            } catch {
              return false;
            }
          });
          expected +=
            length === undefined
              ? `\\x${bytes[at]!.toString(16)}`
              : escapeText(strict.decode(Buffer.from(bytes.slice(at, at + length))));
          at += length ?? 1;
        }
        t.is(showLine(Buffer.from(bytes)), expected);
      },
    ),
    { numRuns: 40 },
  );
});
