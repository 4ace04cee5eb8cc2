import test from 'ava';
import fc from 'fast-check';
import {
  endToEndFields,
  fieldValues,
  findFraming,
  toPairs,
  withHost,
  withVia,
} from '../../../src/protocol/http-forward/fields.ts';
import { parseHttpTarget } from '../../../src/protocol/http-forward/target.ts';

for (const [text, expected, method = 'GET'] of [
  ['http://a.example', { host: 'a.example', port: 80, authority: 'a.example', path: '/' }],
  ['HTTP://A.Example:8080/x', { host: 'A.Example', port: 8080, authority: 'A.Example:8080', path: '/x' }],
  ['http://a.example:/x', { host: 'a.example', port: 80, authority: 'a.example', path: '/x' }],
  ['http://a.example?q=1', { host: 'a.example', port: 80, authority: 'a.example', path: '/?q=1' }],
  ['http://[2001:DB8::1]/x', { host: '2001:db8::1', port: 80, authority: '[2001:DB8::1]', path: '/x' }],
  ['http://[::1]:81/', { host: '::1', port: 81, authority: '[::1]:81', path: '/' }],
  ['http://a/../%2e%2E//b;c?d', { host: 'a', port: 80, authority: 'a', path: '/../%2e%2E//b;c?d' }],
  ['http://a.example', { host: 'a.example', port: 80, authority: 'a.example', path: '*' }, 'OPTIONS'],
  ['http://a.example/', { host: 'a.example', port: 80, authority: 'a.example', path: '/' }, 'OPTIONS'],
  ['http://a.example/#x', undefined],
  ['http://user@a.example/', undefined],
  ['http://a.example:0/', undefined],
  ['http://a.example:65536/', undefined],
  ['http://[::1/', undefined],
  ['http://::1/', undefined],
  ['http:///x', undefined],
  ['http://a b/', undefined],
  ['https://a.example/', undefined],
  ['/x', undefined],
  ['*', undefined],
  ['a.example:80', undefined],
] as const) {
  test(`${method} ${text} goes ${expected ? `to ${expected.host}, port ${expected.port}, for ${expected.path}` : 'nowhere'}`, (t) => {
    t.deepEqual(parseHttpTarget(text, method), expected);
  });
}

test('fields about the connection are dropped, and those that Connection names, but none that frames the message', (t) => {
  const fields = [
    ...[
      'Host',
      'a',
      'Connection',
      'close, X-A',
      'connection',
      'x-b,Content-Length, host',
      'X-A',
      '1',
      'x-B',
      '2',
    ],
    ...[
      'Keep-Alive',
      '5',
      'TE',
      'trailers',
      'Transfer-Encoding',
      'chunked',
      'Upgrade',
      'h2c',
      'Proxy-Connection',
      'x',
    ],
    ...[
      'Proxy-Authorization',
      'x',
      'Proxy-Authenticate',
      'y',
      'Content-Length',
      '3',
      'Set-Cookie',
      'a',
      'set-cookie',
      'b',
    ],
  ];
  t.deepEqual(endToEndFields(fields), [
    ...['Host', 'a', 'Content-Length', '3', 'Set-Cookie', 'a', 'set-cookie', 'b'],
  ]);
});

test('Via names each proxy in its order, and Host the server', (t) => {
  t.deepEqual(withVia(['X', '1'], '1.1'), ['X', '1', 'Via', '1.1 tnet']);
  t.deepEqual(withVia(['via', '1.0 a', 'X', '1', 'Via', '1.1 b (c)'], '1.0'), [
    ...['X', '1', 'Via', '1.0 a, 1.1 b (c), 1.0 tnet'],
  ]);
  t.deepEqual(withHost(['X', '1', 'host', 'b', 'Host', 'c'], 'a'), ['Host', 'a', 'X', '1']);
});

test('how a message ends is told by its fields', (t) => {
  t.is(findFraming([]), 'none');
  t.is(findFraming(['content-length', '0']), 'length');
  t.is(findFraming(['Transfer-Encoding', ' Chunked ']), 'chunked');
  t.is(findFraming(['Transfer-Encoding', 'gzip, chunked']), 'unknown');
  t.is(findFraming(['Transfer-Encoding', 'gzip', 'Transfer-Encoding', 'chunked']), 'unknown');
});

test('whatever the fields are, those that go on are a part of them, in pairs and in their order', (t) => {
  const name = fc.constantFrom(
    'Connection',
    'X-A',
    'x-a',
    'Via',
    'Host',
    'Transfer-Encoding',
    'Cookie',
    'TE',
  );
  const fields = fc
    .array(fc.tuple(name, fc.string({ maxLength: 8 })), { maxLength: 10 })
    .map((pairs) => pairs.flat());
  fc.assert(
    fc.property(fields, (all) => {
      const kept = endToEndFields(all);
      const pairs = toPairs(all).map((pair) => pair.join('\n'));
      let at = -1;
      const isInOrder = toPairs(kept).every((pair) => (at = pairs.indexOf(pair.join('\n'), at + 1)) >= 0);
      const isClean = ['connection', 'te', 'transfer-encoding'].every(
        (one) => fieldValues(kept, one).length === 0,
      );
      return kept.length % 2 === 0 && isInOrder && isClean;
    }),
  );
  t.pass();
});
