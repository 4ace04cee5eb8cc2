import test from 'ava';
import fc from 'fast-check';
import { findRoute, type RoutePattern } from '../../../src/serve/greeting/route-match.ts';
import { alpn, buildHello, cutIntoRecords, serverName } from '../../helpers/protocol/build-hello.ts';

/** `sni:a.example` as a pattern. */
function pattern(text: string): RoutePattern {
  const [kind, name] = text.split(':') as [RoutePattern['kind'], string];
  return { kind, name };
}

const helloOf = (name: string, ...protocols: string[]) =>
  cutIntoRecords(buildHello([serverName(name), alpn(...protocols)]), 16384);

const hello = helloOf('Shop.Example', 'h2', 'http/1.1');
const http = Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
const ssh = Buffer.from('SSH-2.0-OpenSSH_9.6\r\n');

const cases: readonly (readonly [
  what: string,
  bytes: Buffer,
  patterns: string,
  found: string | undefined,
])[] = [
  ['the name, in whatever case', hello, 'sni:shop.example', 'sni:shop.example'],
  ['another name', hello, 'sni:example', undefined],
  ['a name one level below', hello, 'sni:*.example', 'sni:*.example'],
  ['a name two levels below', helloOf('a.b.example'), 'sni:*.example', undefined],
  ['the name itself where one below is wanted', helloOf('example'), 'sni:*.example', undefined],
  ['no name', cutIntoRecords(buildHello([]), 16384), 'sni:*.example', undefined],
  ['any of the protocols offered', hello, 'alpn:http/1.1', 'alpn:http/1.1'],
  ['a protocol that is not offered', hello, 'alpn:h3', undefined],
  ['TLS', hello, 'proto:ssh proto:tls', 'proto:tls'],
  ['a version of HTTP', http, 'proto:http', 'proto:http'],
  ['SSH', ssh, 'sni:a proto:http proto:ssh', 'proto:ssh'],
  ['something else', ssh, 'sni:ssh alpn:ssh proto:http', undefined],
  ['the first that fits, of several', hello, 'alpn:h2 sni:shop.example', 'alpn:h2'],
];
for (const [what, bytes, patterns, found] of cases) {
  test(`a route by ${patterns} is ${found ?? 'none'} for a client that shows ${what}`, (t) => {
    const expected = found === undefined ? undefined : pattern(found);
    t.deepEqual(findRoute(patterns.split(' ').map(pattern), bytes), expected);
  });
}

test('nothing is said of a client before it can be told, and what is said is not taken back', (t) => {
  const texts = ['sni:shop.example', 'sni:*.example', 'alpn:h2', 'proto:tls', 'proto:http', 'proto:ssh'];
  fc.assert(
    fc.property(
      fc.subarray(texts, { minLength: 1 }),
      fc.constantFrom(hello, http, ssh),
      fc.nat({ max: hello.length }),
      (some, bytes, cut) => {
        const patterns = some.map(pattern);
        const early = findRoute(patterns, bytes.subarray(0, cut));
        if (early !== 'need-more') t.deepEqual(early, findRoute(patterns, bytes));
      },
    ),
  );
});
