import { BlockList } from 'node:net';
import test from 'ava';
import fc from 'fast-check';
import { classifyAddress, registryDate, registryRows } from '../../src/address/class.ts';
import { type Address, formatAddress, parseAddress } from '../../src/address/address.ts';
import { parseBlock, parsePrefix, wholeAddress } from '../../src/address/prefix.ts';

const parse = (text: string): Address => parseAddress(text)!;

function holds(block: string, inner: string): boolean {
  return parseBlock(block).covers((wholeAddress(inner) ?? parsePrefix(inner))!);
}

function classOf(text: string): string {
  const prefix = wholeAddress(text) ?? parsePrefix(text);
  const found = prefix && classifyAddress(prefix);
  return found ? `${found.name} ${found.block} ${String(found.globallyReachable)}` : 'mixed';
}

const membership: [string, string, boolean][] = [
  ['10.0.0.0/8', '10.255.255.255', true],
  ['10.0.0.0/8', '11.0.0.0', false],
  ['10.1.2.3/8', '10.9.9.9', true],
  ['10.0.0.0/8', '::ffff:10.0.0.1', true],
  ['10.0.0.0/8', '10.1.0.0/16', true],
  ['10.1.0.0/16', '10.0.0.0/8', false],
  ['10.0.0.0/8', '::ffff:10.0.0.0/104', true],
  ['10.0.0.0/8', '::ffff:10.0.0.0/100', false],
  ['0.0.0.0/0', '255.255.255.255', true],
  ['0.0.0.0/0', '2001:db8::1', false],
  ['::/0', '1.2.3.4', false],
  ['::/0', 'fe80::1%eth0', true],
  ['fe80::/10', 'fe80::1%eth0', true],
  ['fe80::/10', 'fec0::1', false],
  ['2001:db8::/127', '2001:db8::1', true],
  ['2001:db8::/127', '2001:db8::2', false],
  ['192.0.2.1', '192.0.2.1', true],
  ['192.0.2.1', '192.0.2.2', false],
  ['2001:DB8::1', '2001:db8:0::1', true],
];

for (const [block, inner, isInside] of membership) {
  test(`${block} ${isInside ? 'holds' : 'does not hold'} ${inner}`, (t) => {
    t.is(holds(block, inner), isInside);
  });
}

function value(text: string): bigint {
  const { bytes } = parse(text);
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

test('a block holds exactly the addresses whose first bits are its own', (t) => {
  const pair = fc.oneof(
    fc.tuple(fc.ipV4(), fc.ipV4(), fc.nat({ max: 32 }), fc.constant(32)),
    fc.tuple(fc.ipV6(), fc.ipV6(), fc.nat({ max: 128 }), fc.constant(128)),
  );
  const flip = fc.nat({ max: 127 });
  fc.assert(
    fc.property(pair, flip, fc.boolean(), ([base, other, bits, width], at, isNear) => {
      const inner = isNear ? near(base, at % width) : other;
      const shift = BigInt(width - bits);
      t.is(holds(`${base}/${bits}`, inner), value(base) >> shift === value(inner) >> shift);
    }),
    { numRuns: 5000 },
  );
});

test('a block holds the addresses that net.BlockList says it holds, mapped ones too', (t) => {
  const address = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.ipV4().map((text) => `::ffff:${text}`),
  );
  fc.assert(
    fc.property(
      address,
      address,
      fc.nat({ max: 128 }),
      fc.nat({ max: 127 }),
      fc.boolean(),
      (base, other, length, at, isNear) => {
        const inner = isNear ? near(base, at % (base.includes(':') ? 128 : 32)) : other;
        const [family, width]: ['ipv4' | 'ipv6', number] = base.includes(':') ? ['ipv6', 128] : ['ipv4', 32];
        const bits = length % (width + 1);
        const list = new BlockList();
        list.addSubnet(base, bits, family);
        // net.BlockList takes an IPv4 address for its mapped form; a block of IPv6 is to hold none.
        const isOther = family === 'ipv6' && !inner.includes(':');
        const expected = !isOther && list.check(inner, inner.includes(':') ? 'ipv6' : 'ipv4');
        t.is(holds(`${base}/${bits}`, inner), expected, `${base}/${bits} ${inner}`);
      },
    ),
    { numRuns: 5000 },
  );
});

