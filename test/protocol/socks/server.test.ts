import test from 'ava';
import fc from 'fast-check';
import { AHEAD_LIMIT_BYTES, SocksServer, type SocksServerStep } from '../../../src/protocol/socks/server.ts';
import { decodeSocksDatagram, encodeSocksDatagram } from '../../../src/protocol/socks/address.ts';
import {
  encodeSocksReply,
  replyForErrorCode,
  type SocksClientOptions,
} from '../../../src/protocol/socks/messages.ts';
import { SocksClient } from '../../../src/protocol/socks/client.ts';
import { hex, latin1 } from '../../helpers/protocol/hex.ts';

const EMPTY = Buffer.alloc(0);

const requests: [what: string, bytes: string, sent: string, request: object][] = [
  [
    'SOCKS5 CONNECT to a name',
    '050100 050100 03 0161 0050 6869',
    '0500',
    { version: 5, command: 'connect', host: 'a', port: 80, user: undefined, rest: latin1('hi') },
  ],
  [
    'SOCKS5 BIND to IPv4 with both methods offered',
    '05020200 050200 01 c0000201 0015',
    '0500',
    { version: 5, command: 'bind', host: '192.0.2.1', port: 21, user: undefined, rest: EMPTY },
  ],
  [
    'SOCKS5 UDP ASSOCIATE with IPv6',
    '050100 050300 04 00000000000000000000000000000001 0000',
    '0500',
    { version: 5, command: 'udp-associate', host: '::1', port: 0, user: undefined, rest: EMPTY },
  ],
  [
    'SOCKS4 CONNECT',
    '0401 0050 c0000201 66726564 00',
    '',
    { version: 4, command: 'connect', host: '192.0.2.1', port: 80, user: 'fred', rest: EMPTY },
  ],
  [
    'SOCKS4a BIND to a name',
    '0402 0050 00000007 00 6100 68',
    '',
    { version: 4, command: 'bind', host: 'a', port: 80, user: '', rest: latin1('h') },
  ],
];

for (const [what, bytes, sent, request] of requests) {
  test(`${what} is read`, (t) => {
    const step = new SocksServer({ authentication: 'none' }).receive(hex(bytes));
    t.deepEqual(step.send ?? EMPTY, hex(sent));
    t.deepEqual(step.request, request as never);
  });
}

test('a password is given to the caller to check, and what came ahead is read after it', (t) => {
  const server = new SocksServer({ authentication: 'password' });
  const step = server.receive(hex('05020002 01 0175 0170 050100 01 c0000201 0050 78'));
  t.deepEqual(step, { send: hex('0502'), credentials: { user: 'u', password: 'p' } });
  t.deepEqual(server.accept(), {
    send: hex('0100'),
    request: { version: 5, command: 'connect', host: '192.0.2.1', port: 80, user: 'u', rest: latin1('x') },
  });
});

test('a wrong password is answered and ends the handshake', (t) => {
  const server = new SocksServer({ authentication: 'password' });
  server.receive(hex('050102 01 0175 0170'));
  t.deepEqual(server.refuse(), hex('0101'));
  t.like(
    t.throws(() => server.receive(hex('05'))),
    { reason: 'already-finished' },
  );
});

test('a client that sends too much before its password is checked is cut off', (t) => {
  const server = new SocksServer({ authentication: 'password' });
  server.receive(hex('050102 01 0175 0170'));
  server.receive(Buffer.alloc(AHEAD_LIMIT_BYTES));
  t.like(
    t.throws(() => server.receive(hex('00'))),
    { code: 'TNET_E_PROTOCOL_LIMIT' },
  );
});

const errors: [
  what: string,
  authentication: 'none' | 'password',
  bytes: string,
  code: string,
  reply: string,
][] = [
  ['a first byte that is not SOCKS', 'none', '47', 'TNET_E_PROTOCOL', ''],
  ['no fitting method', 'password', '050100', 'TNET_E_PROTOCOL_REFUSED', '05ff'],
  ['no method at all', 'none', '0500', 'TNET_E_PROTOCOL_REFUSED', '05ff'],
  ['SOCKS4 where a password is wanted', 'password', '04', 'TNET_E_PROTOCOL_REFUSED', '005b000000000000'],
  ['a password in version 2', 'password', '050102 02', 'TNET_E_PROTOCOL', '0502 0101'],
  ['an unknown SOCKS5 command', 'none', '050100 0509', 'TNET_E_PROTOCOL', '0500 05070001000000000000'],
  ['an unknown address type', 'none', '050100 05010002', 'TNET_E_PROTOCOL', '0500 05080001000000000000'],
  [
    'a request in version 4 after SOCKS5',
    'none',
    '050100 04',
    'TNET_E_PROTOCOL',
    '0500 05010001000000000000',
  ],
  [
    'a name with a blank',
    'none',
    '050100 05010003 0120 0050',
    'TNET_E_PROTOCOL',
    '0500 05010001000000000000',
  ],
  ['an empty name', 'none', '050100 05010003 00 0050', 'TNET_E_PROTOCOL', '0500 05010001000000000000'],
  ['UDP in SOCKS4', 'none', '0403', 'TNET_E_PROTOCOL', '005b000000000000'],
  [
    'an endless SOCKS4 user',
    'none',
    `0401 0050 c0000201 ${'61'.repeat(256)}`,
    'TNET_E_PROTOCOL_LIMIT',
    '005b000000000000',
  ],
  [
    'an endless SOCKS4a name',
    'none',
    `0401 0050 00000001 00 ${'61'.repeat(256)}`,
    'TNET_E_PROTOCOL_LIMIT',
    '005b000000000000',
  ],
];

