import { isDeepStrictEqual } from 'node:util';
import { decodeProxyHeader, ProxyHeaderReceiver } from '../../../src/protocol/proxy-protocol/decode.ts';
import { encodeProxyV1, encodeProxyV2 } from '../../../src/protocol/proxy-protocol/encode.ts';
import { V2_LIMIT_BYTES, type ProxyHeader } from '../../../src/protocol/proxy-protocol/header.ts';
import { Finding, type CodecTarget } from '../../helpers/protocol/codec-target.ts';
import { latin1 } from '../../helpers/protocol/hex.ts';
import { runHandshake } from '../../helpers/protocol/run-handshake.ts';

const source = { host: '192.0.2.1', port: 56324 };
const destination = { host: '198.51.100.7', port: 443 };
const v6 = { host: '2001:db8::1', port: 65535 };
const ssl = {
  isTls: true,
  hasCertificate: true,
  hasSessionCertificate: false,
  verify: 0,
  version: 'TLSv1.3',
};

const headers: Omit<ProxyHeader, 'version'>[] = [
  { command: 'proxy', ends: { family: 'tcp4', source, destination }, values: [] },
  {
    command: 'proxy',
    ends: { family: 'tcp6', source: v6, destination: v6 },
    values: [
      { type: 'alpn', protocol: 'h2' },
      { type: 'authority', name: 'a.example' },
      { type: 'unique-id', bytes: latin1('id') },
      {
        type: 'ssl',
        ssl: { ...ssl, commonName: 'me', cipher: 'X', signatureAlgorithm: 'SHA256', keyAlgorithm: 'RSA2048' },
      },
      { type: 'netns', name: 'blue' },
      { type: 'other', code: 0xe0, bytes: latin1('x') },
      { type: 'crc32c' },
    ],
  },
  {
    command: 'proxy',
    ends: { family: 'unix', source: '/run/a', destination: '\0abstract' },
    values: [{ type: 'crc32c' }],
  },
  { command: 'local', ends: { family: 'unknown' }, values: [] },
];

const seeds = [
  ...headers.map((header) => Buffer.concat([encodeProxyV2(header), latin1('GET /')])),
  latin1('PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\nGET / HTTP/1.1\r\n'),
  latin1('PROXY UNKNOWN ffff:f...f:ffff whatever\r\nhi'),
  latin1('PROXY UNKNOWN\r\n'),
  encodeProxyV1({ family: 'tcp6', source: v6, destination: v6 }),
  latin1(`PROXY UNKNOWN ${'x'.repeat(120)}\r\n`),
];

/** A header that was read can be written, and reads back as itself. */
function checkRoundTrip(header: ProxyHeader): void {
  if (header.ends.family === 'unknown') return;
  // The checksum is a new one: values of no meaning, such as padding, are not written again.
  const write = (given: ProxyHeader) =>
    given.version === 1 ? encodeProxyV1(given.ends) : encodeProxyV2(given);
  const once = decodeProxyHeader(write(header));
  if (!('header' in once)) throw new Finding('what was written is not whole');
  const twice = decodeProxyHeader(write(once.header));
  if (!isDeepStrictEqual(once, twice)) throw new Finding('does not survive a round trip');
}

export const proxyProtocolTargets: CodecTarget[] = [
  {
    name: 'proxy-protocol',
    seeds,
    run: (chunks) =>
      runHandshake(new ProxyHeaderReceiver(), chunks, V2_LIMIT_BYTES, (found) => {
        if (found) checkRoundTrip(found.header);
        return { notes: found ? [found.header] : [], rest: found?.rest };
      }),
  },
];
