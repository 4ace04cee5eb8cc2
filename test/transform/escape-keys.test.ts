import test from 'ava';
import fc from 'fast-check';
import { EscapeKeys, formatEscape, parseEscape } from '../../src/transform/escape-keys.ts';
import { chunksOf, runTransform } from '../helpers/chunks.ts';

async function type(chunks: readonly Buffer[], escape: number | 'none' = 0x1d) {
  const log: string[] = [];
  const keys = new EscapeKeys({
    escape,
    onEscape: () => log.push('escape'),
    onCommand(line) {
      log.push(line);
      return line === 'again' ? 'ask' : 'session';
    },
    onEnd: () => log.push('end'),
  });
  const sent = (await runTransform(keys, chunks)).toString('latin1');
  return { sent, log };
}

const rows: readonly (readonly [typed: string, sent: string, log: readonly string[]])[] = [
  ['abc', 'abc', []],
  ['ab\x1dstatus\ncd', 'abcd', ['escape', 'status']],
  ['ab\x1dstatus\rcd', 'abcd', ['escape', 'status']],
  ['\x1d\nstatus\ncd', 'cd', ['escape', 'status']],
  ['\x1dagain\nquit\nx', 'x', ['escape', 'again', 'quit']],
  ['a\x1d again  \n\x1d\n', 'a', ['escape', 'again', '\x1d']],
  ['a\x1dhalf', 'a', ['escape', 'end']],
];

for (const [typed, sent, log] of rows) {
  test(`typing ${JSON.stringify(typed)} sends ${JSON.stringify(sent)}`, async (t) => {
    t.deepEqual(await type([Buffer.from(typed)]), { sent, log });
  });
}

test('without an escape key every byte is sent', async (t) => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  t.is((await type([bytes], 'none')).sent, bytes.toString('latin1'));
});

test('keys one by one do what the same keys do at once', async (t) => {
  const typed = fc
    .array(fc.constantFrom('a', '\x1d', 'x\n', 'again\n'), { maxLength: 12 })
    .map((parts) => Buffer.from(parts.join('')));
  await fc.assert(
    fc.asyncProperty(typed, async (bytes) => {
      // An escape and the end of its line in one chunk are a whole line of the terminal: no such chunk here.
      fc.pre(!bytes.includes('\x1d\n'));
      const single = await type(Array.from(bytes, (byte) => Buffer.from([byte])));
      t.deepEqual(single, await type([bytes]));
    }),
  );
});

test('what is typed behind a command that is at work waits until it is over', async (t) => {
  const log: string[] = [];
  const work = Promise.withResolvers<'ask'>();
  const keys = new EscapeKeys({
    escape: 0x1d,
    onEscape: () => undefined,
    onCommand(line) {
      log.push(line);
      return line === 'work' ? work.promise : 'session';
    },
    onEnd: () => undefined,
  });
  const sent = runTransform(keys, [Buffer.from('a\x1dwork\nnext\nb'), Buffer.from('c')]);
  await new Promise(setImmediate);
  t.deepEqual(log, ['work']);
  work.resolve('ask');
  t.is((await sent).toString(), 'abc');
  t.deepEqual(log, ['work', 'next']);
});

test('an endless command is kept to its bound', async (t) => {
  const { log } = await type([Buffer.from('\x1d'), Buffer.alloc(1_000_000, 'x'), Buffer.from('\n')]);
  t.is(log[1]!.length, 1024);
});

test('chunks cut anywhere lose nothing', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      chunksOf(fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes))),
      async (chunks) => {
        t.is((await type(chunks, 'none')).sent, Buffer.concat(chunks).toString('latin1'));
      },
    ),
  );
});

const escapes: readonly (readonly [text: string, byte: number | 'none', shown: string])[] = [
  ['none', 'none', 'none'],
  ['^]', 0x1d, '^]'],
  ['^a', 0x01, '^A'],
  ['^?', 0x7f, '^?'],
  ['~', 0x7e, '~'],
  ['\x14', 0x14, '^T'],
];
for (const [text, byte, shown] of escapes) {
  test(`the escape key ${JSON.stringify(text)} is ${byte}, and shown as ${shown}`, (t) => {
    t.is(parseEscape(text), byte);
    t.is(formatEscape(byte), shown);
    t.is(parseEscape(shown), byte);
  });
}

for (const text of ['', 'ab', '^1', '^^^', '\n', '\r', 'ä']) {
  test(`${JSON.stringify(text)} is no escape key`, (t) => {
    t.throws(() => parseEscape(text), { code: 'TNET_E_USAGE' });
  });
}
