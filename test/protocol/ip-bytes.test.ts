import net from 'node:net';
import test from 'ava';
import fc from 'fast-check';
import { bytesToIp, ipToBytes } from '../../src/protocol/ip-bytes.ts';

const rows: [text: string, hex: string, canonical: string][] = [
  ['192.0.2.1', 'c0000201', '192.0.2.1'],
  ['::', '00000000000000000000000000000000', '::'],
  ['::1', '00000000000000000000000000000001', '::1'],
  ['2001:DB8:0:0:8:800:200C:417A', '20010db80000000000080800200c417a', '2001:db8::8:800:200c:417a'],
  ['2001:db8:0:1:1:1:1:1', '20010db8000000010001000100010001', '2001:db8:0:1:1:1:1:1'],
  ['2001:0:0:1:0:0:0:1', '20010000000000010000000000000001', '2001:0:0:1::1'],
  ['2001:db8:0:0:1:0:0:1', '20010db8000000000001000000000001', '2001:db8::1:0:0:1'],
  ['::ffff:192.0.2.128', '00000000000000000000ffffc0000280', '::ffff:192.0.2.128'],
  ['1::', '00010000000000000000000000000000', '1::'],
];

for (const [text, hex, canonical] of rows) {
  test(`${text} is ${hex} on the wire and ${canonical} in RFC 5952 form`, (t) => {
    t.is(ipToBytes(text)?.toString('hex'), hex);
    t.is(bytesToIp(Buffer.from(hex, 'hex')), canonical);
  });
}

test('agrees with net.isIP about which texts are addresses', (t) => {
  const near = fc
    .array(fc.constantFrom('1', '0', '01', '255', '256', 'ffff', 'g', ':', '::', '.', '1.2.3.4', ''), {
      maxLength: 12,
    })
    .map((parts) => parts.join(''));
  const property = fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), near, fc.string()), (text) => {
    const expected = text.includes('%') ? 0 : net.isIP(text);
    const bytes = ipToBytes(text);
    t.is(bytes ? (bytes.length === 4 ? 4 : 6) : 0, expected, text);
  });
  fc.assert(property, { numRuns: 2000 });
});

test('the text of any address reads back as the same bytes', (t) => {
  const size = fc.constantFrom(4, 16);
  const address = size.chain((length) => fc.uint8Array({ minLength: length, maxLength: length }));
  const property = fc.property(address, (bytes) => {
    const buffer = Buffer.from(bytes);
    t.deepEqual(ipToBytes(bytesToIp(buffer)), buffer);
  });
  fc.assert(property, { numRuns: 2000 });
});
