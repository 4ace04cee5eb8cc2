import test from 'ava';
import fc from 'fast-check';
import { escapeControls } from '../../src/transform/escape-controls.ts';

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
  test(title, (t) => t.is(escapeControls(input).toString(), output));
}

test('no control byte and no broken UTF-8 ever comes out', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (input) => {
      const output = escapeControls(Buffer.from(input));
      t.notRegex(output.toString(), /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\ufffd]/);
    }),
  );
});