/** The address with one bit flipped. */
function near(text: string, bit: number): string {
  const parsed = parse(text);
  const bytes = Uint8Array.from(parsed.bytes);
  bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (128 >> (bit & 7));
  return formatAddress({ ...parsed, bytes });
}

for (const text of [
  '',
  '10',
  '10/8',
  '10.0.0.0/33',
  '::/129',
  '10.0.0.0/08',
  '10.0.0.0/255.0.0.0',
  '10.0.0.0/',
  'fe80::%eth0/64',
  'x',
]) {
  test(`parseBlock refuses ${JSON.stringify(text)} and names it`, (t) => {
    t.like(
      t.throws(() => parseBlock(text)),
      { code: 'TNET_E_ADDRESS', subject: text },
    );
  });
}

const classes: [string, string][] = [
  ['8.8.8.8', 'Global Unicast 0.0.0.0/0 true'],
  ['10.1.2.3', 'Private-Use 10.0.0.0/8 false'],
  ['100.127.255.255', 'Shared Address Space 100.64.0.0/10 false'],
  ['100.128.0.0', 'Global Unicast 0.0.0.0/0 true'],
  ['0.0.0.0', '"This host on this network" 0.0.0.0/32 false'],
  ['192.0.0.1', 'IPv4 Service Continuity Prefix 192.0.0.0/29 false'],
  ['192.0.0.9', 'Port Control Protocol Anycast 192.0.0.9/32 true'],
  ['192.0.0.200', 'IETF Protocol Assignments 192.0.0.0/24 false'],
  ['192.88.99.1', 'Deprecated (6to4 Relay Anycast) 192.88.99.0/24 null'],
  ['255.255.255.255', 'Limited Broadcast 255.255.255.255/32 false'],
  ['239.1.2.3', 'Multicast 224.0.0.0/4 null'],
  ['::1', 'Loopback Address ::1/128 false'],
  ['::ffff:8.8.8.8', 'IPv4-mapped Address ::ffff:0:0/96 false'],
  ['2001::1', 'TEREDO 2001::/32 null'],
  ['2001:1::3', 'DNS-SD Service Registration Protocol Anycast 2001:1::3/128 true'],
  ['2001:1::4', 'IETF Protocol Assignments 2001::/23 false'],
  ['2606:4700::1', 'Global Unicast 2000::/3 true'],
  ['3fff:fff::1', 'Documentation 3fff::/20 false'],
  ['fd00::1', 'Unique-Local fc00::/7 false'],
  ['fe80::1%eth0', 'Link-Local Unicast fe80::/10 false'],
  ['fec0::1', 'Deprecated (previously Site-Local Unicast) fec0::/10 false'],
  ['ff02::1', 'Multicast ff00::/8 null'],
  ['4000::1', 'Reserved by IETF ::/0 false'],
  ['10.1.0.0/16', 'Private-Use 10.0.0.0/8 false'],
  ['192.0.0.0/24', 'IETF Protocol Assignments 192.0.0.0/24 false'],
  ['8.0.0.0/8', 'Global Unicast 0.0.0.0/0 true'],
  ['8.0.0.0/5', 'mixed'],
  ['0.0.0.0/0', 'mixed'],
  ['::/0', 'mixed'],
];

for (const [text, wanted] of classes) {
  test(`the class of ${text} is ${wanted}`, (t) => {
    t.is(classOf(text), wanted);
  });
}

test('every row of the registry is a prefix in canonical form without bits behind it, and its own class', (t) => {
  t.regex(registryDate, /^\d{4}-\d\d-\d\d$/);
  for (const [block, name] of registryRows) {
    const [text = '', bits = ''] = block.split('/');
    const host = value(text) & ((1n << BigInt((text.includes(':') ? 128 : 32) - Number(bits))) - 1n);
    t.is(host, 0n, block);
    // The registry writes these with groups alone, RFC 5952 with a dotted end.
    const isDotted = block === '::ffff:0:0/96' || block === '64:ff9b::/96';
    if (!isDotted) t.is(formatAddress(parse(text)), text);
    if (bits !== '0' && block !== '2000::/3') t.true(classOf(block).startsWith(`${name} ${block}`), block);
  }
});

test('every single address has a class', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => classOf(text) !== 'mixed'),
    { numRuns: 2000 },
  );
  t.pass();
});
