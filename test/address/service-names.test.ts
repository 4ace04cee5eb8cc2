import test from 'ava';
import { findService, nameService, useServiceList } from '../../src/address/service-names.ts';

const list = `# a list in the form of services(5)
mail\t25/tcp\tsmtp letters
letters 26/tcp
web 80/tcp http # the web
smtp 2525/udp
broken
`;

// One list for the whole file: the tests run in its order.
test.serial('without a list the well-known names stand for their ports', (t) => {
  t.is(findService('http'), 80);
  t.is(findService('HTTP'), 80);
  t.is(findService('syslog', 'udp'), 514);
  t.is(findService('mail'), undefined);
  t.is(nameService(25), 'smtp');
});

test.serial('names and aliases of the list go before the well-known ones, each for its own protocol', (t) => {
  useServiceList(() => list);
  t.is(findService('mail'), 25);
  t.is(findService('letters'), 25);
  t.is(findService('smtp', 'udp'), 2525);
  t.is(findService('mail', 'udp'), undefined);
  t.is(findService('broken'), undefined);
  t.is(findService('imap'), 143);
  t.is(nameService(25), 'mail');
  t.is(nameService(80), 'web');
  t.is(nameService(143), 'imap');
  t.is(nameService(65_000), undefined);
});
