import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { createAccessList, type AccessOptions } from '../../src/access/access-list.ts';
import { tempDir } from '../helpers/temp.ts';

const cases: [title: string, options: AccessOptions, served: string[], refused: Record<string, string>][] = [
  [
    'an allow list turns away everybody else',
    { allow: ['10.0.0.0/8'] },
    ['10.1.2.3'],
    { '11.0.0.1': 'not allowed' },
  ],
  [
    'a deny list turns away only what it holds',
    { deny: ['10.1.2.3'] },
    ['10.1.2.4'],
    { '10.1.2.3': 'denied by 10.1.2.3' },
  ],
  [
    'a denial wins over an allowance',
    { allow: ['10.0.0.0/8'], deny: ['10.6.0.0/16'] },
    ['10.5.0.1'],
    { '10.6.0.1': 'denied by 10.6.0.0/16', '9.9.9.9': 'not allowed' },
  ],
  [
    'an IPv4 entry holds the mapped form of its addresses',
    { allow: ['127.0.0.1'] },
    ['127.0.0.1', '::ffff:127.0.0.1'],
    { '::1': 'not allowed', '::ffff:127.0.0.2': 'not allowed' },
  ],
  [
    'a mapped entry holds the IPv4 address',
    { deny: ['::ffff:10.0.0.0/104'] },
    ['11.0.0.1'],
    { '10.0.0.1': 'denied by ::ffff:10.0.0.0/104', '::ffff:10.0.0.1': 'denied by ::ffff:10.0.0.0/104' },
  ],
  [
    'an IPv6 entry holds no IPv4 address',
    { allow: ['::/0'] },
    ['::1', 'fe80::1%lo'],
    { '1.2.3.4': 'not allowed' },
  ],
  ['a zone does not matter', { deny: ['fe80::/10'] }, ['fd00::1'], { 'fe80::1%eth0': 'denied by fe80::/10' }],
  ['commas part entries', { allow: ['10.0.0.1, 10.0.0.2', '10.0.0.3'] }, ['10.0.0.2', '10.0.0.3'], {}],
  [
    'a host name stands for its addresses',
    { allow: ['localhost'] },
    ['127.0.0.1'],
    { '10.0.0.1': 'not allowed' },
  ],
];

for (const [title, options, served, refused] of cases) {
  test(title, async (t) => {
    const list = await createAccessList(options);
    for (const address of served) t.is(list.judge(address), undefined, address);
    for (const [address, reason] of Object.entries(refused)) t.is(list.judge(address), reason);
  });
}

test('a client without an address is welcome only where nothing is listed', async (t) => {
  t.is((await createAccessList({})).judge(undefined), undefined);
  t.is((await createAccessList({ deny: ['10.0.0.1'] })).judge(undefined), 'it has no address');
});

test('a file has an entry a line, with comments, and is read again by reload', async (t) => {
  const file = join(tempDir(t), 'hosts');
  writeFileSync(file, '# ours\n10.0.0.0/8  # the office\n\n  ::1\n');
  const list = await createAccessList({ allow: [file] });
  t.is(list.allowed, 2);
  t.is(list.judge('10.9.9.9'), undefined);
  writeFileSync(file, '::1\n');
  await list.reload();
  t.is(list.judge('10.9.9.9'), 'not allowed');
});

test('a file may have several entries a line, with blanks or commas between them', async (t) => {
  const file = join(tempDir(t), 'hosts');
  writeFileSync(
    file,
    '10.0.0.1 10.0.0.2\t10.0.0.3, 10.0.0.4,10.0.0.5 ,::1 # 10.0.0.6 is not\r\n#10.0.0.7\n , \n',
  );
  const list = await createAccessList({ allow: [file] });
  t.is(list.allowed, 6);
  for (const address of ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '::1'])
    t.is(list.judge(address), undefined, address);
  for (const address of ['10.0.0.6', '10.0.0.7']) t.is(list.judge(address), 'not allowed', address);
});

test('a reload that fails leaves the old lists in force', async (t) => {
  const file = join(tempDir(t), 'hosts');
  writeFileSync(file, '10.0.0.1\n');
  const list = await createAccessList({ deny: [file] });
  rmSync(file);
  await t.throwsAsync(list.reload(), { code: 'TNET_E_ACCESS' });
  t.is(list.judge('10.0.0.1'), 'denied by 10.0.0.1');
});

const faults: [title: string, options: AccessOptions, subject: string, message: RegExp][] = [
  ['a prefix that is too long', { allow: ['10.0.0.0/33'] }, '10.0.0.0/33', /^not a CIDR block/],
  ['a file that is not there', { allow: ['/nowhere/hosts'] }, '/nowhere/hosts', /ENOENT/],
  ['an empty entry', { deny: ['10.0.0.1,'] }, '', /^the entry is empty$/],
  ['a zone in an entry', { deny: ['fe80::1%eth0'] }, 'fe80::1%eth0', /cannot have a zone/],
  ['an octal form', { allow: ['0177.0.0.1'] }, '0177.0.0.1', /0177 has a leading zero/],
  ['a short form', { allow: ['10.0.0.1,127.1'] }, '127.1', /it has 2 numbers instead of four/],
  ['a hexadecimal form', { deny: ['0x7f.1'] }, '0x7f.1', /0x7f is hexadecimal/],
  [
    'a bare number',
    { deny: ['2130706433'] },
    '2130706433',
    /a bare number \(old programs read it as 127\.0\.0\.1\)/,
  ],
  ['digits of another script', { allow: ['１２７.0.0.1'] }, '１２７.0.0.1', /digit of another script/],
  ['a name when DNS is off', { deny: ['localhost'], numericOnly: true }, 'localhost', /-n forbids DNS/],
];

for (const [title, options, subject, message] of faults) {
  test(`${title} is a fault that is named`, async (t) => {
    const error = await t.throwsAsync(createAccessList(options), { code: 'TNET_E_ACCESS', message });
    t.is((error as unknown as { subject: string }).subject, subject);
  });
}

test('a fault in a file is told with its line', async (t) => {
  const file = join(tempDir(t), 'hosts');
  writeFileSync(file, '10.0.0.1\n10.0.0.999/8\n');
  const error = await t.throwsAsync(createAccessList({ allow: [file] }), { code: 'TNET_E_ACCESS' });
  t.is((error as unknown as { subject: string }).subject, `${file}:2`);
});
