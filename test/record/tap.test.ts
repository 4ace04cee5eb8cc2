import { randomBytes } from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import type { RecordedConnection } from '../../src/record/record-format.ts';
import { createTapFormat, type TapStyle } from '../../src/record/tap-format.ts';
import { chunksOf } from '../helpers/chunks.ts';

const connection: RecordedConnection = {
  id: 7,
  local: { host: '192.0.2.1', port: 40_000 },
  remote: { host: '127.0.0.1', port: 8080 },
  role: 'relayed',
  transport: 'tcp',
  target: '127.0.0.1:80',
};
const asIs = (text: string) => text;
const plain = { sent: asIs, received: asIs, note: asIs };

/** What a tap shows of chunks that a client sends, without the times. */
function show(style: TapStyle, chunks: readonly Buffer[], columns?: number): string[] {
  const format = createTapFormat(style, plain, () => columns);
  let offset = 0;
  const parts = [format.opened(connection, 0)];
  for (const chunk of chunks) {
    parts.push(format.data(connection, { direction: 'sent', bytes: chunk, offset, atMicros: 0 }));
    offset += chunk.length;
  }
  parts.push(format.ended(connection, 'sent', 0), format.closed(connection, 'eof', 0));
  const lines = Buffer.concat(parts).toString('utf8').trimEnd().split('\n');
  return lines.map((line) => line.replace(/^\d\d:\d\d:\d\d\.\d{6} /, ''));
}

test('the beginning and the end of a connection are told with its addresses and its target', (t) => {
  t.deepEqual(show('hex', []), [
    '7 = 192.0.2.1:40000 -> 127.0.0.1:8080 to 127.0.0.1:80',
    '7 = end of >',
    '7 = closed: eof',
  ]);
});

test('text shows lines, what is not a line yet too, and control characters as escapes', (t) => {
  const chunks = ['GET / HTTP/1.1\r\n\r\nab', 'c\n\x1b[31mred\0', '\u202e', '\n'].map((text) =>
    Buffer.from(text),
  );
  t.deepEqual(show('text', [...chunks, Buffer.from([0xff, 0x0a, 0xe2])]).slice(1, -2), [
    '7 > GET / HTTP/1.1',
    '7 > ',
    '7 > ab',
    '7 >+ c',
    '7 > \\x1b[31mred\\x00',
    '7 >+ \\u{202e}',
    '7 > \\xff',
    '7 > \\xe2',
  ]);
});

test('text shows every character whole, in any chunks', (t) => {
  const text = fc.string({ unit: fc.constantFrom('a', '\n', 'ö', '€', '😀', ' ') });
  const cut = text.chain((whole) =>
    fc.record({ whole: fc.constant(whole), chunks: chunksOf(fc.constant(Buffer.from(whole))) }),
  );
  fc.assert(
    fc.property(cut, ({ whole, chunks }) => {
      const lines = show('text', chunks).filter((line) => /^7 >/.test(line));
      const shown = lines
        .map((line) => (line.startsWith('7 >+') ? line.slice(5) : `\n${line.slice(4)}`))
        .join('');
      return shown === (whole === '' ? '' : `\n${whole.replace(/\n$/, '')}`);
    }),
  );
  t.pass();
});

test('no byte that is shown as text can move the cursor or forge a line', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const lines = show('text', [Buffer.from(bytes)]);
      return lines.every((line) => /^7 [>=]/.test(line) && !/[\0-\x08\x0b-\x1f\x7f-\x9f]/.test(line));
    }),
  );
  t.pass();
});

/** The least processor time that a megabyte takes in a style, in milliseconds: of several runs, as others run too. */
function costMs(style: TapStyle, bytes: Buffer): number {
  const runs = Array.from({ length: 10 }, () => {
    const startedAt = process.cpuUsage();
    const format = createTapFormat(style, plain);
    format.opened(connection, 0);
    for (let at = 0; at < bytes.length; at += 65_536)
      format.data(connection, {
        direction: 'sent',
        bytes: bytes.subarray(at, at + 65_536),
        offset: at,
        atMicros: 0,
      });
    const { user, system } = process.cpuUsage(startedAt);
    return (user + system) / 1000;
  });
  return Math.min(...runs);
}

for (const [title, bytes] of [
  ['random bytes', randomBytes(1024 * 1024)],
  ['bytes that are no UTF-8', Buffer.alloc(1024 * 1024, 0xff)],
  ['control characters', Buffer.alloc(1024 * 1024, 0x1b)],
] as const) {
  test(`a megabyte of ${title} as text costs at most four times as much as in hex`, (t) => {
    const [text, hex] = [costMs('text', bytes), costMs('hex', bytes)];
    // Hex is written as bytes, thirty times as fast as when text had to be within twice of it.
    t.true(text <= 4 * hex, `${text} ms, and ${hex} ms in hex`);
  });
}

/** Each row: the width, and how many bytes of hex stand in a line and whether the direction has a line of its own. */
const widths: readonly (readonly [columns: number | undefined, bytes: number, isApart: boolean])[] = [
  [undefined, 16, false],
  [200, 16, false],
  [100, 16, false],
  [80, 8, false],
  [60, 8, true],
  [40, 4, true],
  [20, 4, true],
];

for (const [columns, bytes, isApart] of widths) {
  test(`hex of a tap fits ${columns ?? 'no'} columns with ${bytes} bytes a line${isApart ? ', below its direction' : ''}`, (t) => {
    const lines = show('hex', [randomBytes(100)], columns).slice(1, -2);
    if (isApart) t.is(lines.shift(), '7 >');
    t.is(lines.length, Math.ceil(100 / bytes));
    // The time before them is cut off.
    const timeColumns = isApart ? 0 : 16;
    if (columns !== undefined && columns >= 40)
      t.true(lines.every((line) => line.length + timeColumns <= columns));
  });
}
