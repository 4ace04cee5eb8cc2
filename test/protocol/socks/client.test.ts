import test from 'ava';
import { SocksClient } from '../../../src/protocol/socks/client.ts';
import type { SocksClientOptions } from '../../../src/protocol/socks/messages.ts';
import { hex, latin1 } from '../../helpers/protocol/hex.ts';

const name = { host: 'example.com', port: 443 };
const nameBytes = '03 0b 6578616d706c652e636f6d 01bb';

interface Exchange {
  what: string;
  options: SocksClientOptions;
  first: string;
  /** What the proxy says and what we answer, in turn. */
  talk: [proxy: string, answer: string][];
  bound: { host: string; port: number };
  rest?: string;
}

const exchanges: Exchange[] = [
  {
    what: 'SOCKS5 without authentication to a name (RFC 1928)',
    options: { version: '5', ...name },
    first: '05 01 00',
    talk: [
      ['05 00', `05 01 00 ${nameBytes}`],
      ['05 00 00 01 c0000201 1f90', ''],
    ],
    bound: { host: '192.0.2.1', port: 8080 },
  },
  {
    what: 'SOCKS5 with user and password (RFC 1929) to an IPv4 address',
    options: { version: '5', host: '192.0.2.7', port: 22, user: 'me', password: 'pässword' },
    first: '05 02 00 02',
    talk: [
      ['05 02', '01 02 6d65 09 70c3a473 73776f7264'],
      ['01 00', '05 01 00 01 c0000207 0016'],
      ['05 00 00 03 01 61 0001', ''],
    ],
    bound: { host: 'a', port: 1 },
  },
  {
    what: 'SOCKS5 to an IPv6 address, with the stream in the same segment as the reply',
    options: { version: '5', host: '2001:db8::1', port: 22 },
    first: '05 01 00',
    talk: [
      ['05 00', '05 01 00 04 20010db8000000000000000000000001 0016'],
      ['05 00 00 04 20010db8000000000000000000000002 0000 5353482d', ''],
    ],
    bound: { host: '2001:db8::2', port: 0 },
    rest: '5353482d',
  },
  {
    what: 'SOCKS5 UDP ASSOCIATE',
    options: { version: '5', command: 'udp-associate', host: '0.0.0.0', port: 0 },
    first: '05 01 00',
    talk: [
      ['05 00', '05 03 00 01 00000000 0000'],
      ['05 00 00 01 7f000001 0400', ''],
    ],
    bound: { host: '127.0.0.1', port: 1024 },
  },
  {
    what: 'SOCKS4 with a user',
    options: { version: '4', host: '192.0.2.1', port: 80, user: 'fred' },
    first: '04 01 0050 c0000201 66726564 00',
    talk: [['00 5a 0050 42660763', '']],
    bound: { host: '66.102.7.99', port: 80 },
  },
  {
    what: 'SOCKS4a to a name',
    options: { version: '4a', host: 'example.com', port: 80 },
    first: '04 01 0050 00000001 00 6578616d706c652e636f6d 00',
    talk: [['00 5a 0000 00000000 6869', '']],
    bound: { host: '0.0.0.0', port: 0 },
    rest: '6869',
  },
];

for (const { what, options, first, talk, bound, rest = '' } of exchanges) {
  test(`${what} is done byte for byte`, (t) => {
    const client = new SocksClient(options);
    t.deepEqual(client.start(), hex(first));
    let done;
    for (const [proxy, answer] of talk) {
      const step = client.receive(hex(proxy));
      t.deepEqual(step.send ?? hex(''), hex(answer));
      done = step.done;
    }
    t.deepEqual(done?.boundAddress, bound);
    t.deepEqual(done?.rest, hex(rest));
  });
}

test('BIND says where the proxy listens, then who has come', (t) => {
  const client = new SocksClient({ version: '5', command: 'bind', host: '192.0.2.1', port: 80 });
  client.start();
  client.receive(hex('0500'));
  t.deepEqual(client.receive(hex('050000 01 c0000209 0400')), {
    listening: { host: '192.0.2.9', port: 1024 },
  });
  const { done } = client.receive(hex('050000 01 c0000201 1388 78'));
  t.deepEqual(done, { boundAddress: { host: '192.0.2.1', port: 5000 }, rest: latin1('x') });
});

