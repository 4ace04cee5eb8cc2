import test from 'ava';
import fc from 'fast-check';
import {
  encodeConnectReply,
  statusForErrorCode,
  HttpConnectServer,
} from '../../../src/protocol/http-connect/server.ts';
import { HEAD_LIMIT_BYTES, START_LINE_LIMIT_BYTES } from '../../../src/protocol/http-connect/head.ts';
import { HttpConnectClient } from '../../../src/protocol/http-connect/client.ts';
import { latin1 } from '../../helpers/protocol/hex.ts';

const requests: [what: string, text: string, expected: object, rest: string][] = [
  [
    'a name',
    'CONNECT server.example.com:80 HTTP/1.1\r\nHost: server.example.com:80\r\n\r\n',
    { host: 'server.example.com', port: 80, credentials: undefined },
    '',
  ],
  [
    'an IPv6 address',
    'CONNECT [2001:DB8::1]:22 HTTP/1.1\r\nHost: x\r\n\r\nSSH-',
    { host: '2001:db8::1', port: 22 },
    'SSH-',
  ],
  [
    'HTTP/1.0 without Host, as nc sends it',
    'CONNECT a:65535 HTTP/1.0\r\n\r\n',
    { host: 'a', port: 65535 },
    '',
  ],
  [
    'credentials',
    'CONNECT a:1 HTTP/1.0\r\nProxy-authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n',
    { credentials: { user: 'Aladdin', password: 'open sesame' } },
    '',
  ],
  [
    'another scheme',
    'CONNECT a:1 HTTP/1.0\r\nProxy-Authorization: Bearer x\r\n\r\n',
    { credentials: undefined },
    '',
  ],
  ['a Content-Length of 0', 'CONNECT a:1 HTTP/1.0\r\nContent-Length: 0\r\n\r\nx', { host: 'a' }, 'x'],
];

for (const [what, text, expected, rest] of requests) {
  test(`a request with ${what} is read`, (t) => {
    const request = new HttpConnectServer().receive(latin1(text));
    t.like(request, expected);
    t.deepEqual(request?.rest, latin1(rest));
  });
}

const errors: [what: string, text: string, status: number, reason: string][] = [
  ['GET', 'GET / HTTP/1.1\r\n', 405, 'bad-method'],
  ['a lower-case method', 'connect a:1 HTTP/1.1\r\n', 405, 'bad-method'],
  ['no version', 'CONNECT a:1\r\n', 400, 'bad-request-line'],
  ['two blanks', 'CONNECT  a:1 HTTP/1.1\r\n', 400, 'bad-request-line'],
  ['HTTP/2.0', 'CONNECT a:1 HTTP/2.0\r\n', 505, 'bad-version'],
  ['no port', 'CONNECT a HTTP/1.1\r\n', 400, 'bad-target'],
  ['port 0', 'CONNECT a:0 HTTP/1.1\r\n', 400, 'bad-target'],
  ['port 65536', 'CONNECT a:65536 HTTP/1.1\r\n', 400, 'bad-target'],
  ['a URL as target', 'CONNECT http://a:1/ HTTP/1.1\r\n', 400, 'bad-target'],
  ['a user in the target', 'CONNECT me@a:1 HTTP/1.1\r\n', 400, 'bad-target'],
  ['a name in brackets', 'CONNECT [a]:1 HTTP/1.1\r\n', 400, 'bad-target'],
  ['no Host in HTTP/1.1', 'CONNECT a:1 HTTP/1.1\r\n\r\n', 400, 'bad-host-header'],
  ['two Hosts', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400, 'bad-host-header'],
  ['a body by length', 'CONNECT a:1 HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc', 400, 'has-body'],
  ['a body in chunks', 'CONNECT a:1 HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n', 400, 'has-body'],
  ['a NUL in the line', 'CONNECT a\0:1 HTTP/1.1\r\n', 400, 'bad-start-line'],
  ['a CR in a header', 'CONNECT a:1 HTTP/1.1\r\nHost: a\rb\r\n\r\n', 400, 'bad-header'],
  ['an endless line', 'C'.repeat(START_LINE_LIMIT_BYTES), 414, 'line-too-long'],
  ['a target of 24,000 bytes', `CONNECT ${'x'.repeat(24_000)}:1 HTTP/1.1\r\n`, 414, 'line-too-long'],
  ['an endless head', `CONNECT a:1 HTTP/1.1\r\nx: ${'y'.repeat(HEAD_LIMIT_BYTES)}`, 431, 'head-too-long'],
];

for (const [what, text, status, reason] of errors) {
  test(`a request with ${what} is answered ${status}`, (t) => {
    const error = t.throws(() => new HttpConnectServer().receive(latin1(text)));
    t.like(error, { name: 'ProtocolError', reason, status });
    const { reply } = error as { reply?: Buffer };
    t.true(reply?.toString().startsWith(`HTTP/1.1 ${status} `));
  });
}

test('a long run of blanks in a header takes no time', (t) => {
  const blanks = ' '.repeat(HEAD_LIMIT_BYTES - 100);
  const request = new HttpConnectServer().receive(
    latin1(`CONNECT a:1 HTTP/1.1\r\nHost: ${blanks}a \t\r\n\r\n`),
  );
  t.deepEqual(request?.headers, [{ name: 'host', value: 'a' }]);
});

test('200 has no body', (t) => {
  t.is(encodeConnectReply(200).toString(), 'HTTP/1.1 200 Connection established\r\n\r\n');
});

test('407 asks for Basic and says that the connection closes', (t) => {
  t.is(
    encodeConnectReply(407, 'my "proxy"').toString(),
    'HTTP/1.1 407 Proxy Authentication Required\r\n' +
      'Proxy-Authenticate: Basic realm="my \\"proxy\\"", charset="UTF-8"\r\n' +
      'Content-Type: text/plain\r\nContent-Length: 34\r\nConnection: close\r\n\r\n407 Proxy Authentication Required\n',
  );
  t.throws(() => encodeConnectReply(407, 'a\r\nb'), { code: 'TNET_E_PROTOCOL_INPUT' });
});

test('405 says what is allowed', (t) => {
  t.true(encodeConnectReply(405).toString().includes('\r\nAllow: CONNECT\r\n'));
});

test('a connect error becomes a status', (t) => {
  t.is(statusForErrorCode('ECONNREFUSED'), 502);
  t.is(statusForErrorCode('ETIMEDOUT'), 504);
  t.is(statusForErrorCode('EACCES'), 403);
  t.is(statusForErrorCode(undefined), 502);
});

test('what our client asks is what our server reads, for any host and password', (t) => {
  const host = fc.oneof(
    fc.ipV4(),
    fc.domain(),
    fc.ipV6().filter((ip) => !ip.includes('%')),
  );
  const word = fc.string({ unit: fc.constantFrom('a', 'ü', ' ', '"', '\\', '%', '😀') });
  const property = fc.property(
    host,
    fc.integer({ min: 1, max: 65535 }),
    word,
    word,
    (name, port, user, password) => {
      const client = new HttpConnectClient({
        host: name,
        port,
        credentials: { user, password },
        authorization: 'basic-first',
      });
      const request = new HttpConnectServer().receive(client.start());
      t.is(request?.port, port);
      t.is(request?.host.includes(':'), name.includes(':'));
      if (!name.includes(':')) t.is(request?.host, name);
      t.deepEqual(request?.credentials, { user, password });
    },
  );
  fc.assert(property, { numRuns: 2000 });
});
