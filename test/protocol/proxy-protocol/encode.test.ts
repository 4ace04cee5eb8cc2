import test from 'ava';
import fc from 'fast-check';
import {
  crc32c,
  type ProxyEnds,
  type ProxyHeader,
  type ProxyValue,
} from '../../../src/protocol/proxy-protocol/header.ts';
import { bytesToIp } from '../../../src/address/address.ts';
import { createPadding, encodeProxyV1, encodeProxyV2 } from '../../../src/protocol/proxy-protocol/encode.ts';
import { decodeProxyHeader } from '../../../src/protocol/proxy-protocol/decode.ts';
import { hex, latin1 } from '../../helpers/protocol/hex.ts';

const tcp4: ProxyEnds = {
  family: 'tcp4',
  source: { host: '192.168.0.1', port: 56324 },
  destination: { host: '192.168.0.11', port: 443 },
};

test('version 1 is the line of the specification', (t) => {
  t.is(encodeProxyV1(tcp4).toString(), 'PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n');
});

test('version 1 has no word for UDP and Unix sockets', (t) => {
  t.is(encodeProxyV1({ ...tcp4, family: 'udp4' }).toString(), 'PROXY UNKNOWN\r\n');
  t.is(encodeProxyV1({ family: 'unix', source: '', destination: '/x' }).toString(), 'PROXY UNKNOWN\r\n');
  t.is(encodeProxyV1({ family: 'unknown' }).toString(), 'PROXY UNKNOWN\r\n');
});

test('version 2 is written byte for byte', (t) => {
  const signature = '0d0a0d0a000d0a515549540a';
  const header = { command: 'proxy', ends: tcp4, values: [{ type: 'authority', name: 'a' }] } as const;
  t.deepEqual(encodeProxyV2(header), hex(`${signature} 21 11 0010 c0a80001 c0a8000b dc04 01bb 020001 61`));
  const local = { command: 'local', ends: { family: 'unknown' }, values: [] } as const;
  t.deepEqual(encodeProxyV2(local), hex(`${signature} 20 00 0000`));
});

