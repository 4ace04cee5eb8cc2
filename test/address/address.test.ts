import { SocketAddress } from 'node:net';
import test from 'ava';
import fc from 'fast-check';
import {
  type Address,
  formatAddress,
  parseAddress,
  reverseName,
  type Embedded,
  embeddedIPv4,
} from '../../src/address/address.ts';
import { address } from '../helpers/ip-texts.ts';

const parse = (text: string): Address => parseAddress(text)!;

// Every text form that RFC 5952 names, by section, with the form that its section 4 and 5 ask for.
const rfc5952: [section: string, canonical: string, forms: string[]][] = [
  [
    '1',
    '2001:db8::1:0:0:1',
    [
      '2001:db8:0:0:1:0:0:1',
      '2001:0db8:0:0:1:0:0:1',
      '2001:db8::1:0:0:1',
      '2001:db8::0:1:0:0:1',
      '2001:0db8::1:0:0:1',
      '2001:db8:0:0:1::1',
      '2001:db8:0000:0:1::1',
      '2001:DB8:0:0:1::1',
    ],
  ],
  [
    '2.1',
    '2001:db8:aaaa:bbbb:cccc:dddd:eeee:1',
    [
      '2001:db8:aaaa:bbbb:cccc:dddd:eeee:0001',
      '2001:db8:aaaa:bbbb:cccc:dddd:eeee:001',
      '2001:db8:aaaa:bbbb:cccc:dddd:eeee:01',
      '2001:db8:aaaa:bbbb:cccc:dddd:eeee:1',
    ],
  ],
  [
    '2.2',
    '2001:db8:aaaa:bbbb:cccc:dddd:0:1',
    ['2001:db8:aaaa:bbbb:cccc:dddd::1', '2001:db8:aaaa:bbbb:cccc:dddd:0:1'],
  ],
  ['2.2', '2001:db8::1', ['2001:db8:0:0:0::1', '2001:db8:0:0::1', '2001:db8:0::1', '2001:db8::1']],
  ['2.2', '2001:db8::aaaa:0:0:1', ['2001:db8::aaaa:0:0:1', '2001:db8:0:0:aaaa::1']],
  [
    '2.3',
    '2001:db8:aaaa:bbbb:cccc:dddd:eeee:aaaa',
    [
      '2001:db8:aaaa:bbbb:cccc:dddd:eeee:aaaa',
      '2001:db8:aaaa:bbbb:cccc:dddd:eeee:AAAA',
      '2001:db8:aaaa:bbbb:cccc:dddd:eeee:AaAa',
    ],
  ],
  ['4.1', '2001:db8::1', ['2001:0db8::0001']],
  ['4.2.1', '2001:db8::2:1', ['2001:db8:0:0:0:0:2:1', '2001:db8::0:2:1']],
  ['4.2.2', '2001:db8:0:1:1:1:1:1', ['2001:db8::1:1:1:1:1']],
  ['4.2.3', '2001:0:0:1::1', ['2001:0:0:1:0:0:0:1']],
  ['4.2.3', '2001:db8::1:0:0:1', ['2001:db8:0:0:1:0:0:1']],
  ['5', '::ffff:192.0.2.1', ['0:0:0:0:0:ffff:192.0.2.1', '::ffff:c000:201', '::FFFF:192.0.2.1']],
];

for (const [section, canonical, forms] of rfc5952) {
  test(`RFC 5952 section ${section}: ${forms.join(', ')} become ${canonical}`, (t) => {
    for (const form of forms) t.is(formatAddress(parse(form)), canonical);
  });
}

const forms: [string, string][] = [
  ['::', '::'],
  ['0:0:0:0:0:0:0:0', '::'],
  ['1:0:0:0:0:0:0:0', '1::'],
  ['::0:0:1', '::1'],
  ['1:2:3:4:5:6:0:0', '1:2:3:4:5:6::'],
  ['64:ff9b::192.0.2.33', '64:ff9b::192.0.2.33'],
  ['::ffff:0:192.0.2.1', '::ffff:0:192.0.2.1'],
  ['::192.0.2.1', '::c000:201'],
  ['64:ff9b:1::192.0.2.33', '64:ff9b:1::c000:221'],
  ['FE80::1%Eth0', 'fe80::1%Eth0'],
  ['192.0.2.1', '192.0.2.1'],
];

for (const [text, canonical] of forms) {
  test(`formatAddress writes ${text} as ${canonical}`, (t) => {
    t.is(formatAddress(parse(text)), canonical);
  });
}

test('formatAddress and parseAddress are each other’s inverse, and the form is a fixed point', (t) => {
  fc.assert(
    fc.property(address, (text) => {
      const parsed = parse(text);
      const canonical = formatAddress(parsed);
      t.deepEqual(parse(canonical), parsed);
      t.is(formatAddress(parse(canonical)), canonical);
    }),
    { numRuns: 5000 },
  );
});

test('parseAddress reads the same bytes as the system does', (t) => {
  fc.assert(
    fc.property(fc.ipV6(), (text) => {
      const system = new SocketAddress({ address: text, family: 'ipv6' }).address;
      t.deepEqual(parse(text).bytes, parse(system).bytes);
    }),
    { numRuns: 5000 },
  );
});

test('parseAddress gives undefined for what is no address', (t) => {
  t.is(parseAddress('127.1'), undefined);
  t.is(parseAddress('::1/128'), undefined);
});

const embedded: [string, Embedded['kind'], string][] = [
  ['::ffff:192.0.2.1', 'mapped', '192.0.2.1'],
  ['::ffff:0:192.0.2.1', 'translated', '192.0.2.1'],
  ['64:ff9b::192.0.2.33', 'nat64', '192.0.2.33'],
  ['2002:c000:0204::1', '6to4', '192.0.2.4'],
  ['2001:0000:4136:e378:8000:63bf:3fff:fdd2', 'teredo', '192.0.2.45'],
  ['::192.0.2.1', 'compatible', '192.0.2.1'],
];

for (const [text, kind, inner] of embedded) {
  test(`embeddedIPv4 finds the ${kind} address ${inner} in ${text}`, (t) => {
    const found = embeddedIPv4(parse(text));
    t.is(found?.kind, kind);
    t.is(found && formatAddress(found.address), inner);
  });
}

test('embeddedIPv4 finds nothing in ::, ::1, ordinary addresses and IPv4', (t) => {
  for (const text of ['::', '::1', '2001:db8::1', 'fe80::1', '192.0.2.1'])
    t.is(embeddedIPv4(parse(text)), undefined);
});

const names: [string, number | undefined, string | undefined][] = [
  ['192.0.2.1', undefined, '1.2.0.192.in-addr.arpa'],
  // The example of RFC 3596 section 2.5.
  [
    '4321:0:1:2:3:4:567:89ab',
    undefined,
    'b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa',
  ],
  ['10.0.0.0', 8, '10.in-addr.arpa'],
  ['10.0.0.0', 12, undefined],
  ['2001:db8::', 32, '8.b.d.0.1.0.0.2.ip6.arpa'],
  ['2001::', 23, undefined],
  ['0.0.0.0', 0, 'in-addr.arpa'],
];

for (const [text, bits, name] of names) {
  test(`reverseName of ${text}${bits === undefined ? '' : `/${bits}`} is ${name ?? 'none'}`, (t) => {
    t.is(reverseName(parse(text), bits), name);
  });
}
