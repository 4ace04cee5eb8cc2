import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { explainFault } from '../../src/address/fault.ts';
import { explainNumericForm } from '../../src/address/host-rules.ts';
import { decodeProxyHeader } from '../../src/protocol/proxy-protocol/decode.ts';
import { collectUntilClose } from '../helpers/bytes.ts';
import { runCli, startCli } from '../helpers/cli.ts';
import { connectPeer } from '../helpers/peers.ts';
import { exchange } from '../helpers/proxy.ts';
import { tempDir } from '../helpers/temp.ts';

/** What getaddrinfo() takes for an address, and isip does not. */
const forms = [
  '0177.0.0.1',
  '127.1',
  '127.0.1',
  '0x7f.1',
  '0x7f000001',
  '2130706433',
  '127.0.0.01',
  '1.2.3.',
  '１２７.0.0.1',
];

for (const form of forms) {
  test(`${form} is explained as isip explains it`, (t) => {
    t.true(explainNumericForm(form)?.endsWith(explainFault(form)!.text), explainNumericForm(form));
  });
}

test('addresses and names are no such forms', (t) => {
  for (const host of [
    '127.0.0.1',
    '::1',
    'localhost',
    '1.example',
    '0x.example',
    'a1.2',
    'fe80::1%lo',
    '1-2.3',
  ])
    t.is(explainNumericForm(host), undefined, host);
});

const uses: [what: string, words: (form: string) => string[]][] = [
  ['a target', (form) => ['connect', `${form}:1`]],
  ['a target in two words', (form) => ['connect', form, '1']],
  ['a checked target', (form) => ['connect', '-z', form, '1-3']],
  ['a UDP target', (form) => ['connect', '-u', `${form}:1`]],
  ['a proxy of -x', (form) => ['connect', '-x', `socks5://${form}:1`, '127.0.0.1:1']],
  ['a target through a proxy', (form) => ['connect', '-x', 'socks5://127.0.0.1:1', `${form}:1`]],
  ['a source', (form) => ['connect', '-s', form, '127.0.0.1:1']],
  ['a host to listen on', (form) => ['listen', `${form}:0`]],
  ['a host to listen on, by -s', (form) => ['listen', '-s', form, '-p', '0']],
  ['a UDP host to listen on', (form) => ['echo', '-u', `${form}:0`]],
  ['a target of --ping', (form) => ['echo', '--ping', `${form}:1`]],
  ['a listener of proxy', (form) => ['proxy', `${form}:0`, '127.0.0.1:1']],
  ['a target of proxy', (form) => ['proxy', '0', `${form}:1`]],
  ['one of several targets', (form) => ['proxy', '0', '127.0.0.1:1', `${form}:1`]],
  ['a target of --route', (form) => ['proxy', '0', '--route', `proto:ssh=${form}:1`]],
  ['--metrics', (form) => ['proxy', '0', '1', '--metrics', `${form}:0`]],
  ['--metrics of echo', (form) => ['echo', '127.0.0.1:0', '--metrics', `${form}:0`]],
  ['--metrics of listen', (form) => ['listen', '-k', '127.0.0.1:0', '--metrics', `${form}:0`]],
  ['--allow of listen', (form) => ['listen', '-k', '--allow', form, '127.0.0.1:0']],
  ['--deny of echo', (form) => ['echo', '--deny', form, '127.0.0.1:0']],
  ['--allow of proxy', (form) => ['proxy', '0', '1', '--allow', form]],
];

for (const [what, words] of uses) {
  test.serial(`0177.0.0.1 as ${what} is refused with the reason, before anything is opened`, async (t) => {
    const { code, stderr } = await runCli(t, words('0177.0.0.1'));
    t.is(code, 2, stderr);
    t.regex(
      stderr,
      /0177\.0\.0\.1 is not an IP address: 0177 has a leading zero: some programs read it as octal/,
    );
    t.is(stderr.trimEnd().split('\n').length, 1, stderr);
  });
}

test.serial('an entry of an access file is refused with its line', async (t) => {
  const file = join(tempDir(t), 'hosts');
  writeFileSync(file, '10.0.0.1\n10.0.0.2, 127.1 # loopback?\n');
  const { code, stderr } = await runCli(t, ['listen', '-k', '--allow', file, '127.0.0.1:0']);
  t.is(code, 2);
  t.true(stderr.includes(`${file}:2: 127.1 is not an IP address: it has 2 numbers`), stderr);
});

test.serial('a SOCKS or CONNECT client that names such a host is told that there is none', async (t) => {
  const cli = startCli(t, ['proxy', '0', '--socks', '--http-connect']);
  const address = await cli.address();
  for (const form of ['0177.0.0.1', '127.1', '2130706433']) {
    const client = await connectPeer(t, address);
    client.end(Buffer.from([5, 1, 0, 5, 1, 0, 3, form.length, ...Buffer.from(form), 0, 80]));
    t.is((await collectUntilClose(client)).bytes[3], 4, form);
    const request = `CONNECT ${form}:80 HTTP/1.1\r\nHost: a\r\n\r\n`;
    t.regex((await exchange(t, address, request)).bytes.toString(), /^HTTP\/1\.1 400 /, form);
  }
});

test('a PROXY header has addresses alone', (t) => {
  for (const form of ['0177.0.0.1', '127.1', '0x7f.0.0.1']) {
    const line = Buffer.from(`PROXY TCP4 ${form} 127.0.0.1 1 2\r\n`);
    t.throws(() => decodeProxyHeader(line), { code: 'TNET_E_PROTOCOL' }, form);
  }
});
