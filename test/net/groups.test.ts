import test from 'ava';
import fc from 'fast-check';
import { findInterface, isBroadcast, isGroup, judgeAudience, type Interfaces } from '../../src/net/groups.ts';

const interfaces: Interfaces = {
  lo: [
    { address: '127.0.0.1', family: 'IPv4', cidr: '127.0.0.1/8' },
    { address: '::1', family: 'IPv6', cidr: '::1/128' },
  ],
  eth0: [
    { address: '10.1.2.3', family: 'IPv4', cidr: '10.1.2.3/22' },
    { address: '10.9.9.9', family: 'IPv4', cidr: '10.9.9.9/31' },
    { address: 'fe80::1', family: 'IPv6', cidr: 'fe80::1/64' },
  ],
  tun0: [{ address: 'fd00::7', family: 'IPv6', cidr: 'fd00::7/64' }],
};

for (const [address, is] of [
  ['224.0.0.0', true],
  ['239.255.255.255', true],
  ['223.255.255.255', false],
  ['240.0.0.0', false],
  ['ff02::1', true],
  ['ff02::1%eth0', true],
  ['fe80::1', false],
  ['::ffff:239.1.2.3', true],
  ['localhost', false],
  ['', false],
] as const) {
  test(`${address} is ${is ? '' : 'not '}a multicast group`, (t) => {
    t.is(isGroup(address), is);
  });
}

for (const [address, is] of [
  ['255.255.255.255', true],
  ['10.1.3.255', true],
  ['127.255.255.255', true],
  ['10.1.2.255', false],
  ['10.9.9.9', false],
  ['10.9.9.255', false],
  ['239.1.2.3', false],
  ['fe80::ffff', false],
] as const) {
  test(`${address} is ${is ? '' : 'not '}a broadcast address of this machine`, (t) => {
    t.is(isBroadcast(address, interfaces), is);
  });
}

test('the broadcast address of a network is its last one, whatever the size', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 0, max: 30 }), (number, bits) => {
      const write = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
      const last = (number | (bits === 0 ? -1 : 2 ** (32 - bits) - 1)) >>> 0;
      const address = write(number);
      t.true(
        isBroadcast(write(last), { x: [{ address, family: 'IPv4', cidr: `${address}/${bits}` }] }),
        `${address}/${bits}`,
      );
    }),
  );
});

for (const [written, family, found] of [
  ['eth0', 4, '10.1.2.3'],
  ['eth0', 6, '::%eth0'],
  ['10.9.9.9', 4, '10.9.9.9'],
  ['10.9.9.9', 6, '::%eth0'],
  ['fe80::1', 4, '10.1.2.3'],
  ['fe80::1%eth0', 6, '::%eth0'],
  ['tun0', 6, '::%tun0'],
] as const) {
  test(`${written} is the interface ${found} for IPv${family}`, (t) => {
    t.is(findInterface(written, family, interfaces), found);
  });
}

for (const [written, family, message] of [
  ['eth1', 4, 'no interface eth1 is up; there are lo, eth0, tun0'],
  ['10.1.2.4', 4, 'no interface has the address 10.1.2.4; there are lo, eth0, tun0'],
  ['tun0', 4, 'the interface tun0 has no IPv4 address'],
] as const) {
  test(`${written} is no interface for IPv${family}: ${message}`, (t) => {
    t.throws(() => findInterface(written, family, interfaces), { code: 'TNET_E_ADDRESS', message });
  });
}

test('a broadcast address is for who asks for it, and an interface for who sends to many', (t) => {
  t.is(judgeAudience('239.1.2.3'), 'group');
  t.is(judgeAudience('ff02::1', { interface: 'x' }), 'group');
  t.is(judgeAudience('255.255.255.255', { allowBroadcast: true }), 'everyone');
  t.is(judgeAudience('192.0.2.1'), 'one');
  t.throws(() => judgeAudience('255.255.255.255'), {
    code: 'TNET_E_USAGE',
    message: /give --allow-broadcast$/,
  });
  t.throws(() => judgeAudience('192.0.2.1', { interface: 'x' }), {
    code: 'TNET_E_USAGE',
    message: /^--interface/,
  });
});