for (const [what, authentication, bytes, code, reply] of errors) {
  test(`${what} is an error that carries the answer for the client`, (t) => {
    const server = new SocksServer({ authentication });
    const error = t.throws(() => server.receive(hex(bytes)));
    t.like(error, { name: 'ProtocolError', code });
    t.deepEqual((error as { reply?: Buffer }).reply ?? EMPTY, hex(reply));
  });
}

test('replies are encoded for each version', (t) => {
  const bound = { host: '192.0.2.1', port: 80 };
  t.deepEqual(encodeSocksReply(5, 'granted', bound), hex('050000 01 c0000201 0050'));
  t.deepEqual(
    encodeSocksReply(5, 'granted', { host: '::1', port: 80 }),
    hex(`050000 04 ${'00'.repeat(15)}01 0050`),
  );
  t.deepEqual(encodeSocksReply(5, 'connection-refused'), hex('050500 01 00000000 0000'));
  t.deepEqual(encodeSocksReply(4, 'granted', bound), hex('005a 0050 c0000201'));
  t.deepEqual(encodeSocksReply(4, 'granted', { host: '::1', port: 80 }), hex('005a 0050 00000000'));
  t.deepEqual(encodeSocksReply(4, 'host-unreachable'), hex('005b 0000 00000000'));
});

test('a connect error becomes the reply that explains it', (t) => {
  t.is(replyForErrorCode('ECONNREFUSED'), 'connection-refused');
  t.is(replyForErrorCode('ENOTFOUND'), 'host-unreachable');
  t.is(replyForErrorCode('EWHATEVER'), 'general-failure');
  t.is(replyForErrorCode(undefined), 'general-failure');
});

test('what our client asks is what our server reads, for any host', (t) => {
  const host = fc.oneof(
    fc.ipV4().filter((ip) => !ip.startsWith('0.')),
    fc.domain(),
  );
  const options = fc.record({
    version: fc.constantFrom('4a' as const, '5' as const),
    command: fc.constantFrom('connect' as const, 'bind' as const),
    host,
    port: fc.nat(65535),
  });
  const property = fc.property(options, fc.boolean(), (asked: SocksClientOptions, hasPassword) => {
    const isSecret = hasPassword && asked.version === '5';
    const client = new SocksClient(isSecret ? { ...asked, user: 'u', password: 'p' } : asked);
    const server = new SocksServer({ authentication: isSecret ? 'password' : 'none' });
    let step: SocksServerStep = server.receive(client.start());
    for (let round = 0; round < 4 && !step.request; round += 1) {
      const { send = EMPTY } = client.receive(step.send ?? EMPTY);
      step = server.receive(send);
      if (step.credentials) step = server.accept();
    }
    t.like(step.request, { command: asked.command, host: asked.host, port: asked.port });
  });
  fc.assert(property, { numRuns: 2000 });
});

test('a datagram has the header of RFC 1928 section 7', (t) => {
  const bytes = hex('0000 00 01 c0000201 0035 6869');
  const datagram = { host: '192.0.2.1', port: 53, data: latin1('hi') };
  t.deepEqual(encodeSocksDatagram(datagram), bytes);
  t.deepEqual(decodeSocksDatagram(bytes), datagram);
  t.deepEqual(decodeSocksDatagram(hex('0000 00 03 0161 0035')), { host: 'a', port: 53, data: EMPTY });
});

const badDatagrams: [what: string, bytes: string, reason: string][] = [
  ['a fragment', '0000 01 01 c0000201 0035 6869', 'fragmented'],
  ['a datagram cut in its header', '0000 00 01 c00002', 'cut-short'],
  ['an empty datagram', '', 'cut-short'],
  ['an unknown address type', '0000 00 05 00', 'bad-address-type'],
];

for (const [what, bytes, reason] of badDatagrams) {
  test(`${what} is refused`, (t) => {
    t.like(
      t.throws(() => decodeSocksDatagram(hex(bytes))),
      { code: 'TNET_E_PROTOCOL', reason },
    );
  });
}
