import test from 'ava';
import { decodeProxyHeader, ProxyHeaderReceiver } from '../../../src/protocol/proxy-protocol/decode.ts';
import { V1_LIMIT_BYTES } from '../../../src/protocol/proxy-protocol/header.ts';
import { hex, latin1 } from '../../helpers/protocol/hex.ts';

const FULL6 = 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff';
const SIGNATURE = '0d0a0d0a000d0a515549540a';

/** The lines of proxy-protocol.txt section 2.1, with the lengths it gives. */
const lines: [line: string, bytes: number, ends: object][] = [
  [
    'PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n',
    47,
    {
      family: 'tcp4',
      source: { host: '192.168.0.1', port: 56324 },
      destination: { host: '192.168.0.11', port: 443 },
    },
  ],
  [
    'PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n',
    56,
    {
      family: 'tcp4',
      source: { host: '255.255.255.255', port: 65535 },
      destination: { host: '255.255.255.255', port: 65535 },
    },
  ],
  [
    `PROXY TCP6 ${FULL6} ${FULL6} 65535 65535\r\n`,
    104,
    { family: 'tcp6', source: { host: FULL6, port: 65535 }, destination: { host: FULL6, port: 65535 } },
  ],
  ['PROXY UNKNOWN\r\n', 15, { family: 'unknown' }],
  [`PROXY UNKNOWN ${FULL6} ${FULL6} 65535 65535\r\n`, 107, { family: 'unknown' }],
  [
    'PROXY TCP6 2001:DB8::1 ::ffff:1.2.3.4 0 1\r\n',
    43,
    {
      family: 'tcp6',
      source: { host: '2001:db8::1', port: 0 },
      destination: { host: '::ffff:1.2.3.4', port: 1 },
    },
  ],
];

for (const [line, bytes, ends] of lines) {
  test(`version 1 of ${bytes} bytes is read: ${line.trim()}`, (t) => {
    t.is(line.length, bytes);
    const header = { version: 1, command: 'proxy', ends, values: [] } as never;
    t.deepEqual(decodeProxyHeader(latin1(`${line}GET / HTTP/1.1\r\n`)), { header, headerBytes: bytes });
    for (let cut = 1; cut < bytes; cut += 1)
      t.deepEqual(decodeProxyHeader(latin1(line.slice(0, cut))), { needBytes: 1 });
  });
}

const badLines: [what: string, line: string, reason: string][] = [
  ['another protocol', 'GET / HTTP/1.1\r\n', 'no-header'],
  ['a lower-case signature', 'proxy TCP4', 'no-header'],
  ['a first byte that fits neither version', 'X', 'no-header'],
  ['LF alone', 'PROXY UNKNOWN\n', 'bad-line'],
  ['CR alone', 'PROXY UNKNOWN\rX', 'bad-line'],
  ['LF inside the line', 'PROXY UNKNOWN a\nb\r\n', 'bad-line'],
  ['a family in lower case', 'PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n', 'bad-family'],
  ['UDP4', 'PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n', 'bad-family'],
  ['no family', 'PROXY \r\n', 'bad-family'],
  ['two blanks', 'PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n', 'bad-address'],
  ['a leading zero in an address', 'PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n', 'bad-address'],
  ['an address of the other family', 'PROXY TCP4 ::1 ::1 1 2\r\n', 'bad-address'],
  ['a zone', 'PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n', 'bad-address'],
  ['a leading zero in a port', 'PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n', 'bad-port'],
  ['port 65536', 'PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n', 'bad-port'],
  ['a port missing', 'PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n', 'bad-port'],
  ['a word too many', 'PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n', 'bad-line'],
];

for (const [what, line, reason] of badLines) {
  test(`version 1 with ${what} is refused`, (t) => {
    t.like(
      t.throws(() => decodeProxyHeader(latin1(line))),
      { code: 'TNET_E_PROTOCOL', protocol: 'proxy-protocol', reason },
    );
  });
}

test('a line of more than 107 bytes is refused, whether or not its end has come', (t) => {
  const line = `PROXY UNKNOWN ${'x'.repeat(V1_LIMIT_BYTES)}`;
  for (const text of [line, `${line}\r\n`, `PROXY UNKNOWN ${'x'.repeat(92)}\r\n`]) {
    t.like(
      t.throws(() => decodeProxyHeader(latin1(text))),
      { code: 'TNET_E_PROTOCOL_LIMIT', reason: 'line-too-long' },
    );
  }
});

const v2: [what: string, bytes: string, ends: object][] = [
  [
    'TCP over IPv4',
    '21 11 000c c0000201 c6336407 dc04 01bb',
    {
      family: 'tcp4',
      source: { host: '192.0.2.1', port: 56324 },
      destination: { host: '198.51.100.7', port: 443 },
    },
  ],
  [
    'UDP over IPv4',
    '21 12 000c c0000201 c6336407 0035 0036',
    {
      family: 'udp4',
      source: { host: '192.0.2.1', port: 53 },
      destination: { host: '198.51.100.7', port: 54 },
    },
  ],
  [
    'TCP over IPv6',
    `21 21 0024 20010db8${'00'.repeat(11)}01 ${'00'.repeat(15)}01 0001 0002`,
    { family: 'tcp6', source: { host: '2001:db8::1', port: 1 }, destination: { host: '::1', port: 2 } },
  ],
  [
    'UDP over IPv6',
    `21 22 0024 ${'ff'.repeat(16)} ${'00'.repeat(16)} ffff 0000`,
    { family: 'udp6', source: { host: FULL6, port: 65535 }, destination: { host: '::', port: 0 } },
  ],
  [
    'a Unix stream, with an abstract name and an unnamed end',
    `21 31 00d8 006162${'00'.repeat(105)} ${'00'.repeat(108)}`,
    { family: 'unix', source: '\0ab', destination: '' },
  ],
  [
    'a Unix datagram, with a path and one of the full 108 bytes',
    `21 32 00d8 2f61${'00'.repeat(106)} ${'62'.repeat(108)}`,
    { family: 'unix-datagram', source: '/a', destination: 'b'.repeat(108) },
  ],
  ['UNSPEC', '21 00 0000', { family: 'unknown' }],
  ['UNSPEC with a block to be skipped', '21 00 0003 010203', { family: 'unknown' }],
  ['IPv4 of an unspecified protocol', '21 10 000c 000000000000000000000000', { family: 'unknown' }],
];

