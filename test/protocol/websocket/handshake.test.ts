import test from 'ava';
import {
  parseHeaderField,
  checkHeader,
  parseOrigin,
  parseProtocols,
} from '../../../src/address/header-field.ts';
import { HEAD_LIMIT_BYTES, START_LINE_LIMIT_BYTES } from '../../../src/protocol/http-connect/head.ts';
import { WebSocketClientHandshake } from '../../../src/protocol/websocket/client.ts';
import {
  encodeUpgrade,
  WebSocketServerHandshake,
  type WebSocketRules,
} from '../../../src/protocol/websocket/server.ts';
import { latin1 } from '../../helpers/protocol/hex.ts';

/** Of RFC 6455, 1.3. */
const key = 'dGhlIHNhbXBsZSBub25jZQ==';
const accept = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

const fields = [
  'Host: a:8080',
  'Upgrade: websocket',
  'Connection: Upgrade',
  `Sec-WebSocket-Key: ${key}`,
  'Sec-WebSocket-Version: 13',
];

function request({ line = 'GET / HTTP/1.1', without = '', more = [] as readonly string[] } = {}): Buffer {
  const kept = fields.filter((field) => without === '' || !field.startsWith(without));
  return latin1(`${[line, ...kept, ...more].join('\r\n')}\r\n\r\n`);
}

const refusals: [
  what: string,
  bytes: Buffer,
  status: number,
  reason: string,
  rules?: Partial<WebSocketRules>,
][] = [
  ['another path', request({ line: 'GET /other HTTP/1.1' }), 404, 'bad-path'],
  ['a longer path', request({ line: 'GET /chat/x HTTP/1.1' }), 404, 'bad-path', { path: '/chat' }],
  ['another query', request({ line: 'GET /chat?b HTTP/1.1' }), 404, 'bad-path', { path: '/chat?a' }],
  ['POST', request({ line: 'POST / HTTP/1.1' }), 405, 'bad-method'],
  ['plain HTTP', request({ without: 'Upgrade' }), 426, 'no-upgrade'],
  ['no Connection: Upgrade', request({ without: 'Connection' }), 426, 'no-upgrade'],
  ['HTTP/1.0', request({ line: 'GET / HTTP/1.0' }), 426, 'no-upgrade'],
  ['HTTP/2.0', latin1('GET / HTTP/2.0\r\n\r\n'), 505, 'bad-version'],
  ['no version', request({ without: 'Sec-WebSocket-Version' }), 426, 'bad-websocket-version'],
  [
    'version 8',
    request({ without: 'Sec-WebSocket-Version', more: ['Sec-WebSocket-Version: 8'] }),
    426,
    'bad-websocket-version',
  ],
  ['no key', request({ without: 'Sec-WebSocket-Key' }), 400, 'bad-key'],
  ['two keys', request({ more: [`Sec-WebSocket-Key: ${key}`] }), 400, 'bad-key'],
  [
    'a key of 15 bytes',
    request({ without: 'Sec-WebSocket-Key', more: ['Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA'] }),
    400,
    'bad-key',
  ],
  ['no Host', request({ without: 'Host' }), 400, 'bad-host-header'],
  ['two Hosts', request({ more: ['Host: b'] }), 400, 'bad-host-header'],
  ['a body', request({ more: ['Content-Length: 3'] }), 400, 'has-body'],
  ['a body in chunks', request({ more: ['Transfer-Encoding: chunked'] }), 400, 'has-body'],
  ['any origin', request({ more: ['Origin: http://a:8080'] }), 403, 'bad-origin'],
  ['the origin null', request({ more: ['Origin: null'] }), 403, 'bad-origin', { origins: ['https://a'] }],
  [
    'another origin',
    request({ more: ['Origin: https://a.evil.example'] }),
    403,
    'bad-origin',
    { origins: ['https://a'] },
  ],
  [
    'two origins',
    request({ more: ['Origin: https://a', 'Origin: https://b'] }),
    403,
    'bad-origin',
    { origins: ['*'] },
  ],
  ['no sub-protocol', request(), 400, 'bad-protocol', { protocols: ['chat'] }],
  [
    'another sub-protocol',
    request({ more: ['Sec-WebSocket-Protocol: Chat, mqtt'] }),
    400,
    'bad-protocol',
    { protocols: ['chat'] },
  ],
  ['a line that is none', latin1('hello\r\n\r\n'), 400, 'bad-request-line'],
  ['an endless line', latin1('G'.repeat(START_LINE_LIMIT_BYTES)), 414, 'line-too-long'],
  ['an endless head', request({ more: [`X: ${'y'.repeat(HEAD_LIMIT_BYTES)}`] }), 431, 'head-too-long'],
  ['a folded field', request({ more: ['X: a', ' b'] }), 400, 'bad-header'],
];

