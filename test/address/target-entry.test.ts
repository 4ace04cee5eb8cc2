import test from 'ava';
import fc from 'fast-check';
import {
  coversAddress,
  coversName,
  hasPort,
  isOfNear,
  joinPorts,
  parseTargetEntry,
  plainName,
  prepareAddress,
  targetClasses,
} from '../../src/address/target-entry.ts';
import { targetLists } from '../../commands/options/table/target-lists.ts';
import { errorCode } from '../../src/errors.ts';

const addresses: [entry: string, covered: string[], others: string[]][] = [
  ['10.0.0.0/8', ['10.1.2.3', '::ffff:10.1.2.3'], ['11.0.0.1', '::1']],
  ['192.0.2.1', ['192.0.2.1'], ['192.0.2.2']],
  ['2001:db8::/32', ['2001:db8::1'], ['2001:db9::1', '10.0.0.1']],
  ['::ffff:10.0.0.0/104', ['10.1.2.3'], ['11.0.0.1']],
  ['loopback', ['127.0.0.1', '127.9.9.9', '::1', '0.0.0.0', '::', '::ffff:127.0.0.1'], ['10.0.0.1']],
  ['link-local', ['169.254.169.254', 'fe80::1', 'fe80::1%eth0'], ['10.0.0.1']],
  ['private', ['10.0.0.1', '172.16.0.1', '192.168.1.1', '100.64.0.1', 'fd00::1'], ['172.32.0.1', '8.8.8.8']],
  ['private', ['64:ff9b::10.0.0.1', '2002:c0a8:101::'], ['64:ff9b::8.8.8.8']],
  ['PRIVATE', ['10.0.0.1'], []],
  ['multicast', ['224.0.0.1', 'ff02::1', '255.255.255.255'], ['10.0.0.1']],
  ['special', ['10.0.0.1', '127.0.0.1', '192.0.2.1', '240.0.0.1', 'fe80::1'], ['8.8.8.8', '2606:4700::1']],
  ['global', ['8.8.8.8', '2606:4700::1', '64:ff9b::8.8.8.8'], ['10.0.0.1', '64:ff9b::127.0.0.1', '::1']],
];
for (const [text, covered, others] of addresses) {
  test(`${text} is for ${covered.join(' ')}${others.length > 0 ? `, not for ${others.join(' ')}` : ''}`, (t) => {
    const entry = parseTargetEntry(text);
    for (const address of covered) t.true(coversAddress(entry, prepareAddress(address)!, false), address);
    for (const address of others) t.false(coversAddress(entry, prepareAddress(address)!, true), address);
  });
}

test('a denied block holds its addresses within IPv6 ones too, and an allowed one does not', (t) => {
  const address = prepareAddress('64:ff9b::10.0.0.1')!;
  t.true(coversAddress(parseTargetEntry('10.0.0.0/8'), address, true));
  t.false(coversAddress(parseTargetEntry('10.0.0.0/8'), address, false));
});

const names: [entry: string, covered: string[], others: string[]][] = [
  [
    '*.example.com',
    ['a.example.com', 'A.B.Example.COM.'],
    ['example.com', 'badexample.com', 'a.example.com.evil'],
  ],
  ['example.com', ['example.com', 'EXAMPLE.com.', 'ｅｘａｍｐｌｅ.com'], ['a.example.com', 'example.co']],
  ['*.bücher.example', ['a.xn--bcher-kva.example', 'a.BÜCHER.example'], ['bücher.example']],
  ['localhost', ['localhost', 'LOCALHOST.'], ['a.localhost']],
  ['db.', ['db', 'DB.'], ['db.example']],
  ['*.com', ['example.com'], ['com']],
];
for (const [text, covered, others] of names) {
  test(`${text} is for the names ${covered.join(' ')}, not for ${others.join(' ')}`, (t) => {
    const entry = parseTargetEntry(text);
    for (const name of covered) t.true(coversName(entry, plainName(name)), name);
    for (const name of others) t.false(coversName(entry, plainName(name)), name);
    t.false(coversName(entry, undefined), 'a host that has no name');
  });
}

