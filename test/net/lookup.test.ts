import test from 'ava';
import { isLoopbackName } from '../../src/address/host-rules.ts';
import { lookupAll, lookupFirst, withoutRootDot } from '../../src/net/lookup.ts';

for (const name of ['localhost', 'localhost.', 'LocalHost', 'app.localhost', 'a.b.LOCALHOST.']) {
  test(`${name} is loopback, and nobody is asked`, async (t) => {
    t.true(isLoopbackName(name));
    t.deepEqual(
      (await lookupAll(name)).map(({ address }) => address),
      ['127.0.0.1', '::1'],
    );
    t.is((await lookupFirst(name, { family: 6 })).address, '::1');
  });
}

test('other names are not loopback by their name', (t) => {
  for (const name of ['localhost.example', 'mylocalhost', 'localhost..', '127.0.0.1', ''])
    t.false(isLoopbackName(name), name);
});

test('a name of a certificate has no dot at its end', (t) => {
  t.deepEqual(['a.test.', 'a.test', '.'].map(withoutRootDot), ['a.test', 'a.test', '.']);
});
