import test from 'ava';
import { hideUserInfo } from '../src/errors.ts';

const shown: readonly (readonly [argument: string, shown: string])[] = [
  ['a:80', 'a:80'],
  ['me:secret@a:80', '…@a:80'],
  ['socks5://me:se@cret@a:80', 'socks5://…@a:80'],
  ['HTTP://me@a', 'HTTP://…@a'],
  ['@name', '@name'],
  ['./me@here.sock', './me@here.sock'],
  ['/tmp/me@here.sock', '/tmp/me@here.sock'],
  ['unix:@name', 'unix:@name'],
];
for (const [argument, expected] of shown) {
  test(`an error shows ${argument} as ${expected}`, (t) => t.is(hideUserInfo(argument), expected));
}
