import test from 'ava';
import {
  HEAD_LIMIT_BYTES,
  HEADER_COUNT_LIMIT,
  START_LINE_LIMIT_BYTES,
} from '../../../src/protocol/http-connect/head.ts';
import {
  HttpConnectClient,
  INTERIM_LIMIT,
  type HttpConnectClientOptions,
} from '../../../src/protocol/http-connect/client.ts';
import { latin1 } from '../../helpers/protocol/hex.ts';

const target: HttpConnectClientOptions = { host: 'example.com', port: 443 };
const known: HttpConnectClientOptions = {
  ...target,
  credentials: { user: 'Aladdin', password: 'open sesame' },
};
const BASIC = 'Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==';
const basicChallenge = 'Proxy-Authenticate: Basic realm="WallyWorld"\r\n';
const digestChallenge = 'Proxy-Authenticate: Digest realm="r", nonce="n", qop="auth", algorithm=MD5\r\n';

const first: [what: string, options: HttpConnectClientOptions, lines: string[]][] = [
  ['a name', target, ['CONNECT example.com:443 HTTP/1.1', 'Host: example.com:443']],
  [
    'an IPv6 address',
    { host: '2001:db8::1', port: 22 },
    ['CONNECT [2001:db8::1]:22 HTTP/1.1', 'Host: [2001:db8::1]:22'],
  ],
  [
    'credentials, unasked',
    { ...known, authorization: 'basic-first' },
    ['CONNECT example.com:443 HTTP/1.1', 'Host: example.com:443', BASIC],
  ],
  ['credentials, only when asked', known, ['CONNECT example.com:443 HTTP/1.1', 'Host: example.com:443']],
  [
    'a header',
    { ...target, headers: [['User-Agent', 'tnet']] },
    ['CONNECT example.com:443 HTTP/1.1', 'Host: example.com:443', 'User-Agent: tnet'],
  ],
];

for (const [what, options, lines] of first) {
  test(`the request with ${what} is written byte for byte`, (t) => {
    t.is(new HttpConnectClient(options).start().toString(), `${lines.join('\r\n')}\r\n\r\n`);
  });
}

const done: [what: string, response: string, status: number, rest: string][] = [
  ['a plain 200', 'HTTP/1.1 200 Connection established\r\n\r\n', 200, ''],
  ['a 200 with the stream behind it', 'HTTP/1.1 200 OK\r\nVia: x\r\n\r\n\x16\x03', 200, '\x16\x03'],
  ['a 200 without a phrase', 'HTTP/1.0 200\r\n\r\n', 200, ''],
  ['a 200 with lines that end in LF', 'HTTP/1.1 200 OK\nVia: x\n\nhi', 200, 'hi'],
  ['a 200 with two blanks before it', 'HTTP/1.0  200 OK\r\n\r\nhi', 200, 'hi'],
  ['a 200 with a tab before it', 'HTTP/1.1\t200 OK\r\n\r\n', 200, ''],
  ['a 200 with two blanks behind it', 'HTTP/1.1 200  OK\r\n\r\n', 200, ''],
  ['a 204', 'HTTP/1.1 204 None\r\n\r\n', 204, ''],
  [
    'a 200 with a Content-Length, which means nothing',
    'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi',
    200,
    'hi',
  ],
  [
    'a 200 after 1xx',
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Wait\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\nx',
    200,
    'x',
  ],
];

for (const [what, response, status, rest] of done) {
  test(`${what} opens the tunnel and keeps what follows`, (t) => {
    const step = new HttpConnectClient(target).receive(latin1(response));
    t.is(step.done?.status, status);
    t.deepEqual(step.done?.rest, latin1(rest));
  });
}