const refusals: [what: string, version: '4' | '5', bytes: string, reason: string, status: number][] = [
  ['SOCKS5 reply 1', '5', '0500 0501', 'general-failure', 1],
  ['SOCKS5 reply 2', '5', '0500 0502', 'not-allowed', 2],
  ['SOCKS5 reply 3', '5', '0500 0503', 'network-unreachable', 3],
  ['SOCKS5 reply 4', '5', '0500 0504', 'host-unreachable', 4],
  ['SOCKS5 reply 5', '5', '0500 0505', 'connection-refused', 5],
  ['SOCKS5 reply 6', '5', '0500 0506', 'ttl-expired', 6],
  ['SOCKS5 reply 7', '5', '0500 0507', 'command-not-supported', 7],
  ['SOCKS5 reply 8', '5', '0500 0508', 'address-type-not-supported', 8],
  ['SOCKS5 reply 99', '5', '0500 0563', 'unknown-reply', 99],
  ['SOCKS5 method 255', '5', '05ff', 'no-acceptable-method', 255],
  ['SOCKS4 reply 91', '4', '005b', 'general-failure', 91],
  ['SOCKS4 reply 92', '4', '005c', 'identd-unreachable', 92],
  ['SOCKS4 reply 93', '4', '005d', 'identd-mismatch', 93],
];

for (const [what, version, bytes, reason, status] of refusals) {
  test(`${what} is a refusal with a sentence, told without waiting for the rest`, (t) => {
    const client = new SocksClient({ version, host: '192.0.2.1', port: 80 });
    const error = t.throws(() => client.receive(hex(bytes)), { code: 'TNET_E_PROTOCOL_REFUSED' });
    t.like(error, { reason, status, protocol: version === '5' ? 'socks5' : 'socks4' });
    t.regex(error.message, /^the .*[^.]$/);
  });
}

test('an empty password is sent as one of no bytes', (t) => {
  for (const password of ['', undefined]) {
    const client = new SocksClient({ version: '5', ...name, user: 'u', password });
    t.deepEqual(client.receive(hex('0502')).send, hex('01017500'));
  }
});

test('a wrong password is a refusal', (t) => {
  const client = new SocksClient({ version: '5', ...name, user: 'u', password: 'p' });
  client.receive(hex('0502'));
  t.like(
    t.throws(() => client.receive(hex('0101'))),
    { code: 'TNET_E_PROTOCOL_REFUSED', reason: 'bad-credentials' },
  );
});

const violations: [what: string, version: '4' | '5', bytes: string, reason: string][] = [
  ['HTTP in answer to SOCKS5', '5', '48545450', 'bad-version'],
  ['HTTP in answer to SOCKS4', '4', '48545450', 'bad-version'],
  ['a method that was not offered', '5', '0501', 'bad-method'],
  ['an unknown address type', '5', '0500 05000002', 'bad-address-type'],
  ['a name with a newline in it', '5', '0500 05000003 02 610a 0000', 'bad-host'],
];

for (const [what, version, bytes, reason] of violations) {
  test(`${what} breaks the protocol, and the codec stays broken`, (t) => {
    const client = new SocksClient({ version, host: '192.0.2.1', port: 80 });
    const error = t.throws(() => client.receive(hex(bytes)), { code: 'TNET_E_PROTOCOL' });
    t.like(error, { reason });
    t.is(
      t.throws(() => client.receive(hex('0500'))),
      error,
    );
    t.is(client.bufferedBytes, 0);
  });
}

const bad: [what: string, options: SocksClientOptions, reason: string][] = [
  ['a name in SOCKS4', { version: '4', ...name }, 'needs-address'],
  ['IPv6 in SOCKS4', { version: '4', host: '::1', port: 1 }, 'no-ipv6'],
  ['IPv6 in SOCKS4a', { version: '4a', host: '::1', port: 1 }, 'no-ipv6'],
  ['0.0.0.5 in SOCKS4', { version: '4', host: '0.0.0.5', port: 1 }, 'bad-host'],
  ['UDP in SOCKS4', { version: '4', command: 'udp-associate', host: '192.0.2.1', port: 1 }, 'no-udp'],
  ['a password in SOCKS4', { version: '4', host: '192.0.2.1', port: 1, password: 'x' }, 'no-password'],
  ['a NUL in the SOCKS4 user', { version: '4', host: '192.0.2.1', port: 1, user: 'a\0' }, 'bad-credentials'],
  ['a name of 256 bytes', { version: '5', host: 'a'.repeat(256), port: 1 }, 'bad-host'],
  ['an empty name', { version: '5', host: '', port: 1 }, 'bad-host'],
  ['a port of 65536', { version: '5', host: 'a', port: 65536 }, 'bad-port'],
  [
    'a user of 256 bytes',
    { version: '5', host: 'a', port: 1, user: 'u'.repeat(256), password: 'p' },
    'bad-credentials',
  ],
  ['an empty user', { version: '5', host: 'a', port: 1, user: '', password: 'p' }, 'bad-credentials'],
];

for (const [what, options, reason] of bad) {
  test(`${what} is refused before anything is sent`, (t) => {
    t.like(
      t.throws(() => new SocksClient(options)),
      { code: 'TNET_E_PROTOCOL_INPUT', reason },
    );
  });
}

test('after the end it takes nothing more', (t) => {
  const client = new SocksClient({ version: '4', host: '192.0.2.1', port: 80 });
  client.receive(hex('005a0000 00000000'));
  t.like(
    t.throws(() => client.receive(hex('00'))),
    { reason: 'already-finished' },
  );
});
