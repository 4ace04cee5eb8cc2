import { Duplex } from 'node:stream';
import tls from 'node:tls';
import test from 'ava';
import { HELLO_RECORD_LIMIT, peekClientHello, type ClientHello } from '../../../src/protocol/client-hello.ts';
import {
  alpn,
  buildHello,
  cutIntoRecords,
  extension,
  serverName,
  supportedVersions,
} from '../../helpers/protocol/build-hello.ts';
import { hex, latin1 } from '../../helpers/protocol/hex.ts';

/** The first bytes that Node's own TLS client writes. */
async function captureHello(options: tls.ConnectionOptions): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        resolve(chunk);
        done();
      },
    });
    const socket = tls.connect({ ...options, socket: wire });
    socket.on('error', () => undefined);
  });
}

const real: [what: string, options: tls.ConnectionOptions, expected: Partial<ClientHello>][] = [
  [
    'TLS 1.3 with name and protocols',
    { servername: 'a.example', ALPNProtocols: ['h2', 'http/1.1'] },
    { serverName: 'a.example', alpn: ['h2', 'http/1.1'], versions: [0x0304, 0x0303] },
  ],
  [
    'TLS 1.2 only',
    { maxVersion: 'TLSv1.2', servername: 'b.example' },
    { serverName: 'b.example', alpn: [], versions: [0x0303] },
  ],
  ['no name', {}, { serverName: undefined, alpn: [] }],
];

for (const [what, options, expected] of real) {
  test(`a hello of OpenSSL is read: ${what}`, async (t) => {
    const bytes = await captureHello(options);
    const found = peekClientHello(Buffer.concat([bytes, latin1('more')]));
    t.like(found, { type: 'hello', hello: expected });
    for (let cut = 0; cut < bytes.length; cut += 1) {
      t.deepEqual(peekClientHello(bytes.subarray(0, cut)), { type: 'need-more' });
    }
  });
}

const full = buildHello([serverName('a.example'), alpn('h2'), supportedVersions(0x0304, 0x0303)]);
const read = { type: 'hello', hello: { serverName: 'a.example', alpn: ['h2'], versions: [0x0304, 0x0303] } };

for (const recordBytes of [1, 2, 3, 5, 50, 16384]) {
  test(`a hello in records of ${recordBytes} bytes is read`, (t) => {
    t.deepEqual(peekClientHello(cutIntoRecords(full, recordBytes)), read as never);
  });
}

test('a hello without extensions is read', (t) => {
  const found = peekClientHello(cutIntoRecords(buildHello(undefined), 100));
  t.deepEqual(found, { type: 'hello', hello: { serverName: undefined, alpn: [], versions: [0x0303] } });
});

test('a hello without a name or with other kinds of names only has none', (t) => {
  t.like(peekClientHello(cutIntoRecords(buildHello([]), 100)), { hello: { serverName: undefined } });
  const other = extension(0, hex('0004 07 0001 61'));
  t.like(peekClientHello(cutIntoRecords(buildHello([other]), 100)), { hello: { serverName: undefined } });
});

const others: [what: string, bytes: Buffer][] = [
  ['HTTP', latin1('GET / HTTP/1.1\r\n')],
  ['a TLS alert', hex('15 0301 0002 0228')],
  ['a ServerHello', hex('16 0303 0004 02000000')],
  ['a record of version 2.0', hex('16 02')],
  ['a record of version 3.5', hex('16 0305')],
  ['an empty record', hex('16 0301 0000')],
  ['a record over 16 KiB', hex('16 0301 4001')],
  ['an SSLv2 hello', hex('802e 01 0301')],
];

for (const [what, bytes] of others) {
  test(`${what} is not taken for a hello`, (t) => {
    t.deepEqual(peekClientHello(bytes), { type: 'not-tls' });
  });
}

const record = (message: Buffer) => cutIntoRecords(message, 16384);
const broken: [what: string, bytes: Buffer, code: string][] = [
  [
    'a session id longer than the hello',
    record(hex(`01 000024 0303 ${'00'.repeat(32)} 20 00`)),
    'TNET_E_PROTOCOL',
  ],
  ['an empty hello', record(hex('01 000000')), 'TNET_E_PROTOCOL'],
  [
    'bytes after the extensions',
    record(Buffer.concat([hex('01 00002c 0303'), Buffer.alloc(32), hex('00 0002 1301 01 00 0000 ff')])),
    'TNET_E_PROTOCOL',
  ],
  ['the same extension twice', record(buildHello([alpn('a'), alpn('b')])), 'TNET_E_PROTOCOL'],
  ['a name with a blank', record(buildHello([serverName('a b')])), 'TNET_E_PROTOCOL'],
  ['an empty name', record(buildHello([serverName('')])), 'TNET_E_PROTOCOL'],
  ['a name with a NUL', record(buildHello([serverName('a\0b')])), 'TNET_E_PROTOCOL'],
  [
    'an alert in the middle',
    Buffer.concat([cutIntoRecords(full.subarray(0, 10), 10), hex('15 0301 0002 0228')]),
    'TNET_E_PROTOCOL',
  ],
  ['a hello that says it has 16 MiB', record(hex('01 ffffff 0303')), 'TNET_E_PROTOCOL_LIMIT'],
  [
    'a hello in too many records',
    cutIntoRecords(Buffer.concat([hex('01 000fff'), Buffer.alloc(4095)]).subarray(0, HELLO_RECORD_LIMIT), 1),
    'TNET_E_PROTOCOL_LIMIT',
  ],
  [
    'a hello of over 64 KiB',
    record(buildHello([extension(21, Buffer.alloc(65000)), extension(22, Buffer.alloc(500))])),
    'TNET_E_PROTOCOL_LIMIT',
  ],
];

for (const [what, bytes, code] of broken) {
  test(`${what} is an error`, (t) => {
    t.like(
      t.throws(() => peekClientHello(bytes)),
      { name: 'ProtocolError', protocol: 'tls', code },
    );
  });
}
