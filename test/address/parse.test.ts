import test from 'ava';
import fc from 'fast-check';
import { formatEndpoint, type Endpoint } from '../../src/address/endpoint.ts';
import { parseEndpoint, parsePort, parseWords } from '../../src/address/parse.ts';
import { TnetError } from '../../src/errors.ts';

const readable: readonly (readonly [text: string, endpoint: Endpoint])[] = [
  ['80', { kind: 'tcp', port: 80 }],
  ['0', { kind: 'tcp', port: 0 }],
  ['65535', { kind: 'tcp', port: 65535 }],
  [':80', { kind: 'tcp', port: 80 }],
  ['http', { kind: 'tcp', port: 80 }],
  ['localhost:80', { kind: 'tcp', host: 'localhost', port: 80 }],
  ['example.org:https', { kind: 'tcp', host: 'example.org', port: 443 }],
  ['127.0.0.1:0', { kind: 'tcp', host: '127.0.0.1', port: 0 }],
  ['[::1]:80', { kind: 'tcp', host: '::1', port: 80 }],
  ['[fe80::1%eth0]:80', { kind: 'tcp', host: 'fe80::1%eth0', port: 80 }],
  ['tcp://host:80', { kind: 'tcp', host: 'host', port: 80 }],
  ['tls://example.org:443', { kind: 'tls', host: 'example.org', port: 443 }],
  ['tls://[::1]:443', { kind: 'tls', host: '::1', port: 443 }],
  ['udp://127.0.0.1:53', { kind: 'udp', host: '127.0.0.1', port: 53 }],
  ['/tmp/a.sock', { kind: 'unix', path: '/tmp/a.sock' }],
  ['./a.sock', { kind: 'unix', path: './a.sock' }],
  ['unix:/tmp/a.sock', { kind: 'unix', path: '/tmp/a.sock' }],
  ['unix:a.sock', { kind: 'unix', path: 'a.sock' }],
  ['/tmp/with:colon', { kind: 'unix', path: '/tmp/with:colon' }],
  ['unix:@name', { kind: 'unix', path: '\0name' }],
  ['fd:3', { kind: 'fd', fd: 3 }],
  ['-', { kind: 'stdio' }],
  ['unix-dgram:/dev/log', { kind: 'unix-dgram', path: '/dev/log' }],
  ['unix-dgram:@a b', { kind: 'unix-dgram', path: '\0a b' }],
  ['unix-seqpacket:x@y', { kind: 'unix-seqpacket', path: 'x@y' }],
  ['ws://h', { kind: 'ws', isSecure: false, host: 'h', port: 80, path: '/' }],
  ['wss://h', { kind: 'ws', isSecure: true, host: 'h', port: 443, path: '/' }],
  ['wss://h:8443/a/b?c=d@e', { kind: 'ws', isSecure: true, host: 'h', port: 8443, path: '/a/b?c=d@e' }],
  ['WS://[::1]:80?q', { kind: 'ws', isSecure: false, host: '::1', port: 80, path: '/?q' }],
  ['ws://[::1]/', { kind: 'ws', isSecure: false, host: '::1', port: 80, path: '/' }],
  ['ws://:8080/x', { kind: 'ws', isSecure: false, port: 8080, path: '/x' }],
  ['ws://8080', { kind: 'ws', isSecure: false, port: 8080, path: '/' }],
  ["exec:grep -v 'a b'", { kind: 'exec', words: ['grep', '-v', 'a b'] }],
  ['exec:ssh me@host', { kind: 'exec', words: ['ssh', 'me@host'] }],
  ['sh:ls | wc -l', { kind: 'exec', words: ['/bin/sh', '-c', 'ls | wc -l'] }],
  ['pty:login', { kind: 'pty', words: ['login'] }],
  ['file:/tmp/a b@c', { kind: 'file', path: '/tmp/a b@c' }],
  ['file:log', { kind: 'file', path: 'log' }],
  ['serial:/dev/ttyUSB0', { kind: 'serial', path: '/dev/ttyUSB0' }],
  ['serial:/dev/ttyUSB0@115200', { kind: 'serial', path: '/dev/ttyUSB0', baud: 115200 }],
  [
    'serial:/dev/serial/by-id/usb@1/x@9600,7e1,xonxoff',
    { kind: 'serial', path: '/dev/serial/by-id/usb@1/x', baud: 9600, framing: '7E1', flow: 'xonxoff' },
  ],
  ['serial:/dev/ttyS0@rtscts', { kind: 'serial', path: '/dev/ttyS0', flow: 'rtscts' }],
  ['vsock:2:1234', { kind: 'vsock', cid: 2, port: 1234 }],
  ['vsock:host:1234', { kind: 'vsock', cid: 2, port: 1234 }],
  ['vsock:any:5000', { kind: 'vsock', port: 5000 }],
  ['vsock:4294967294:4294967294', { kind: 'vsock', cid: 4294967294, port: 4294967294 }],
  // As ports of hosts that are called so.
  ['sh:80', { kind: 'tcp', host: 'sh', port: 80 }],
  ['file:80', { kind: 'tcp', host: 'file', port: 80 }],
];

