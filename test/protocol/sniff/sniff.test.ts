import test from 'ava';
import fc from 'fast-check';
import { encodeProxyV1, encodeProxyV2 } from '../../../src/protocol/proxy-protocol/encode.ts';
import { SocksClient } from '../../../src/protocol/socks/client.ts';
import { SNIFF_LIMIT_BYTES, sniffProtocol, type Sniffed } from '../../../src/protocol/sniff.ts';
import { TelnetCodec } from '../../../src/protocol/telnet/telnet-codec.ts';
import { hex, latin1 } from '../../helpers/protocol/hex.ts';

const rows: [what: string, bytes: Buffer, expected: Sniffed][] = [
  ['a TLS hello', hex('16 0301 0200 01'), 'tls'],
  ['a TLS alert', hex('15 0301 0002 01'), 'unknown'],
  ['GET', latin1('GET / HTTP/1.1\r\n'), 'http/1'],
  ['OPTIONS *', latin1('OPTIONS * HTTP/1.1\r\n'), 'http/1'],
  ['CONNECT', latin1('CONNECT [::1]:80 HTTP/1.1\r\n'), 'http/1'],
  ['VERSION-CONTROL', latin1('VERSION-CONTROL /x'), 'http/1'],
  ['PROPFIND, which starts like PROXY', latin1('PROPFIND /'), 'http/1'],
  ['PRIX, which starts like PRI', latin1('PRIX /'), 'http/1'],
  ['an HTTP/2 preface', latin1('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), 'http/2'],
  ['SSH', latin1('SSH-2.0-OpenSSH_9.9\r\n'), 'ssh'],
  ['SOCKS4', new SocksClient({ version: '4', host: '192.0.2.1', port: 80 }).start(), 'socks4'],
  ['SOCKS5', new SocksClient({ version: '5', host: 'a', port: 80 }).start(), 'socks5'],
  ['SOCKS5 with GSSAPI first', hex('05 02 01 02'), 'socks5'],
  ['a 5 without a known method', hex('05 01 07'), 'unknown'],
  ['PROXY version 1', encodeProxyV1({ family: 'unknown' }), 'proxy-v1'],
  [
    'PROXY version 2',
    encodeProxyV2({ command: 'local', ends: { family: 'unknown' }, values: [] }),
    'proxy-v2',
  ],
  ['the SSLRequest of PostgreSQL', hex('00000008 04d2162f'), 'postgres'],
  ['the start-up packet of PostgreSQL', hex('00000029 00030000 75736572'), 'postgres'],
  ['a short packet of zeros', hex('00000004 00000000'), 'unknown'],
  ['Redis', latin1('*1\r\n$4\r\nPING\r\n'), 'redis'],
  ['an asterisk alone', latin1('*x'), 'unknown'],
  ['telnet', new TelnetCodec({ role: 'client', active: true }).start(), 'telnet'],
  ['255 as data', hex('ff ff'), 'unknown'],
  ['a line of text', latin1('hello\r\n'), 'unknown'],
  ['a capital word', latin1('HELO example.com\r\n'), 'unknown'],
  ['a request to a proxy', latin1('GET http://example.com/ HTTP/1.1\r\n'), 'http/1'],
  ['nothing', hex(''), 'need-more'],
];

for (const [what, bytes, expected] of rows) {
  test(`${what} is ${expected}`, (t) => {
    t.is(sniffProtocol(bytes), expected);
  });
}

const early: [what: string, bytes: Buffer][] = [
  ['P', latin1('P')],
  ['PRO', latin1('PRO')],
  ['PRI * HTTP', latin1('PRI * HTTP')],
  ['GE', latin1('GE')],
  ['the first byte of TLS', hex('16')],
  ['half a PROXY signature', hex('0d0a0d0a00')],
  ['half an SSLRequest', hex('0000000804d2')],
];

for (const [what, bytes] of early) {
  test(`${what} is not enough to tell`, (t) => {
    t.is(sniffProtocol(bytes), 'need-more');
  });
}

test('it never changes its mind, and has made it up within its limit', (t) => {
  const start = fc.constantFrom(...rows.map(([, bytes]) => bytes));
  const inputs = fc
    .tuple(start, fc.nat(30), fc.uint8Array({ maxLength: 64 }))
    .map(([bytes, keep, more]) => Buffer.concat([bytes.subarray(0, keep), Buffer.from(more)]));
  const property = fc.property(inputs, (bytes) => {
    let answer: Sniffed = 'need-more';
    for (let length = 0; length <= bytes.length; length += 1) {
      const next = sniffProtocol(bytes.subarray(0, length));
      if (answer !== 'need-more') t.is(next, answer);
      if (length >= SNIFF_LIMIT_BYTES) t.not(next, 'need-more');
      answer = next;
    }
  });
  fc.assert(property, { numRuns: 2000 });
});
