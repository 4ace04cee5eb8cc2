import test from 'ava';
import { explainForeignAddress } from '../src/address/foreign-address.ts';
import { parseOther } from '../src/address/other-kinds.ts';
import { parseEndpoint } from '../src/address/parse.ts';
import { parseProxy } from '../src/address/proxy-url.ts';
import { findService } from '../src/address/service-names.ts';
import { findForeignFlag } from '../commands/options/foreign-flags.ts';
import { TnetError } from '../src/errors.ts';
import { ownValue } from '../src/own-value.ts';

/** The names of what every object has. */
const words = Object.getOwnPropertyNames(Object.prototype);

test('a table has nothing under a word that is a name of what every object has', (t) => {
  for (const word of words) {
    t.is(ownValue({ a: 1 }, word), undefined, word);
    t.is(findService(word), undefined, word);
    t.is(findService(word, 'udp'), undefined, word);
    t.is(explainForeignAddress(`${word}://a`), undefined, word);
    t.is(parseOther(`${word}:/a`), undefined, word);
    t.is(findForeignFlag('connect', word), undefined, word);
    t.throws(() => parseEndpoint(word), { code: 'TNET_E_ADDRESS' }, word);
    t.throws(() => parseProxy(`${word}://a:1`), { instanceOf: TnetError }, word);
  }
  t.is(ownValue({ a: 1 }, 'a'), 1);
});