for (const [what, bytes, status, reason, rules] of refusals) {
  test(`a request with ${what} is answered ${status}`, (t) => {
    const error = t.throws(() => new WebSocketServerHandshake({ path: '/', ...rules }).receive(bytes));
    t.like(error, { name: 'ProtocolError', reason, status });
    const reply = (error as { reply?: Buffer }).reply?.toString() ?? '';
    t.true(reply.startsWith(`HTTP/1.1 ${status} `));
    t.regex(reply, /\r\nConnection: (?:Upgrade, )?close\r\n/);
  });
}

test('426 says which protocol and version would be taken, and 405 which method', (t) => {
  const replyTo = (bytes: Buffer) => {
    const error = t.throws(() => new WebSocketServerHandshake({ path: '/' }).receive(bytes));
    return (error as { reply?: Buffer }).reply?.toString() ?? '';
  };
  t.regex(
    replyTo(request({ without: 'Upgrade' })),
    /\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n/,
  );
  t.regex(replyTo(request({ line: 'PUT / HTTP/1.1' })), /\r\nAllow: GET\r\n/);
});

const accepted: [what: string, bytes: Buffer, rules: Partial<WebSocketRules>, expected: object][] = [
  ['nothing more', request(), {}, { protocol: undefined, credentials: undefined, extensions: '' }],
  ['any query', request({ line: 'GET /chat?token=x HTTP/1.1' }), { path: '/chat' }, {}],
  ['the query of the address', request({ line: 'GET /chat?a HTTP/1.1' }), { path: '/chat?a' }, {}],
  ['an absolute URI', request({ line: 'GET http://a:8080/chat HTTP/1.1' }), { path: '/chat' }, {}],
  ['an absolute URI without a path', request({ line: 'GET http://a HTTP/1.1' }), {}, {}],
  ['an origin that is allowed', request({ more: ['Origin: HTTPS://A'] }), { origins: ['https://a/'] }, {}],
  ['an origin where all are', request({ more: ['Origin: null'] }), { origins: ['*'] }, {}],
  ['no origin, where some are allowed', request(), { origins: ['https://a'] }, {}],
  [
    "the server's favourite of two sub-protocols",
    request({ more: ['Sec-WebSocket-Protocol: a', 'Sec-WebSocket-Protocol: c , b'] }),
    { protocols: ['b', 'a'] },
    { protocol: 'b' },
  ],
  [
    'a sub-protocol where none is asked for',
    request({ more: ['Sec-WebSocket-Protocol: a'] }),
    {},
    { protocol: undefined },
  ],
  [
    'credentials',
    request({ more: ['Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=='] }),
    {},
    { credentials: { user: 'Aladdin', password: 'open sesame' } },
  ],
  [
    'several fields of extensions',
    request({ more: ['Sec-WebSocket-Extensions: a; x=1', 'Sec-WebSocket-Extensions: b'] }),
    {},
    { extensions: 'a; x=1, b' },
  ],
];

for (const [what, bytes, rules, expected] of accepted) {
  test(`a request with ${what} is taken`, (t) => {
    const handshake = new WebSocketServerHandshake({ path: '/', ...rules });
    const found = handshake.receive(Buffer.concat([bytes, latin1('frames')]));
    t.like(found, { key, ...expected });
    t.deepEqual(found?.rest, latin1('frames'));
  });
}

test("the server's answer is that of the RFC's example", (t) => {
  const upgrade = { key, protocol: 'chat', extensions: '', credentials: undefined, rest: Buffer.alloc(0) };
  t.is(
    encodeUpgrade(upgrade, '').toString(),
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: chat\r\n\r\n`,
  );
});

function createClient(): WebSocketClientHandshake {
  return new WebSocketClientHandshake({
    authority: 'server.example.com',
    path: '/chat?x=1',
    protocols: ['chat', 'superchat'],
    extensions: 'a; b',
    headers: [['Origin', 'http://example.com']],
    createKey: () => key,
  });
}

test('a client asks for what it was told to', (t) => {
  t.is(
    createClient().start().toString(),
    `GET /chat?x=1 HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Extensions: a; b\r\nOrigin: http://example.com\r\n\r\n`,
  );
});

test('each client has a key of its own, of 16 bytes', (t) => {
  const keys = [1, 2].map(() => {
    const text = new WebSocketClientHandshake({ authority: 'a', path: '/' }).start().toString();
    return /Sec-WebSocket-Key: (.*)\r\n/.exec(text)?.[1] ?? '';
  });
  t.not(keys[0], keys[1]);
  for (const one of keys) t.is(Buffer.from(one, 'base64').length, 16);
});

