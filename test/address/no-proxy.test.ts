import test from 'ava';
import fc from 'fast-check';
import { isExempt } from '../../src/address/no-proxy.ts';

const cases: readonly (readonly [noProxy: string, host: string, isExempt: boolean])[] = [
  ['', 'a.example', false],
  ['*', 'a.example', true],
  ['example', 'a.example', true],
  ['.example', 'a.example', true],
  ['*.example', 'a.example', true],
  ['a.example', 'A.Example.', true],
  ['b.example, a.example', 'a.example', true],
  ['b.example a.example.', 'a.example', true],
  ['ample', 'a.example', false],
  ['b.a.example', 'a.example', false],
  ['a.example:80', 'a.example', true],
  ['a.example:443', 'a.example', false],
  ['a.example:x', 'a.example', false],
  ['10.0.0.0/8', '10.1.2.3', true],
  ['10.0.0.0/8', '11.1.2.3', false],
  ['10.0.0.0/8', '::ffff:10.1.2.3', true],
  ['10.0.0.0/8:80', '10.1.2.3', true],
  ['10.1.2.3', '10.1.2.3', true],
  ['2.3', '10.1.2.3', false],
  ['::1', '0:0:0:0:0:0:0:1', true],
  ['[::1]:80', '::1', true],
  ['[::1]:81', '::1', false],
  ['fc00::/7', 'fd12::1', true],
  ['.', 'a.example', false],
  [',,', 'a.example', false],
];
for (const [noProxy, host, expected] of cases) {
  test(`NO_PROXY=${noProxy} exempts ${host}: ${expected}`, (t) => {
    t.is(isExempt({ host, port: 80 }, noProxy), expected);
  });
}

test('any NO_PROXY is read, and one with * exempts every host', (t) => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.nat(65535), (noProxy, host, port) => {
      isExempt({ host, port }, noProxy);
      return isExempt({ host, port }, `${noProxy} *`);
    }),
  );
  t.pass();
});