const ports: [entry: string, covered: number[], others: number[]][] = [
  ['10.0.0.0/8', [1, 443, 65535], []],
  ['10.0.0.0/8:443', [443], [80]],
  ['[2001:db8::/32]:443', [443], [80]],
  ['[::1]', [1, 443], []],
  ['private:80,8000-8010,https', [80, 8000, 8005, 8010, 443], [81, 7999, 8011]],
  ['*:25', [25], [26]],
];
for (const [text, covered, others] of ports) {
  test(`${text} is for the ports ${covered.join(' ')}${others.length > 0 ? `, not for ${others.join(' ')}` : ''}`, (t) => {
    const entry = parseTargetEntry(text);
    for (const port of covered) t.true(hasPort(entry, port), String(port));
    for (const port of others) t.false(hasPort(entry, port), String(port));
  });
}

for (const text of [
  ...[
    '',
    ':',
    ':443',
    '10.0.0.0/33',
    '10.0.0.0/8:',
    '10.0.0.0/8:0',
    '10.0.0.0/8:65536',
    'a.example:x',
    '443',
  ],
  ...[
    '127.1',
    '0x7f.1',
    '*.',
    '*a.example',
    'a.*.example',
    'a..example',
    'a b.example',
    'http://a.example',
    '[::1',
  ],
  ...['privat', 'Loopbak:80', 'a.example:90-80', '2001:db8::/32:443', 'fe80::/10%eth0'],
]) {
  test(`an entry of ${JSON.stringify(text)} is refused, and not taken for something else`, (t) => {
    t.is(errorCode(t.throws(() => parseTargetEntry(text), undefined, text)), 'TNET_E_ADDRESS');
  });
}

test('only what is for nothing but loopback or the link opens them', (t) => {
  for (const text of [
    'loopback',
    'link-local:80',
    '127.0.0.0/8',
    '127.0.0.1',
    '::1',
    '169.254.0.0/16',
    'fe80::/10',
  ])
    t.true(isOfNear(parseTargetEntry(text)), text);
  for (const text of [
    '*',
    'special',
    'private',
    '0.0.0.0/0',
    '::/0',
    '126.0.0.0/7',
    'localhost',
    '10.0.0.0/8',
  ])
    t.false(isOfNear(parseTargetEntry(text)), text);
});

test('ports that commas have separated from their entry come together again', (t) => {
  t.deepEqual(joinPorts(['a.example:80', '443', '8000-8010', 'private', '10.0.0.0/8:1', '2']), [
    'a.example:80,443,8000-8010',
    'private',
    '10.0.0.0/8:1,2',
  ]);
  t.deepEqual(joinPorts(['private', '443']), ['private', '443']);
  t.deepEqual(joinPorts(['443']), ['443']);
});

test('the help names every class', (t) => {
  for (const name of targetClasses) t.true(targetLists.allowTarget.help.includes(name), name);
});

test('any text is read as an entry, or refused with the code of an address', (t) => {
  const piece = fc.constantFrom(
    ...['10.0.0.0', '/8', ':', '[', ']', '::1', '*', '.', 'private', 'a', '443', '-', ',', '%', 'é'],
  );
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(piece, { maxLength: 8 }).map((all) => all.join('')),
  );
  fc.assert(
    fc.property(text, (written) => {
      try {
        const entry = parseTargetEntry(written);
        const isSound = ({ from, to }: { from: number; to: number }) =>
          1 <= from && from <= to && to <= 65535;
        return entry.text === written && (entry.ports ?? []).every(isSound);
      } catch (error) {
        return errorCode(error) === 'TNET_E_ADDRESS';
      }
    }),
    { numRuns: 2_000 },
  );
  t.pass();
});

test('a block covers the address that it is written with, and none whose fixed bits differ', (t) => {
  const v4 = fc.tuple(fc.integer({ min: 0, max: 0xffff_ffff }), fc.integer({ min: 1, max: 32 }));
  const dotted = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
  fc.assert(
    fc.property(v4, fc.nat(31), fc.integer({ min: 1, max: 65535 }), ([value, bits], flip, port) => {
      const entry = parseTargetEntry(`${dotted(value)}/${bits}:${port}`);
      const covers = (address: string) => coversAddress(entry, prepareAddress(address)!, false);
      const other = dotted((value ^ (0x8000_0000 >>> (flip % bits))) >>> 0);
      const isCovered = covers(dotted(value)) && covers(`::ffff:${dotted(value)}`);
      return hasPort(entry, port) && isCovered && !covers(other);
    }),
  );
  t.pass();
});
