import test from 'ava';
import { createChooser, pairCertificates } from '../../src/serve/own-certificates.ts';
import { createAuthority } from '../helpers/certificates.ts';

const authority = createAuthority();
test.after.always(() => authority.remove());

const certificates = {
  first: authority.issue('first', 'DNS:first.example').cert.toString(),
  wild: authority.issue('wild', 'DNS:*.w.example').cert.toString(),
  exact: authority.issue('exact', 'DNS:a.w.example,DNS:b.w.example').cert.toString(),
  address: authority.issue('address', 'IP:127.0.0.1').cert.toString(),
  plain: authority.selfSign('plain.example', '').cert.toString(),
};
const choose = createChooser(Object.entries(certificates).map(([value, cert]) => ({ cert, value })));

for (const [name, chosen] of [
  ['first.example', 'first'],
  ['a.w.example', 'exact'],
  ['B.W.EXAMPLE', 'exact'],
  ['c.w.example', 'wild'],
  ['plain.example', 'plain'],
  ['x.c.w.example', undefined],
  ['w.example', undefined],
  ['127.0.0.1', undefined],
  ['', undefined],
] as const) {
  test(`a client that asks for '${name}' gets ${chosen ?? 'the first certificate'}`, (t) => {
    t.is(choose(name), chosen);
  });
}

test('of two certificates for one name, the first is chosen', (t) => {
  const cert = certificates.exact;
  const pick = createChooser([
    { cert, value: 1 },
    { cert, value: 2 },
  ]);
  t.is(pick('a.w.example'), 1);
});

test('certificates and keys are paired in their order, or have no keys of their own', (t) => {
  t.deepEqual(pairCertificates(), []);
  t.deepEqual(pairCertificates(['a', 'b'], ['x', 'y']), [
    { cert: 'a', key: 'x' },
    { cert: 'b', key: 'y' },
  ]);
  t.deepEqual(pairCertificates(['a', 'b']), [
    { cert: 'a', key: undefined },
    { cert: 'b', key: undefined },
  ]);
  for (const [certs, keys] of [
    [[], ['x']],
    [['a', 'b'], ['x']],
    [['a'], ['x', 'y']],
  ] as const)
    t.throws(() => pairCertificates(certs, keys), { code: 'TNET_E_USAGE' });
});
