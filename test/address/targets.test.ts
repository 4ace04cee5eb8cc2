import test from 'ava';
import fc from 'fast-check';
import { formatEndpoint } from '../../src/address/endpoint.ts';
import { parsePorts, parseTargets } from '../../src/address/targets.ts';

const rows: readonly (readonly [words: string, targets: readonly string[]])[] = [
  ['127.0.0.1 80', ['127.0.0.1:80']],
  ['localhost http', ['localhost:80']],
  [
    'localhost 20-22,80 443',
    ['localhost:20', 'localhost:21', 'localhost:22', 'localhost:80', 'localhost:443'],
  ],
  ['a b 22,80', ['a:22', 'a:80', 'b:22', 'b:80']],
  ['a 22 b 80', ['a:22', 'b:80']],
  ['mail smtp,25 web http', ['mail:25', 'mail:25', 'web:80']],
  ['::1 80', ['[::1]:80']],
  ['[::1]:80-81 :22', ['[::1]:80', '[::1]:81', '*:22']],
  ['db:5432 cache:6379', ['db:5432', 'cache:6379']],
  ['web:80,443', ['web:80', 'web:443']],
  ['80 443', ['*:80', '*:443']],
  ['/run/x.sock unix:@name', ['/run/x.sock', 'unix:@name']],
  ['tls://host:443', ['tls://host:443']],
  ['localhost ftp-data', ['localhost:20']],
];

for (const [words, expected] of rows) {
  test(`${words} names ${expected.join(' ')}`, (t) => {
    const targets = parseTargets(words.split(' '));
    t.deepEqual([...targets].map(formatEndpoint), expected);
    t.is(targets.count, expected.length);
  });
}

const mistakes: readonly (readonly [words: string, message: RegExp])[] = [
  ['host 80x', /not a port/],
  ['host 65536', /from 0 to 65535/],
  ['host 30-20', /the range 30-20 runs backwards/],
  ['host 0', /port 0 cannot be connected to/],
  ['host:0', /port 0 cannot be connected to/],
  ['host 20-', /not a port/],
  ['host 20,,22', /the port is missing/],
  ['host', /the port is missing/],
  ['host nosuchservice', /neither a port nor a host and a port/],
  ['a 80 b', /neither a port nor a host/],
  ['0x7f.1 80', /not an IP address/],
];

for (const [words, message] of mistakes) {
  test(`${words} is refused`, (t) => {
    t.throws(() => parseTargets(words.split(' ')), { code: 'TNET_E_ADDRESS', message });
  });
}

test('all ports of many hosts are counted without being listed', (t) => {
  const hosts = Array.from({ length: 1000 }, (_, index) => `host${index}`);
  t.is(parseTargets([...hosts, '1-65535']).count, 65_535_000);
});

test('a list of ranges gives every port of every range, in order', (t) => {
  const range = fc
    .tuple(fc.integer({ min: 1, max: 65535 }), fc.integer({ min: 0, max: 50 }))
    .map(([from, length]) => [from, Math.min(65535, from + length)] as const);
  fc.assert(
    fc.property(fc.array(range, { minLength: 1, maxLength: 5 }), (ranges) => {
      const text = ranges.map(([from, to]) => `${from}-${to}`).join(',');
      t.deepEqual(
        parsePorts(text),
        ranges.map(([from, to]) => ({ from, to })),
      );
    }),
  );
  t.pass();
});

test('any words give targets or the one error of addresses', (t) => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme-ascii', maxLength: 8 }), { maxLength: 4 }), (words) => {
      try {
        parseTargets(words);
      } catch (error) {
        t.is((error as { code?: string }).code, 'TNET_E_ADDRESS');
      }
    }),
  );
  t.pass();
});
