import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import bcrypt from 'bcryptjs';
import test from 'ava';
import { verifyHtpasswd } from '../../../src/protocol/http-connect/htpasswd.ts';
import { readUsers } from '../../../src/serve/greeting/users.ts';
import { tempDir } from '../../helpers/temp.ts';

const sha = '{SHA}' + 'W6ph5Mm5Pz8GgiULbPgzG37mj9g='; // password
const apr = '$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/'; // myPassword

/** Which hashes are compared with for a password. */
async function compared(users: Record<string, string>, user: string): Promise<string[]> {
  const seen: string[] = [];
  await verifyHtpasswd(new Map(Object.entries(users)), user, 'x', (_password, hash) => {
    seen.push(hash);
    return false;
  });
  return seen;
}

const [cheap, costly] = [bcrypt.hashSync('one', 4), bcrypt.hashSync('two', 5)];

for (const [who, users, user, hashes] of [
  ['a known user', { costly }, 'costly', [costly]],
  ['an unknown user', { costly }, 'nobody', [costly]],
  ['an unknown user where hashes differ', { sha, cheap, costly, apr }, 'nobody', [costly]],
  ['a user with a hash that is quicker', { sha, costly }, 'sha', [costly]],
  ['a user with a lower cost', { cheap, costly }, 'cheap', [cheap, costly]],
  ['an unknown user without bcrypt', { sha, apr }, 'nobody', []],
] as const) {
  test(`${who} costs a comparison with the costliest hash of the file`, async (t) => {
    t.deepEqual(await compared(users, user), [...hashes]);
  });
}

test('a right password is right, a wrong one and an unknown user are not, whatever the hash', async (t) => {
  const file = join(tempDir(t), 'htpasswd');
  writeFileSync(file, `sha:${sha}\napr:${apr}\ncheap:${cheap}\ncostly:${costly}\n`);
  const users = await readUsers(file);
  const ask = (user: string, password: string) => users.isRight(user, password, '127.0.0.1');
  for (const [user, password] of [
    ['sha', 'password'],
    ['apr', 'myPassword'],
    ['cheap', 'one'],
    ['costly', 'two'],
  ] as const) {
    t.true(await ask(user, password), user);
    // Remembered by now.
    t.true(await ask(user, password), user);
    t.false(await ask(user, `${password}!`), user);
  }
  t.false(await ask('nobody', 'password'));
  t.false(await ask('', ''));
});

test('forty wrong passwords of bcrypt hold neither the event loop nor another client', async (t) => {
  const file = join(tempDir(t), 'htpasswd');
  writeFileSync(file, `user:${bcrypt.hashSync('right', 9)}\n`);
  const users = await readUsers(file);
  let longestMs = 0;
  let last = performance.now();
  const pulse = setInterval(() => {
    const now = performance.now();
    longestMs = Math.max(longestMs, now - last);
    last = now;
  }, 5);
  const order: string[] = [];
  const wrong = Array.from({ length: 40 }, async (_, index) => {
    t.false(await users.isRight('user', `wrong ${index}`, '192.0.2.1'));
    order.push('wrong');
  });
  t.true(await users.isRight('user', 'right', '192.0.2.2'));
  order.push('right');
  await Promise.all(wrong);
  clearInterval(pulse);
  t.true(order.indexOf('right') <= 3, order.slice(0, 8).join(' '));
  t.log(`the longest pause of the event loop: ${Math.round(longestMs)} ms`);
  // On the main thread it would be a hundred at least, each time.
  t.true(longestMs < 1_000);
});
