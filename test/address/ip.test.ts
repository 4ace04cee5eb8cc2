import net from 'node:net';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { isIP, isIPv4, isIPv6 } from '../../src/address/ip.ts';
import { textLikeAddress } from '../helpers/ip-texts.ts';

test('isIP, isIPv4 and isIPv6 agree with node:net on addresses and on mutated addresses', (t) => {
  const seen = { 0: 0, 4: 0, 6: 0 };
  fc.assert(
    fc.property(textLikeAddress, (text) => {
      const family = isIP(text);
      seen[family]++;
      return (
        family === net.isIP(text) && isIPv4(text) === net.isIPv4(text) && isIPv6(text) === net.isIPv6(text)
      );
    }),
    { numRuns: 20_000 },
  );
  t.true(seen[0] > 2000 && seen[4] > 1000 && seen[6] > 1000, JSON.stringify(seen));
});

test('isIP agrees with node:net on any string', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => isIP(text) === net.isIP(text)),
    { numRuns: 2000 },
  );
  t.pass();
});

/** What a function gives or throws, as data. */
function outcome(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : error;
  }
}

type Judge = (input: string) => unknown;
const pairs: readonly [mine: Judge, nodes: Judge][] = [
  [isIP, net.isIP],
  [isIPv4, net.isIPv4],
  [isIPv6, net.isIPv6],
];

/** Makes a new value for each call: one whose text changes has to change alike for both. */
function judgeAlike(t: ExecutionContext, make: () => unknown): void {
  for (const [mine, nodes] of pairs) {
    t.deepEqual(
      outcome(() => mine(make() as string)),
      outcome(() => nodes(make() as string)),
    );
  }
}

const addressText = fc.oneof(textLikeAddress, fc.constantFrom('::1', '127.0.0.1', '', 'null'));

/** Kinds of values that fast-check's anything() seldom makes an address of. */
const objects = fc.oneof(
  addressText.map((text) => () => [text]),
  addressText.map((text) => () => [[text]]),
  addressText.map((text) => () => new String(text)),
  addressText.map((text) => () => ({ toString: () => text })),
  addressText.map((text) => () => ({ toString: () => ({}), valueOf: () => text })),
  addressText.map((text) => () => ({ [Symbol.toPrimitive]: () => text })),
  addressText.map((text) => () => ({
    toString() {
      throw new RangeError(text);
    },
  })),
  // Each question about its text gets another answer.
  fc.array(addressText, { minLength: 3, maxLength: 3 }).map((texts) => () => {
    const left = [...texts];
    return { toString: () => left.shift() };
  }),
  fc.string().map((text) => () => Symbol(text)),
  fc.constant(() => Object.create(null) as object),
  fc.constant(() => isIP),
  fc.bigInt().map((number) => () => number),
);

test('isIP, isIPv4 and isIPv6 agree with node:net on values of every kind', (t) => {
  for (const value of [
    undefined,
    null,
    true,
    0,
    -0,
    NaN,
    1.5,
    127,
    [],
    {},
    () => '::1',
    ['::1'],
    Symbol('x'),
  ])
    judgeAlike(t, () => value);
  fc.assert(
    fc.property(
      fc.anything({ withBigInt: true, withDate: true, withNullPrototype: true, withTypedArray: true }),
      (value) => judgeAlike(t, () => value),
    ),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(objects, (make) => judgeAlike(t, make)),
    { numRuns: 3000 },
  );
});

const cases: [string, 0 | 4 | 6][] = [
  ['127.0.0.1', 4],
  ['255.255.255.255', 4],
  ['1.2.3.4%eth0', 0],
  ['::1', 6],
  ['1:2:3:4:5:6:7::', 6],
  ['1:2:3:4:5:6:7::8', 0],
  ['::1%lo', 6],
  ['fe80::1%eth0.10', 6],
  ['fe80::1%br-lan', 6],
  ['fe80::1%eth0:1', 6],
  ['fe80::1%eth_0', 0],
  ['fe80::1%', 0],
  ['::1%a\n', 0],
  ['[::1]', 0],
  ['::1/128', 0],
  ['127.0.0.1\n', 0],
  ['01.2.3.4', 0],
  ['127.1', 0],
  ['0x7f.0.0.1', 0],
];

for (const [text, family] of cases) {
  test(`isIP answers ${family} to ${JSON.stringify(text)}, as node:net does`, (t) => {
    t.is(isIP(text), family);
    t.is(net.isIP(text), family);
  });
}
