import net from 'node:net';
import test from 'ava';
import fc from 'fast-check';
import { isIP, isIPv4, isIPv6 } from '../../src/net/ip.ts';
import { textLikeAddress } from './ip-texts.ts';

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