function answer(fieldsOf: readonly string[], line = 'HTTP/1.1 101 Switching Protocols'): Buffer {
  return latin1(`${[line, ...fieldsOf].join('\r\n')}\r\n\r\n`);
}

const good = ['Upgrade: WebSocket', 'Connection: keep-alive, upgrade', `Sec-WebSocket-Accept: ${accept}`];

test('an answer is read after interim ones, with the frames that follow', (t) => {
  const bytes = Buffer.concat([
    answer(['Link: <x>'], 'HTTP/1.1 103 Early Hints'),
    answer([...good, 'Sec-WebSocket-Protocol: superchat', 'Sec-WebSocket-Extensions: a']),
    latin1('frames'),
  ]);
  const found = createClient().receive(bytes);
  t.deepEqual(found, { protocol: 'superchat', extensions: 'a', rest: latin1('frames') });
});

const wrong: [what: string, bytes: Buffer, reason: string, message: RegExp][] = [
  ['404', answer([], 'HTTP/1.1 404 Not Found'), 'http-status', /^the server answers 404 Not Found$/],
  ['401', answer([], 'HTTP/1.1 401 Unauthorized'), 'http-status', /--ws-password-file$/],
  ['200', answer([], 'HTTP/1.1 200 OK'), 'http-status', /^the server answers 200 OK$/],
  ['a redirect', answer(['Location: /b'], 'HTTP/1.1 301 Moved'), 'http-status', /may be at "\/b"$/],
  ['no HTTP', latin1('SSH-2.0-x\r\n'), 'not-http', /HTTP\/1$/],
  ['another protocol', answer(['Upgrade: h2c', ...good.slice(1)]), 'bad-upgrade', /another protocol/],
  ['no Connection', answer([good[0]!, good[2]!]), 'bad-upgrade', /another protocol/],
  ['no accept', answer(good.slice(0, 2)), 'bad-upgrade', /Sec-WebSocket-Accept/],
  [
    'the accept of another key',
    answer([...good.slice(0, 2), 'Sec-WebSocket-Accept: x']),
    'bad-upgrade',
    /Accept/,
  ],
  [
    'a foreign sub-protocol',
    answer([...good, 'Sec-WebSocket-Protocol: mqtt']),
    'bad-upgrade',
    /sub-protocol/,
  ],
  [
    'two sub-protocols',
    answer([...good, 'Sec-WebSocket-Protocol: chat', 'Sec-WebSocket-Protocol: superchat']),
    'bad-upgrade',
    /sub-protocol/,
  ],
  [
    'interim answers without end',
    Buffer.concat(Array.from({ length: 17 }, () => answer([], 'HTTP/1.1 102 Processing'))),
    'too-many-interim',
    /more than 16/,
  ],
];

for (const [what, bytes, reason, message] of wrong) {
  test(`a client refuses an answer with ${what}`, (t) => {
    const error = t.throws(() => createClient().receive(bytes));
    t.like(error, { name: 'ProtocolError', reason });
    t.regex(error.message, message);
  });
}

test('a header field is one line of ASCII and does not meddle with the handshake', (t) => {
  t.deepEqual(parseHeaderField('X-Name:  a: b '), ['X-Name', 'a: b']);
  t.deepEqual(parseHeaderField('X:'), ['X', '']);
  for (const line of [
    '',
    'X',
    ': x',
    'X Y: z',
    'X: a\r\nY: b',
    'X: a\nb',
    'X: \0',
    'X: ü',
    'Host: b',
    'upgrade: h2c',
  ])
    t.throws(() => parseHeaderField(line), { code: 'TNET_E_USAGE' }, line);
});

test('a secret is not taken from the command line', (t) => {
  for (const line of ['Authorization: Bearer x', 'cookie: a=b', 'Proxy-Authorization: Basic eA=='])
    t.throws(() => checkHeader(line), { message: /is a secret/ }, line);
  t.is(checkHeader('X-Name: value'), 'X-Name: value');
  t.is(checkHeader('@/run/secret'), '@/run/secret');
});

test('sub-protocols and origins are checked as they are read', (t) => {
  t.deepEqual(parseProtocols('chat, superchat'), ['chat', 'superchat']);
  for (const text of ['', 'a,,b', 'a b', 'a,a', 'ü']) t.throws(() => parseProtocols(text), undefined, text);
  for (const text of ['*', 'null', 'https://example.com', 'http://[::1]:8080']) t.is(parseOrigin(text), text);
  for (const text of ['example.com', 'https://a/path', 'https://a b', 'https://a\r\nX: y'])
    t.throws(() => parseOrigin(text), undefined, text);
});
