import { mkdirSync, symlinkSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { checkLoops } from '../../../../src/handlers/relay/targets/loop-check.ts';
import { OwnAddresses } from '../../../../src/serve/own-addresses.ts';
import { readPair } from '../../../../commands/proxy/pair.ts';
import { LoopWatch } from '../../../../src/handlers/relay/targets/rules.ts';
import { tempDir } from '../../../helpers/temp.ts';

/** `LISTEN TARGET…`, each pair a text. */
function check(pairs: readonly string[], family?: 4 | 6, values: Record<string, unknown> = {}): void {
  const read = pairs.map((text) => {
    const [listen = '', ...targets] = text.split(' ');
    return readPair({ listen, targets, values }, { name: (part) => part });
  });
  checkLoops(read, family);
}

const own = Object.values(networkInterfaces())
  .flat()
  .find((one) => one?.family === 'IPv4' && !one.internal)?.address;

const loops: [what: string, pairs: string[]][] = [
  ['the same address', ['127.0.0.1:9160 127.0.0.1:9160']],
  ['a port alone', ['9160 9160']],
  ['localhost', ['127.0.0.1:9160 localhost:9160']],
  ['a name under localhost', ['127.0.0.1:9160 app.localhost:9160']],
  ['localhost with its dot', ['[::1]:9160 localhost.:9160']],
  ['the mapped form', ['127.0.0.1:9160 [::ffff:127.0.0.1]:9160']],
  ['the mapped form of the listener', ['[::ffff:127.0.0.1]:9160 127.0.0.1:9160']],
  ['every IPv4 address, by loopback', ['0.0.0.0:9160 127.0.0.5:9160']],
  ['every address, by IPv4', ['[::]:9160 127.0.0.1:9160']],
  ['every address, by IPv6', ['[::]:9160 [::1]:9160']],
  ['every address as target', ['127.0.0.1:9160 0.0.0.0:9160']],
  ['every IPv6 address as target', ['[::1]:9160 [::]:9160']],
  ['another spelling of an IPv6 address', ['[::1]:9160 [0:0:0:0:0:0:0:1]:9160']],
  ['UDP', ['udp://127.0.0.1:9160 udp://localhost:9160']],
  ['TLS out to itself', ['127.0.0.1:9160 tls://127.0.0.1:9160']],
  ['one of several targets', ['127.0.0.1:9160 127.0.0.1:1 127.0.0.1:9160']],
  ['an abstract name', ['unix:@tnet-loop unix:@tnet-loop']],
  ['a ring of two', ['127.0.0.1:9160 127.0.0.1:9161', '127.0.0.1:9161 127.0.0.1:9160']],
  ['a ring of three', ['9160 9161', '9161 9162', '9162 9160']],
  ['a ring behind a chain', ['127.0.0.1:9159 9160', '9160 9161', '9161 9160']],
  ...(own === undefined
    ? []
    : ([['an address of this machine', [`0.0.0.0:9160 ${own}:9160`]]] as [string, string[]][])),
];

for (const [what, pairs] of loops) {
  test(`a relay to itself is refused: ${what}`, (t) => {
    t.throws(() => check(pairs), { code: 'TNET_E_LOOP' });
  });
}

const sound: [what: string, pairs: string[], family?: 4 | 6][] = [
  ['another port', ['127.0.0.1:9160 127.0.0.1:9161']],
  ['another loopback address', ['127.0.0.1:9160 127.0.0.2:9160']],
  ['from IPv6 to IPv4', ['[::1]:9160 127.0.0.1:9160']],
  ['every IPv6 address alone, to IPv4', ['[::]:9160 127.0.0.1:9160'], 6],
  ['every IPv4 address, to IPv6', ['0.0.0.0:9160 [::1]:9160']],
  ['from UDP to TCP of the same port', ['udp://127.0.0.1:9160 127.0.0.1:9160']],
  ['the same port of another machine', ['0.0.0.0:9160 192.0.2.1:9160']],
  ['a name that must be looked up', ['0.0.0.0:9160 db.example:9160']],
  ['a chain', ['9160 9161', '9161 9162']],
  ['two ways to one target', ['9160 9162', '9161 9162']],
  ['any free port', ['127.0.0.1:0 127.0.0.1:9160']],
  ['another path', ['/tmp/a.sock /tmp/b.sock']],
];

for (const [what, pairs, family] of sound) {
  test(`a relay to somewhere else is served: ${what}`, (t) => {
    t.notThrows(() => check(pairs, family));
  });
}

test('a route to the relay itself is refused', (t) => {
  const route = ['sni:a.example=127.0.0.1:9160'];
  t.throws(() => check(['127.0.0.1:9160 127.0.0.1:1'], undefined, { route }), { code: 'TNET_E_LOOP' });
});

test('a Unix path is the same one by whatever folders and links it is named', (t) => {
  const dir = tempDir(t);
  mkdirSync(join(dir, 'real'));
  symlinkSync(join(dir, 'real'), join(dir, 'linked'));
  symlinkSync('real/s', join(dir, 'link'));
  const path = join(dir, 'real', 's');
  for (const target of [
    path,
    join(dir, 'linked', 's'),
    join(dir, 'link'),
    join(dir, 'real', '..', 'real', 's'),
  ]) {
    t.throws(() => check([`${path} ${target}`]), { code: 'TNET_E_LOOP' }, target);
  }
  t.notThrows(() => check([`${path} ${join(dir, 's')}`]));
});

test('what a name leads to is seen when it is dialled: itself, and a ring once it is closed', (t) => {
  const bound = new OwnAddresses();
  for (const address of ['127.0.0.1:1', '0.0.0.0:2', '127.0.0.1:3']) bound.add(address);
  const loops = new LoopWatch(bound);
  const judge = (from: string, port: number, address = '127.0.0.1') =>
    loops.judge(from, { transport: 'stream', address, port })?.code;
  t.is(judge('127.0.0.1:1', 1), 'TNET_E_LOOP');
  t.is(judge('0.0.0.0:2', 2, '127.0.0.9'), 'TNET_E_LOOP');
  t.is(judge('127.0.0.1:1', 9), undefined);
  t.is(judge('127.0.0.1:1', 2), undefined);
  t.is(judge('0.0.0.0:2', 3), undefined);
  t.is(judge('127.0.0.1:3', 1), 'TNET_E_LOOP');
  bound.remove('127.0.0.1:1');
  t.is(judge('127.0.0.1:3', 1), undefined);
});
