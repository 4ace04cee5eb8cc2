import net from 'node:net';
import test from 'ava';
import fc from 'fast-check';
import { bytesToIp, ipToBytes, plainAddress, unmapAddress } from '../../src/address/address.ts';
import { formatLaneAddress } from '../../src/flow/lane-address.ts';
import { textLikeAddress } from '../helpers/ip-texts.ts';

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

const bytes16 = fc.oneof(
  fc.uint8Array({ minLength: 16, maxLength: 16 }),
  // Runs of zeros, which the text shortens, and the prefixes that carry an IPv4 address.
  fc
    .array(fc.constantFrom(0, 0, 0, 1, 0xff), { minLength: 16, maxLength: 16 })
    .map((list) => Uint8Array.from(list)),
  fc
    .tuple(fc.constantFrom('::ffff:', '::ffff:0:', '64:ff9b::', '::'), fc.ipV4())
    .map(([prefix, v4]) => Uint8Array.from(ipToBytes(prefix + v4)!)),
);

test('writes any 16 bytes as an address that the system reads as the same bytes, in its form but for a dotted end', (t) => {
  const property = fc.property(bytes16, (bytes) => {
    const text = bytesToIp(bytes);
    const { address } = new net.SocketAddress({ address: text, family: 'ipv6' });
    t.is(net.isIPv6(text), true);
    t.deepEqual(ipToBytes(address), Buffer.from(bytes));
    if (!text.includes('.') && !address.includes('.')) t.is(text, address);
  });
  fc.assert(property, { numRuns: 3000 });
});

test('plainAddress and unmapAddress leave alone what is no address, and give one that means the same for every other', (t) => {
  const property = fc.property(textLikeAddress, (text) => {
    const plain = plainAddress(text);
    if (net.isIP(text) === 0) {
      t.is(plain, text);
      t.is(unmapAddress(text), text);
      return;
    }
    const bytes = ipToBytes(text.split('%')[0]!)!;
    const isMapped =
      bytes.length === 16 && bytes.subarray(0, 12).equals(Buffer.from('00000000000000000000ffff', 'hex'));
    t.deepEqual(ipToBytes(plain), isMapped ? bytes.subarray(12) : bytes);
    t.is(unmapAddress(text), isMapped ? plain : text);
    t.is(plainAddress(plain), plain);
  });
  fc.assert(property, { numRuns: 3000 });
});

const unmapped: [text: string, unmapped: string, plain: string][] = [
  ['::ffff:127.0.0.1', '127.0.0.1', '127.0.0.1'],
  ['::FFFF:7f00:1', '127.0.0.1', '127.0.0.1'],
  ['0:0:0:0:0:ffff:127.0.0.1%eth0', '127.0.0.1', '127.0.0.1'],
  ['fe80::1%eth0', 'fe80::1%eth0', 'fe80::1'],
  ['2001:DB8:0::1', '2001:DB8:0::1', '2001:db8::1'],
  ['127.0.0.1', '127.0.0.1', '127.0.0.1'],
  ['::127.0.0.1', '::127.0.0.1', '::7f00:1'],
  ['localhost', 'localhost', 'localhost'],
  ['', '', ''],
];

for (const [text, expected, plain] of unmapped) {
  test(`${JSON.stringify(text)} is ${JSON.stringify(expected)} unmapped and ${JSON.stringify(plain)} plain`, (t) => {
    t.is(unmapAddress(text), expected);
    t.is(plainAddress(text), plain);
  });
}

test('an address of the lane, which comes in 32-bit words, is written as any other', (t) => {
  const property = fc.property(bytes16, (bytes) => {
    const buffer = Buffer.from(bytes);
    const words = [0, 4, 8, 12].map((at) => buffer.readUInt32BE(at));
    t.is(formatLaneAddress(6, [...words, 0]), bytesToIp(buffer));
    t.is(formatLaneAddress(4, words), bytesToIp(buffer.subarray(0, 4)));
    t.is(formatLaneAddress(6, [...words, 4_000_000_000]), `${bytesToIp(buffer)}%4000000000`);
  });
  fc.assert(property);
});
