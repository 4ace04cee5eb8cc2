import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { createTargetList, type TargetListOptions } from '../../src/access/target-list.ts';
import { tempDir } from '../helpers/temp.ts';

/** What is asked for: a host, a port, and the address that the host has; '' is one that is not known here. */
type Asked = readonly [host: string, port: number, address?: string];

const cases: [title: string, options: TargetListOptions, allowed: Asked[], refused: [Asked, string][]][] = [
  ['without a list, every target is allowed', {}, [['a.example', 80, '10.0.0.1']], []],
  [
    'a denied class judges the address that a name has',
    { deny: ['private'] },
    [['a.example', 80, '192.0.2.1']],
    [[['a.example', 80, '10.0.0.1'], 'denied by private']],
  ],
  [
    'a denied name is judged as it was asked for, whatever its address',
    { deny: ['*.example.com'] },
    [
      ['example.com', 80, '192.0.2.1'],
      ['192.0.2.1', 80],
    ],
    [[['A.Example.com.', 80, '192.0.2.1'], 'denied by *.example.com']],
  ],
  [
    'an allow list takes a name or an address',
    { allow: ['*.example.com', '10.0.0.0/8:443'] },
    [
      ['a.example.com', 80, '192.0.2.1'],
      ['b.example', 443, '10.0.0.1'],
      ['10.0.0.1', 443],
    ],
    [
      [['b.example', 443, '192.0.2.1'], 'not allowed'],
      [['10.0.0.1', 80], 'not allowed'],
    ],
  ],
  [
    'a denial of the address wins over an allowed name',
    { allow: ['*.example.com'], deny: ['special'] },
    [['a.example.com', 80, '8.8.8.8']],
    [[['a.example.com', 80, '127.0.0.1'], 'denied by special']],
  ],
  [
    'a port on its own is denied for every host',
    { deny: ['*:25,465'] },
    [['a.example', 80, '192.0.2.1']],
    [
      [['a.example', 25, '192.0.2.1'], 'denied by *:25,465'],
      [['192.0.2.1', 465], 'denied by *:25,465'],
    ],
  ],
  [
    'a name whose address is looked up elsewhere is refused where an address is denied, or only addresses are allowed',
    { deny: ['private:80'], allow: ['*.example', '192.0.2.0/24'] },
    [['a.example', 443, '']],
    [
      [['a.example', 80, ''], 'its address is looked up elsewhere, and private:80 is denied'],
      [['a.test.com', 443, ''], 'not allowed'],
    ],
  ],
];
for (const [title, options, allowed, refused] of cases) {
  test(title, async (t) => {
    const list = await createTargetList(options);
    const judge = ([host, port, address = host]: Asked) =>
      list.judge({ host, port, address: address === '' ? undefined : address });
    for (const asked of allowed) t.is(judge(asked), undefined, asked.join(' '));
    for (const [asked, reason] of refused) t.is(judge(asked), reason, asked.join(' '));
    // What is certain of a name is never more than what holds for its address.
    for (const asked of allowed) t.is(list.judgeName(asked[0], asked[1]), undefined, asked.join(' '));
  });
}

test('a name that is denied, or that no entry can allow, is refused before it is looked up', async (t) => {
  const list = await createTargetList({ allow: ['*.example', 'private:80'], deny: ['bad.example'] });
  t.is(list.judgeName('bad.example', 80), 'denied by bad.example');
  t.is(list.judgeName('a.test.com', 443), 'not allowed');
  t.is(list.judgeName('a.test.com', 80), undefined);
  t.is(list.judgeName('a.example', 443), undefined);
});

test('a file is read entry by entry, and read again', async (t) => {
  const file = join(tempDir(t), 'targets');
  writeFileSync(file, '# ours\nprivate:80, 443  *.example.com\n\n[2001:db8::/32]:22 # ssh\n');
  const list = await createTargetList({ allow: [file] });
  const judge = (host: string, port: number) => list.judge({ host, port, address: host });
  t.is(judge('10.0.0.1', 443), undefined);
  t.is(judge('10.0.0.1', 22), 'not allowed');
  t.is(judge('2001:db8::1', 22), undefined);
  writeFileSync(file, '10.0.0.0/8:22\n');
  t.is(judge('10.0.0.1', 443), undefined, 'as long as it is not read again');
  await list.reload();
  t.is(judge('10.0.0.1', 443), 'not allowed');
  t.is(judge('10.0.0.1', 22), undefined);
  writeFileSync(file, 'a.example\nprivat\n');
  const error = await t.throwsAsync(list.reload(), { code: 'TNET_E_ACCESS' });
  t.regex(error.message, /^privat: not one of loopback, /);
  t.is((error as { subject?: string }).subject, `${file}:2`);
  t.is(judge('10.0.0.1', 22), undefined, 'the old list stays in force');
});

for (const [words, message] of [
  [['10.0.0.0/99'], /not a CIDR block/],
  [['./no-such-file'], /the file cannot be read \(ENOENT\)/],
  [['a.example,'], /the entry is empty/],
] as const) {
  test(`a list of ${words.join(' ')} is refused`, async (t) => {
    await t.throwsAsync(createTargetList({ deny: words }), { code: 'TNET_E_ACCESS', message });
  });
}
