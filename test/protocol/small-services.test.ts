import test from 'ava';
import {
  answerDatagram,
  builtInQuotes,
  chargenCycle,
  readQuotes,
  tell,
} from '../../src/protocol/small-services/services.ts';
import { judgeSender } from '../../src/protocol/small-services/reflection.ts';

const quotes = builtInQuotes;

test('chargen has the lines that RFC 864 shows, each begun one character later', (t) => {
  const lines = chargenCycle.toString('latin1').split('\r\n');
  t.is(lines[0], ' !"#$%&\'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefg');
  t.is(lines[1], '!"#$%&\'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefgh');
  t.is(lines[94], '~ !"#$%&\'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdef');
  t.deepEqual(
    lines.map(({ length }) => length),
    [...Array.from({ length: 95 }, () => 72), 0],
  );
});

for (const [random, bytes] of [
  [0, 0],
  [0.5, 256],
  [1 - Number.EPSILON, 512],
] as const) {
  test(`a chargen datagram has ${bytes} bytes when the draw is ${random}`, (t) => {
    const answer = answerDatagram('chargen', Buffer.from('ignored'), { at: new Date(), random, quotes });
    t.is(answer!.length, bytes);
    t.deepEqual(answer, chargenCycle.subarray(0, bytes));
  });
}

for (const [name, moment, seconds] of [
  ['the beginning of 1970', '1970-01-01T00:00:00Z', 2_208_988_800],
  ['the beginning of 1976', '1976-01-01T00:00:00Z', 2_398_291_200],
  ['the beginning of 1980', '1980-01-01T00:00:00Z', 2_524_521_600],
  ['the beginning of May 1983', '1983-05-01T00:00:00Z', 2_629_584_000],
  ['17 November 1858', '1858-11-17T00:00:00Z', -1_297_728_000],
  ['the first second after the wrap', '2036-02-07T06:28:17Z', 1],
] as const) {
  test(`time is ${seconds} seconds at ${name}`, (t) => {
    t.is(tell('time', new Date(moment), quotes).readInt32BE() | 0, seconds | 0);
  });
}

test('daytime is one line in the first form of RFC 867, in UTC', (t) => {
  const at = new Date('1982-02-22T17:37:43Z');
  t.is(tell('daytime', at, quotes).toString(), 'Monday, February 22, 1982 17:37:43-UTC\r\n');
});

test('echo answers a datagram with itself, also one without bytes, and discard answers nothing', (t) => {
  const circumstances = { at: new Date(), random: 0, quotes };
  t.deepEqual(answerDatagram('echo', Buffer.from('same'), circumstances), Buffer.from('same'));
  t.is(answerDatagram('echo', Buffer.alloc(0), circumstances)!.length, 0);
  t.is(answerDatagram('discard', Buffer.from('x'), circumstances), undefined);
});

test('each quote has its day', (t) => {
  const three = readQuotes('one\ntwo\nthree\n');
  const said = ['2026-01-01', '2026-01-02', '2026-01-03', '2026-01-04'].map((day) =>
    tell('qotd', new Date(`${day}T12:00:00Z`), three).toString(),
  );
  t.is(new Set(said).size, 3);
  t.is(said[0], said[3]);
});

for (const [what, text, wanted] of [
  ['one a line', 'one\n\ntwo  \r\n', ['one\r\n', 'two\r\n']],
  ['separated by lines of %', 'first\nquote\n%\nsecond\n', ['first\r\nquote\r\n', 'second\r\n']],
  ['separated by lines of % that end in CR LF', 'first\r\n%\r\nsecond\r\n%\r\n', ['first\r\n', 'second\r\n']],
] as const) {
  test(`quotes are read ${what}`, (t) => {
    t.deepEqual(readQuotes(text).map(String), wanted);
  });
}

test('a quote of 512 bytes and a file without quotes are refused, and a quote of 511 is not', (t) => {
  const [longest] = readQuotes('x'.repeat(509));
  t.is(longest!.length, 511);
  t.throws(() => readQuotes(`short\n${'x'.repeat(510)}`), { message: /^quote 2 has 512 bytes/ });
  t.throws(() => readQuotes('\n\n'), { message: 'there are no quotes in it' });
});

test('every built-in quote is printing ASCII of fewer than 512 bytes', (t) => {
  for (const quote of builtInQuotes) {
    t.regex(quote.toString('latin1'), /^[\x20-\x7e]+\r\n$/);
    t.true(quote.length < 512);
  }
});

for (const [address, port, isAnswered] of [
  ['192.0.2.1', 40_000, true],
  ['2001:db8::1', 40_000, true],
  ['::ffff:192.0.2.1', 40_000, true],
  ...[0, 7, 9, 13, 17, 19, 37, 53, 123, 161, 389, 1900, 5353, 11_211].map(
    (p) => ['192.0.2.1', p, false] as const,
  ),
  ['192.0.2.1', 8124, false],
  ['224.0.0.1', 40_000, false],
  ['255.255.255.255', 40_000, false],
  ['0.0.0.0', 40_000, false],
  ['::ffff:239.1.1.1', 40_000, false],
  ['ff02::1', 40_000, false],
] as const) {
  test(`a datagram from ${address} port ${port} is ${isAnswered ? '' : 'not '}answered on port 8124`, (t) => {
    t.is(judgeSender({ address, port, localPort: 8124 }) === undefined, isAnswered);
  });
}