const errors: [what: string, response: string, expected: object][] = [
  [
    '403',
    'HTTP/1.1 403 Forbidden\r\n\r\n',
    {
      code: 'TNET_E_PROTOCOL_REFUSED',
      reason: 'http-status',
      status: 403,
      message: 'the proxy answers 403 Forbidden',
    },
  ],
  [
    '502 without a phrase',
    'HTTP/1.1 502\r\n\r\n',
    { code: 'TNET_E_PROTOCOL_REFUSED', status: 502, message: 'the proxy answers 502' },
  ],
  ['301', 'HTTP/1.1 301 Moved\r\nLocation: x\r\n\r\n', { code: 'TNET_E_PROTOCOL_REFUSED', status: 301 }],
  ['101', 'HTTP/1.1 101 Switching\r\n\r\n', { code: 'TNET_E_PROTOCOL_REFUSED', status: 101 }],
  [
    '407 without credentials',
    `HTTP/1.1 407 Auth\r\n${basicChallenge}\r\n`,
    {
      code: 'TNET_E_PROTOCOL_REFUSED',
      reason: 'credentials-needed',
      message: 'the proxy requires a user and a password (basic)',
    },
  ],
  ['an SSH server, at its first byte', 'S', { code: 'TNET_E_PROTOCOL', reason: 'not-http' }],
  ['HTTP/2', 'HTTP/2', { code: 'TNET_E_PROTOCOL', reason: 'not-http' }],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\n', { code: 'TNET_E_PROTOCOL', reason: 'bad-status-line' }],
  [
    'an escape sequence in the status line',
    'HTTP/1.1 403 \x1b[2J\r\n\r\n',
    { code: 'TNET_E_PROTOCOL', reason: 'bad-start-line' },
  ],
  [
    'a header without a colon',
    'HTTP/1.1 200 OK\r\nnothing\r\n\r\n',
    { code: 'TNET_E_PROTOCOL', reason: 'bad-header' },
  ],
  [
    'a blank before the colon',
    'HTTP/1.1 200 OK\r\na : b\r\n\r\n',
    { code: 'TNET_E_PROTOCOL', reason: 'bad-header' },
  ],
  [
    'a folded header',
    'HTTP/1.1 200 OK\r\na: b\r\n c: d\r\n\r\n',
    { code: 'TNET_E_PROTOCOL', reason: 'bad-header' },
  ],
  [
    'an endless first line',
    `HTTP/1.1 200 ${'x'.repeat(START_LINE_LIMIT_BYTES)}`,
    { code: 'TNET_E_PROTOCOL_LIMIT', reason: 'line-too-long' },
  ],
  [
    'an endless head',
    `HTTP/1.1 200 OK\r\na: ${'x'.repeat(HEAD_LIMIT_BYTES)}`,
    { code: 'TNET_E_PROTOCOL_LIMIT', reason: 'head-too-long' },
  ],
  [
    'too many headers',
    `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(HEADER_COUNT_LIMIT + 1)}\r\n`,
    { code: 'TNET_E_PROTOCOL_LIMIT', reason: 'too-many-headers' },
  ],
  [
    'endless 1xx',
    'HTTP/1.1 100 Continue\r\n\r\n'.repeat(INTERIM_LIMIT + 1),
    { code: 'TNET_E_PROTOCOL_LIMIT', reason: 'too-many-interim' },
  ],
];

for (const [what, response, expected] of errors) {
  test(`${what} is an error`, (t) => {
    t.like(
      t.throws(() => new HttpConnectClient(target).receive(latin1(response))),
      { name: 'ProtocolError', ...expected },
    );
  });
}

test('a 407 is answered on the same connection when its length is known', (t) => {
  const client = new HttpConnectClient(known);
  t.deepEqual(
    client.receive(latin1(`HTTP/1.1 407 Auth\r\n${basicChallenge}Content-Length: 4\r\n\r\nbo`)),
    {},
  );
  const { send } = client.receive(latin1('dy'));
  t.is(send?.toString(), `CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n${BASIC}\r\n\r\n`);
  t.is(client.receive(latin1('HTTP/1.1 200 OK\r\n\r\n')).done?.status, 200);
});

const closing: [what: string, headers: string][] = [
  ['that says close', `${basicChallenge}Content-Length: 0\r\nConnection: keep, Close\r\n`],
  ['without a length', basicChallenge],
  ['in chunks', `${basicChallenge}Transfer-Encoding: chunked\r\n`],
  ['with two lengths', `${basicChallenge}Content-Length: 1\r\nContent-Length: 2\r\n`],
  ['with a huge body', `${basicChallenge}Content-Length: 70000\r\n`],
];

