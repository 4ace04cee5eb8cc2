import test from 'ava';
import { createLocalHeader, createProxyHeader, encodeHeader } from '../../src/dial/send-proxy-header.ts';
import type { Socket } from '../../src/net/index.ts';
import { decodeProxyHeader } from '../../src/protocol/proxy-protocol/decode.ts';
import { type ProxyEnds } from '../../src/protocol/proxy-protocol/header.ts';

/** A socket with these addresses, for what only reads them. */
function socketOf(local?: readonly [string, number], remote?: readonly [string, number]): Socket {
  return {
    localAddress: local?.[0],
    localPort: local?.[1],
    remoteAddress: remote?.[0],
    remotePort: remote?.[1],
  } as unknown as Socket;
}

function read(bytes: Buffer) {
  const decoded = decodeProxyHeader(bytes);
  if ('needBytes' in decoded) throw new Error('the header is not whole');
  const { command, ends } = decoded.header;
  return { command, ends };
}

const sockets: readonly (readonly [string, Socket, ProxyEnds])[] = [
  [
    'IPv4',
    socketOf(['192.0.2.1', 1], ['192.0.2.2', 2]),
    { family: 'tcp4', source: { host: '192.0.2.1', port: 1 }, destination: { host: '192.0.2.2', port: 2 } },
  ],
  [
    'IPv4 on a dual-stack socket',
    socketOf(['::ffff:192.0.2.1', 1], ['::ffff:192.0.2.2', 2]),
    { family: 'tcp4', source: { host: '192.0.2.1', port: 1 }, destination: { host: '192.0.2.2', port: 2 } },
  ],
  [
    'IPv6 with a zone',
    socketOf(['fe80::1%eth0', 1], ['fe80::2%eth0', 2]),
    { family: 'tcp6', source: { host: 'fe80::1', port: 1 }, destination: { host: 'fe80::2', port: 2 } },
  ],
  ['a Unix socket', socketOf(), { family: 'unix', source: '', destination: '' }],
];

for (const [what, socket, ends] of sockets) {
  test(`the header of ${what} names the client first, whoever has dialled`, (t) => {
    t.deepEqual(read(encodeHeader(2, socket)), { command: 'proxy', ends });
    const turned =
      ends.family === 'unix' || !('source' in ends)
        ? ends
        : ({ ...ends, source: ends.destination, destination: ends.source } as ProxyEnds);
    t.deepEqual(read(createProxyHeader(2, socket, undefined)), { command: 'proxy', ends: turned });
  });
}

test('version 1 says UNKNOWN of a Unix socket, of a check, and of a client that a LOCAL header came from', (t) => {
  const unknown = 'PROXY UNKNOWN\r\n';
  const local = { version: 2, command: 'local', ends: { family: 'unknown' }, values: [] } as const;
  t.is(encodeHeader(1, socketOf()).toString(), unknown);
  t.is(createLocalHeader(1).toString(), unknown);
  t.is(createProxyHeader(1, socketOf(['192.0.2.1', 1], ['192.0.2.2', 2]), local).toString(), unknown);
  t.is(read(createLocalHeader(2)).command, 'local');
});

test('what was received of a client is handed on, with its values in version 2', (t) => {
  const received = {
    version: 2,
    command: 'proxy',
    ends: sockets[0]![2],
    values: [{ type: 'alpn', protocol: 'h2' }],
  } as const;
  const other = socketOf(['198.51.100.1', 9], ['198.51.100.2', 9]);
  const decoded = decodeProxyHeader(createProxyHeader(2, other, received));
  t.like(decoded, { header: { ends: received.ends, values: received.values } });
  t.deepEqual(read(createProxyHeader(1, other, received)).ends, received.ends);
});

test("a header of version 2 has each type once: what is given, then what the client's header has", (t) => {
  const received = {
    version: 2,
    command: 'proxy',
    ends: { family: 'unknown' },
    values: [
      { type: 'authority', name: 'old' },
      { type: 'alpn', protocol: 'h2' },
    ],
  } as const;
  const client = socketOf(['192.0.2.1', 1], ['192.0.2.2', 2]);
  const valuesOf = (bytes: Buffer) => {
    const decoded = decodeProxyHeader(bytes);
    return 'needBytes' in decoded ? [] : decoded.header.values;
  };
  const given = [{ type: 'authority', name: 'new' }] as const;
  const known = { ...received, ends: { family: 'unix', source: '', destination: '' } } as const;
  t.deepEqual(valuesOf(createProxyHeader(2, client, known, given)), [given[0], received.values[1]]);
  t.is(createProxyHeader(1, client, known, given).toString(), 'PROXY UNKNOWN\r\n');
});