/** RFC 3720 section B.4, and the check value of the catalogues. */
const checksums: [bytes: Buffer, value: number][] = [
  [Buffer.alloc(32), 0x8a9136aa],
  [Buffer.alloc(32, 255), 0x62a8ab43],
  [Buffer.from(Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e],
  [latin1('123456789'), 0xe3069283],
];

for (const [bytes, value] of checksums) {
  test(`the CRC32c of ${bytes.toString('hex')} is ${value.toString(16)}`, (t) => {
    t.is(crc32c(bytes), value);
  });
}

test('a checksum is computed over the header with zeros in its place, and any changed byte is found', (t) => {
  const values: ProxyValue[] = [{ type: 'alpn', protocol: 'h2' }, { type: 'crc32c' }, createPadding(5)];
  const bytes = encodeProxyV2({ command: 'proxy', ends: tcp4, values });
  const zeroed = Buffer.from(bytes);
  zeroed.fill(0, 16 + 12 + 5 + 3, 16 + 12 + 5 + 7);
  t.is(bytes.readUInt32BE(16 + 12 + 5 + 3), crc32c(zeroed));
  t.true('header' in decodeProxyHeader(bytes));
  for (let index = 16; index < 28; index += 1) {
    const changed = Buffer.from(bytes);
    changed[index] = changed[index]! ^ 1;
    t.like(
      t.throws(() => decodeProxyHeader(changed)),
      { reason: 'bad-crc32c' },
    );
  }
});

const bad: [what: string, header: Omit<ProxyHeader, 'version'>, reason: string][] = [
  [
    'an address of another family',
    { command: 'proxy', ends: { ...tcp4, family: 'tcp6' }, values: [] },
    'bad-host',
  ],
  [
    'a port of 65536',
    { command: 'proxy', ends: { ...tcp4, source: { host: '::1', port: 65536 }, family: 'tcp6' }, values: [] },
    'bad-port',
  ],
  [
    'a path of 109 bytes',
    { command: 'proxy', ends: { family: 'unix', source: 'x'.repeat(109), destination: '' }, values: [] },
    'bad-path',
  ],
  [
    'two checksums',
    { command: 'proxy', ends: tcp4, values: [{ type: 'crc32c' }, { type: 'crc32c' }] },
    'bad-value',
  ],
  [
    'a unique id of 129 bytes',
    { command: 'proxy', ends: tcp4, values: [{ type: 'unique-id', bytes: Buffer.alloc(129) }] },
    'bad-value',
  ],
  ['a value of 65536 bytes', { command: 'proxy', ends: tcp4, values: [createPadding(65536)] }, 'bad-value'],
  [
    'values over 65535 bytes together',
    { command: 'proxy', ends: tcp4, values: [createPadding(65530)] },
    'too-long',
  ],
];

for (const [what, header, reason] of bad) {
  test(`${what} is refused on writing`, (t) => {
    t.like(
      t.throws(() => encodeProxyV2(header)),
      { code: 'TNET_E_PROTOCOL_INPUT', reason },
    );
  });
}

test('any header that is written reads back as itself', (t) => {
  const port = fc.nat(65535);
  const address = (size: number) =>
    fc.uint8Array({ minLength: size, maxLength: size }).map((bytes) => bytesToIp(Buffer.from(bytes)));
  const end = (size: number) => fc.record({ host: address(size), port });
  const path = fc.stringMatching(/^[\0/]?[a-zA-Z0-9./-]{0,100}$/).map((text) => (text === '\0' ? '' : text));
  const ends: fc.Arbitrary<ProxyEnds> = fc.oneof(
    fc.record({
      family: fc.constantFrom('tcp4' as const, 'udp4' as const),
      source: end(4),
      destination: end(4),
    }),
    fc.record({
      family: fc.constantFrom('tcp6' as const, 'udp6' as const),
      source: end(16),
      destination: end(16),
    }),
    fc.record({
      family: fc.constantFrom('unix' as const, 'unix-datagram' as const),
      source: path,
      destination: path,
    }),
  );
  const bytes = fc.uint8Array({ maxLength: 128 }).map((array) => Buffer.from(array));
  const text = fc
    .string({ unit: 'grapheme', maxLength: 40 })
    .filter((value) => Buffer.from(value).toString() === value);
  const ssl = fc.record(
    {
      isTls: fc.boolean(),
      hasCertificate: fc.boolean(),
      hasSessionCertificate: fc.boolean(),
      verify: fc.nat(0xffffffff),
      version: text,
      commonName: text,
      cipher: text,
      signatureAlgorithm: text,
      keyAlgorithm: text,
    },
    { requiredKeys: ['isTls', 'hasCertificate', 'hasSessionCertificate', 'verify'] },
  );
  const value: fc.Arbitrary<ProxyValue> = fc.oneof(
    fc.constant({ type: 'alpn' as const, protocol: 'http/1.1' }),
    text.map((name) => ({ type: 'authority' as const, name })),
    text.map((name) => ({ type: 'netns' as const, name })),
    bytes.map((id) => ({ type: 'unique-id' as const, bytes: id })),
    ssl.map((info) => ({ type: 'ssl' as const, ssl: info })),
    bytes.map((data) => ({ type: 'other' as const, code: 0xe5, bytes: data })),
  );
  const property = fc.property(
    ends,
    fc.array(value, { maxLength: 6 }),
    fc.boolean(),
    (given, list, hasChecksum) => {
      const values: ProxyValue[] = hasChecksum ? [{ type: 'crc32c' }, ...list] : list;
      const found = decodeProxyHeader(encodeProxyV2({ command: 'proxy', ends: given, values }));
      if (!('header' in found)) return t.fail('the header is not whole');
      t.deepEqual(found.header.ends, given);
      t.deepEqual(
        found.header.values.filter(({ type }) => type !== 'crc32c'),
        list,
      );
    },
  );
  fc.assert(property, { numRuns: 2000 });
});