for (const [text, endpoint] of readable) {
  test(`${text} is read as ${JSON.stringify(endpoint)}`, (t) => {
    t.deepEqual(parseEndpoint(text), endpoint);
  });
}

const unreadable = [
  '',
  ' ',
  '65536',
  '80x',
  '-1',
  '1e3',
  '0x50',
  ':',
  'host:',
  'host:65536',
  'host:80x',
  'nosuchservice',
  '127.0.0.1',
  'example.org',
  '::1:80',
  '::1',
  '[::1]',
  '[::1]80',
  '[127.0.0.1]:80',
  '[]:80',
  '0x7f.1:80',
  '2130706433:80',
  '0177.0.0.1:80',
  '1.2.3:80',
  '256.1.1.1:80',
  'a b:80',
  '-host:80',
  'unix:',
  'unix:@',
  `/${'x'.repeat(107)}`,
  '/tmp/a\0b',
  'fd:',
  'fd:-1',
  'fd:x',
  'http://host:80',
  'tls://host',
  'ws://',
  'ws://user:secret@h/',
  'ws://h/#fragment',
  'ws://h/a b',
  'ws://h:99999/',
  'exec:',
  'exec: ',
  "exec:'open",
  'sh:',
  'pty:',
  'file:',
  'file:a\0b',
  'serial:',
  'serial:@9600',
  'serial:/dev/ttyS0@9600,9N1',
  'serial:/dev/ttyS0@0',
  'vsock:other:1',
  'vsock:2:4294967295',
  'vsock:4294967295:1',
  'vsock:toString:1',
  'unix-dgram:',
  'unix-seqpacket:@',
];

for (const text of unreadable) {
  test(`${JSON.stringify(text.slice(0, 40))} is refused with a sentence`, (t) => {
    const error = t.throws(() => parseEndpoint(text), { instanceOf: TnetError });
    t.is(error.code, 'TNET_E_ADDRESS');
    t.regex(error.message, /^\S.{5,}$/);
  });
}

test('two words are a host and a port', (t) => {
  t.deepEqual(parseWords(['localhost', 'http']), { kind: 'tcp', host: 'localhost', port: 80 });
  t.deepEqual(parseWords(['::1', '80']), { kind: 'tcp', host: '::1', port: 80 });
  t.deepEqual(parseWords(['[::1]', '80']), { kind: 'tcp', host: '::1', port: 80 });
});

test('a path of 107 bytes is the longest that is accepted, counted in bytes and not in characters', (t) => {
  t.is(parseEndpoint(`/${'x'.repeat(106)}`).kind, 'unix');
  t.throws(() => parseEndpoint(`/${'é'.repeat(54)}`), { message: /109 bytes/ });
});

test('any text is either read or refused with TNET_E_ADDRESS', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' })), (text) => {
      try {
        parseEndpoint(text);
      } catch (error) {
        t.true(error instanceof TnetError && error.code === 'TNET_E_ADDRESS');
      }
    }),
    { numRuns: 3000 },
  );
  t.pass();
});

test('every port from 0 to 65535 and no other number is one', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 65535 }), (port) => parsePort(String(port)) === port),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.integer({ min: 65536 }), (port) => {
      t.throws(() => parsePort(String(port)));
    }),
    { numRuns: 200 },
  );
});

