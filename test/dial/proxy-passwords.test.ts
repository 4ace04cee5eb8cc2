import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { addPasswords } from '../../src/dial/proxy-passwords.ts';
import { parseProxy } from '../../src/address/proxy-url.ts';
import { tempDir } from '../helpers/temp.ts';

const hops = (texts: string) => texts.split(' ').map(parseProxy);

const cases: readonly (readonly [proxies: string, file: string, passwords: string])[] = [
  ['me@a', 'one\n', 'one'],
  ['me@a', 'one', 'one'],
  ['me@a http://you@b', 'one\r\ntwo\r\n', 'one two'],
  ['me@a http://you@b', 'same\n', 'same same'],
  ['me@a b http://you@c', 'one\ntwo\n', 'one - two'],
  ['socks4://me@a you@b', 'one\n', '- one'],
];
for (const [proxies, text, passwords] of cases) {
  test(`proxies ${proxies} have of ${JSON.stringify(text)} the passwords ${passwords}`, (t) => {
    const file = join(tempDir(t), 'passwords');
    writeFileSync(file, text);
    t.is(
      addPasswords(hops(proxies), file)
        .map(({ password = '-' }) => password)
        .join(' '),
      passwords,
    );
  });
}

const refused: readonly (readonly [proxies: string, file: string, message: RegExp])[] = [
  ['me@a you@b you@c', 'one\ntwo\n', /has 2 lines, .* each of the 3 users/],
  ['a', 'one\n', /needs a -x that names a user/],
  ['socks4://me@a', 'one\n', /needs a -x that names a user/],
];
for (const [proxies, text, message] of refused) {
  test(`passwords ${JSON.stringify(text)} for the proxies ${proxies} are refused`, (t) => {
    const file = join(tempDir(t), 'passwords');
    writeFileSync(file, text);
    t.throws(() => addPasswords(hops(proxies), file), { code: 'TNET_E_USAGE', message });
  });
}

test('a file of passwords that is not there is named', (t) => {
  const file = join(tempDir(t), 'none');
  const error = t.throws(() => addPasswords(hops('me@a'), file), { code: 'TNET_E_USAGE', message: /ENOENT/ });
  t.is((error as { subject?: string }).subject, file);
});

test('proxies without a user need no password', (t) => {
  t.deepEqual(addPasswords(hops('a http://b')), hops('a http://b'));
});