for (const [what, bytes, ends] of v2) {
  test(`version 2 for ${what} is read, and needs all its bytes`, (t) => {
    const whole = hex(SIGNATURE + bytes);
    const header = { version: 2, command: 'proxy', ends, values: [] } as never;
    t.deepEqual(decodeProxyHeader(Buffer.concat([whole, latin1('rest')])), {
      header,
      headerBytes: whole.length,
    });
    for (let cut = 0; cut < whole.length; cut += 1)
      t.true('needBytes' in decodeProxyHeader(whole.subarray(0, cut)));
  });
}

test('LOCAL is read and its block skipped, whatever its family is', (t) => {
  for (const family of ['00', '11', 'f7']) {
    t.like(decodeProxyHeader(hex(`${SIGNATURE} 20 ${family} 0002 ffff`)), {
      header: { version: 2, command: 'local', ends: { family: 'unknown' }, values: [] },
      headerBytes: 18,
    });
  }
});

test('it says how many bytes are missing', (t) => {
  t.deepEqual(decodeProxyHeader(hex('')), { needBytes: 1 });
  t.deepEqual(decodeProxyHeader(hex(SIGNATURE)), { needBytes: 4 });
  t.deepEqual(decodeProxyHeader(hex(`${SIGNATURE} 21 11 000c 0000`)), { needBytes: 10 });
});

const badV2: [what: string, bytes: string, reason: string][] = [
  ['version 1 in the binary form', '11', 'bad-version'],
  ['an unassigned command', '22', 'bad-version'],
  ['an unassigned family', '2141', 'bad-family'],
  ['an unassigned protocol', '2113', 'bad-family'],
  ['a length too short for its addresses', '21 11 000b c0000201 c6336407 dc0401', 'addresses-cut-short'],
  ['a value cut short in its head', '21 11 000e c0000201 c6336407 dc0401bb 0200', 'value-cut-short'],
  ['a value longer than the header', '21 11 0010 c0000201 c6336407 dc0401bb 02000261', 'value-cut-short'],
  ['a name that is not UTF-8', '21 11 0010 c0000201 c6336407 dc0401bb 020001ff', 'bad-text'],
  ['a checksum of three bytes', '21 11 0012 c0000201 c6336407 dc0401bb 030003 000000', 'bad-crc32c'],
  ['a wrong checksum', '21 11 0013 c0000201 c6336407 dc0401bb 030004 00000000', 'bad-crc32c'],
  ['an SSL value of four bytes', '21 11 0013 c0000201 c6336407 dc0401bb 200004 01000000', 'bad-ssl'],
  [
    'an SSL value with a part cut short',
    '21 11 0016 c0000201 c6336407 dc0401bb 200007 0100000000 2100',
    'value-cut-short',
  ],
  [
    'a unique id of 129 bytes',
    `21 11 0090 c0000201 c6336407 dc0401bb 050081 ${'00'.repeat(129)}`,
    'bad-unique-id',
  ],
];

for (const [what, bytes, reason] of badV2) {
  test(`version 2 with ${what} is refused`, (t) => {
    t.like(
      t.throws(() => decodeProxyHeader(hex(SIGNATURE + bytes))),
      { code: 'TNET_E_PROTOCOL', reason },
    );
  });
}

test('every registered value is read, padding left out', (t) => {
  const values = [
    '010002 6832',
    '020009 612e6578616d706c65',
    '040003 000000',
    '050002 6964',
    '200014 05 00000001 210007 544c5376312e33 220002 6d65',
    '300004 626c7565',
    'e00001 78',
  ];
  const block = hex(`c0000201 c6336407 dc0401bb ${values.join('')}`);
  const fixed = hex(`${SIGNATURE} 21 11 ${block.length.toString(16).padStart(4, '0')}`);
  const found = decodeProxyHeader(Buffer.concat([fixed, block]));
  t.deepEqual('header' in found ? found.header.values : [], [
    { type: 'alpn', protocol: 'h2' },
    { type: 'authority', name: 'a.example' },
    { type: 'unique-id', bytes: latin1('id') },
    {
      type: 'ssl',
      ssl: {
        isTls: true,
        hasCertificate: false,
        hasSessionCertificate: true,
        verify: 1,
        version: 'TLSv1.3',
        commonName: 'me',
      },
    },
    { type: 'netns', name: 'blue' },
    { type: 'other', code: 0xe0, bytes: latin1('x') },
  ]);
});

test('the receiver keeps the bytes after the header', (t) => {
  const receiver = new ProxyHeaderReceiver();
  t.is(receiver.receive(latin1('PROXY UNK')), undefined);
  t.deepEqual(receiver.receive(latin1('NOWN\r\nhello'))?.rest, latin1('hello'));
  t.like(
    t.throws(() => receiver.receive(latin1('x'))),
    { reason: 'already-finished' },
  );
});