for (const [what, headers] of closing) {
  test(`a 407 ${what} is answered on a new connection`, (t) => {
    const client = new HttpConnectClient(known);
    t.deepEqual(client.receive(latin1(`HTTP/1.1 407 Auth\r\n${headers}\r\nxx`)), { reconnect: true });
    t.true(client.start().toString().includes(BASIC));
    t.is(client.receive(latin1('HTTP/1.1 200 OK\r\n\r\n')).done?.status, 200);
  });
}

const empty = 'Content-Length: 0\r\n\r\n';

test('Digest is preferred to Basic, whichever comes first', (t) => {
  const client = new HttpConnectClient({ ...known, createNonce: () => 'c' });
  const { send } = client.receive(latin1(`HTTP/1.1 407 A\r\n${basicChallenge}${digestChallenge}${empty}`));
  t.regex(
    send?.toString() ?? '',
    /^Proxy-Authorization: Digest username="Aladdin", realm="r", uri="example.com:443", /m,
  );
});

test('Digest is tried when Basic was sent unasked and refused', (t) => {
  const client = new HttpConnectClient({ ...known, authorization: 'basic-first' });
  client.start();
  const { send } = client.receive(latin1(`HTTP/1.1 407 A\r\n${digestChallenge}${empty}`));
  t.true(send?.toString().includes('Proxy-Authorization: Digest '));
});

test('a second 407 means wrong credentials', (t) => {
  const client = new HttpConnectClient(known);
  client.start();
  client.receive(latin1(`HTTP/1.1 407 A\r\n${digestChallenge}${empty}`));
  const error = t.throws(() => client.receive(latin1(`HTTP/1.1 407 A\r\n${digestChallenge}${empty}`)));
  t.like(error, { code: 'TNET_E_PROTOCOL_REFUSED', reason: 'bad-credentials', status: 407 });
});

test('a stale nonce is answered with the new one, twice at most', (t) => {
  const client = new HttpConnectClient(known);
  const stale = (nonce: string) =>
    client.receive(
      latin1(`HTTP/1.1 407 A\r\n${digestChallenge.replace('"n"', `"${nonce}", stale=TRUE`)}${empty}`),
    );
  for (const nonce of ['n1', 'n2', 'n3']) t.true(stale(nonce).send?.toString().includes(`nonce="${nonce}"`));
  t.like(
    t.throws(() => stale('n4')),
    { reason: 'bad-credentials' },
  );
});

test('a scheme that is not spoken is named', (t) => {
  const client = new HttpConnectClient(known);
  const challenge = 'Proxy-Authenticate: Negotiate, NTLM\r\n';
  const error = t.throws(() => client.receive(latin1(`HTTP/1.1 407 A\r\n${challenge}${empty}`)));
  t.like(error, {
    reason: 'no-acceptable-scheme',
    message: 'the proxy offers only negotiate, ntlm to authenticate',
  });
});

const bad: [what: string, options: HttpConnectClientOptions, reason: string][] = [
  ['a host with a line break', { host: 'a\r\nX: y', port: 1 }, 'bad-host'],
  ['a host with a slash', { host: 'a/b', port: 1 }, 'bad-host'],
  ['an empty host', { host: '', port: 1 }, 'bad-host'],
  ['port 0', { host: 'a', port: 0 }, 'bad-port'],
  ['a header with a line break', { ...target, headers: [['A', 'b\r\nC: d']] }, 'bad-header'],
  ['a header name with a blank', { ...target, headers: [['A b', 'c']] }, 'bad-header'],
  [
    'a colon in the Basic user',
    { ...target, authorization: 'basic-first', credentials: { user: 'a:b', password: '' } },
    'bad-credentials',
  ],
];

for (const [what, options, reason] of bad) {
  test(`${what} is refused before anything is sent`, (t) => {
    t.like(
      t.throws(() => new HttpConnectClient(options)),
      { code: 'TNET_E_PROTOCOL_INPUT', reason },
    );
  });
}
