import test from 'ava';
import { Nonces } from '../../../src/serve/greeting/nonces.ts';

const key = Buffer.alloc(32, 1);

test('a nonce is good once for each count, in any order, for five minutes', (t) => {
  let now = 1_700_000_000_000;
  const nonces = new Nonces(key, () => now);
  const nonce = nonces.create();
  t.true(nonces.use(nonce, 2));
  t.true(nonces.use(nonce, 1));
  t.false(nonces.use(nonce, 2));
  now += 5 * 60_000;
  t.true(nonces.use(nonce, 3));
  now += 1;
  t.false(nonces.use(nonce, 4));
  t.false(nonces.use(nonce, 3));
});

test('a nonce of another key, a changed one and a made up one are not taken, and one of the same key is', (t) => {
  const nonces = new Nonces(key);
  t.true(nonces.use(new Nonces(key).create(), 1));
  t.false(nonces.use(new Nonces(Buffer.alloc(32, 2)).create(), 1));
  const nonce = nonces.create();
  const changed = Buffer.from(nonce, 'base64url');
  changed[5]! ^= 1;
  for (const other of [changed.toString('base64url'), '', 'x', `${nonce}=`, ` ${nonce}`, nonce.slice(1)])
    t.false(nonces.use(other, 1), other);
  t.true(nonces.use(nonce, 1));
});

test('when too many nonces are in use, the oldest are too old', (t) => {
  let now = 1_700_000_000_000;
  const nonces = new Nonces(key, () => now);
  const first = nonces.create();
  t.true(nonces.use(first, 1));
  for (let count = 0; count < 10_001; count++) {
    now += 1;
    nonces.use(nonces.create(), 1);
  }
  t.false(nonces.use(first, 1), 'not even with a count that has been forgotten');
  t.false(nonces.use(first, 2));
  t.true(nonces.use(nonces.create(), 1));
});