test('what formatEndpoint writes, parseEndpoint reads back', (t) => {
  const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());
  const port = fc.integer({ min: 0, max: 65535 });
  const endpoint = fc.oneof(
    fc.record({ kind: fc.constantFrom('tcp' as const, 'tls' as const, 'udp' as const), host, port }),
    fc.record({ kind: fc.constant('fd' as const), fd: fc.integer({ min: 0, max: 999 }) }),
    fc.constant({ kind: 'stdio' as const }),
    fc.stringMatching(/^[a-z0-9]{1,20}$/).map((name) => ({ kind: 'unix' as const, path: `/${name}` })),
    fc.stringMatching(/^[a-z0-9]{1,20}$/).map((name) => ({ kind: 'unix' as const, path: `\0${name}` })),
    fc.record({
      kind: fc.constantFrom('unix-dgram' as const, 'unix-seqpacket' as const),
      path: fc.stringMatching(/^[./][a-z0-9:@/]{0,20}$/),
    }),
    fc.record({
      kind: fc.constant('ws' as const),
      isSecure: fc.boolean(),
      host,
      port,
      path: fc.stringMatching(/^\/[a-z0-9/?=&%@:]{0,20}$/),
    }),
    fc.record({
      kind: fc.constantFrom('exec' as const, 'pty' as const),
      words: fc.array(fc.string(), { minLength: 1, maxLength: 4 }),
    }),
    fc.stringMatching(/^[./a-z@:]+$/).map((path) => ({ kind: 'file' as const, path })),
    fc.record(
      {
        kind: fc.constant('serial' as const),
        path: fc.stringMatching(/^\/[a-z0-9/@:]+\/[a-z]+$/),
        baud: fc.integer({ min: 1, max: 4_000_000 }),
        framing: fc.constantFrom('8N1', '7E2'),
        flow: fc.constantFrom('none' as const, 'rtscts' as const, 'xonxoff' as const),
      },
      { requiredKeys: ['kind', 'path'] },
    ),
    fc.record(
      { kind: fc.constant('vsock' as const), cid: fc.nat(), port: fc.nat() },
      { requiredKeys: ['kind', 'port'] },
    ),
  );
  fc.assert(
    fc.property(endpoint, (given) => {
      t.deepEqual(parseEndpoint(formatEndpoint(given)), given);
    }),
    { numRuns: 1000 },
  );
});

for (const [words, protocol, endpoint] of [
  [['udp://:tftp'], 'tcp', { kind: 'udp', port: 69 }],
  [['127.0.0.1', 'tftp'], 'udp', { kind: 'tcp', host: '127.0.0.1', port: 69 }],
  [['tftp'], 'udp', { kind: 'tcp', port: 69 }],
  [['[::1]:ntp'], 'udp', { kind: 'tcp', host: '::1', port: 123 }],
  [['tcp://:smtp'], 'udp', { kind: 'tcp', port: 25 }],
  [['tls://:https'], 'udp', { kind: 'tls', port: 443 }],
] as const) {
  test(`${words.join(' ')} has the name of a service of its own protocol, where ${protocol} is asked for`, (t) => {
    t.deepEqual(parseWords(words, protocol), endpoint);
  });
}

for (const [word, protocol, says] of [
  ['tftp', 'tcp', /a UDP service: use udp:\/\/ or -u/],
  ['smtp', 'udp', /a TCP service, not a UDP one/],
  ['nosuch', 'udp', /unknown service name/],
] as const) {
  test(`${word} is no port where ${protocol} is asked for, and the message says why`, (t) => {
    t.throws(() => parsePort(word, protocol), { message: says });
    t.throws(() => parseWords([word], protocol), { message: says });
  });
}

for (const password of [
  'hunter',
  'hun/ter',
  'hun@ter',
  'hun:ter',
  'h/u:n@t/er',
  'hun%zz',
  'hun ter',
  "hun'ter",
  '',
]) {
  const read = { parseEndpoint, parseWords: (text: string) => parseWords([text, '80']) };
  for (const [name, parse] of Object.entries(read)) {
    for (const scheme of ['', 'tcp://', 'tls://', 'socks5://']) {
      test(`${name} refuses a user, and shows nothing of ${scheme}ada:${password}@h`, (t) => {
        const error = t.throws(() => parse(`${scheme}ada:${password}@h:80`));
        const shown = `${(error as { subject?: string }).subject ?? ''} ${error.message}`;
        for (const part of ['ada', ...password.split(/[/:@]/)])
          if (part.length > 2) t.false(shown.includes(part), shown);
      });
    }
  }
}

for (const path of ['/tmp/a:b@c', './a:b@c', 'unix:@a:b', 'unix:a:b@c/d']) {
  test(`an @ in the path ${path} is no user`, (t) => {
    t.is(parseEndpoint(path).kind, 'unix');
  });
}
