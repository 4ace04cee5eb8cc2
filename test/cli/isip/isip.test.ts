import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import test from 'ava';
import { isipCommand } from '../../../commands/isip/isip.ts';
import { addOptions } from '../../../commands/options/build.ts';
import { runIsip } from '../../helpers/isip.ts';

const answers: [behaviour: string, args: string[], stdout: string, status: number][] = [
  ['answers an IPv4 address with 4 and status 0', ['127.0.0.1'], '4\n', 0],
  ['answers one line for each address', ['::1', '1.2.3.4'], '6\n4\n', 0],
  ['answers what is no address with 0 and status 1', ['::1', 'localhost'], '6\n0\n', 1],
  ['answers an empty argument with 0', [''], '0\n', 1],
  ['takes no newline off an argument', ['1.2.3.4\n'], '0\n', 1],
  ['takes what follows -- as addresses', ['--', '-1.2.3.4'], '0\n', 1],
  ['counts only IPv4 with -4', ['-4', '1.2.3.4', '::1'], '4\n0\n', 1],
  ['counts only IPv6 with -6', ['-6', '::1'], '6\n', 0],
  ['accepts --no-color', ['--no-color', '::1'], '6\n', 0],
  ['succeeds with --invert when none is an address', ['--invert', 'a', 'b'], '0\n0\n', 0],
  ['fails with --invert when one is an address', ['--invert', 'a', '::1'], '0\n6\n', 1],
  ['counts addresses of the blocks of --in', ['--in', '10.0.0.0/8', '10.1.2.3'], '4\n', 0],
  ['answers an address outside --in with 0', ['--in', '10.0.0.0/8', '11.0.0.1'], '0\n', 1],
  ['takes several blocks with commas', ['--in', '10.0.0.0/8,fc00::/7', '10.0.0.1', 'fd00::1'], '4\n6\n', 0],
  [
    'takes --in several times',
    ['--in', '10.0.0.0/8', '--in', 'fc00::/7', '10.0.0.1', 'fd00::1'],
    '4\n6\n',
    0,
  ],
  ['counts addresses outside with --in --invert', ['--invert', '--in', '10.0.0.0/8', '11.0.0.1'], '4\n', 0],
  [
    'never counts what is no address with --in --invert',
    ['--invert', '--in', '10.0.0.0/8', '010.0.0.1'],
    '0\n',
    1,
  ],
  ['takes a prefix for no address', ['10.0.0.0/8'], '0\n', 1],
  ['takes a prefix with --cidr', ['--cidr', '10.0.0.0/8', '::/0', '::1'], '4\n6\n6\n', 0],
  [
    'wants a prefix of --cidr whole within --in',
    ['--cidr', '--in', '10.0.0.0/8', '10.1.0.0/16', '8.0.0.0/5'],
    '4\n0\n',
    1,
  ],
];

for (const [behaviour, args, stdout, status] of answers) {
  test(`tnet isip ${behaviour}`, async (t) => {
    t.deepEqual(await runIsip(t, args), { status, stdout, stderr: '' });
  });
}

const refusals: [args: string[], subject: RegExp][] = [
  [['-z', '::1'], /-z/],
  [['-l'], /-l/],
  [['--listen'], /--listen/],
  [['-4', '-6', '::1'], /-4.*-6/],
  [['--in'], /--in/],
  [['--in', '10/8', '::1'], /10\/8/],
  [['--in', '10.0.0.0/33', '::1'], /10\.0\.0\.0\/33/],
  [['--in', 'fe80::%eth0/10', '::1'], /fe80::%eth0\/10/],
];

for (const [args, subject] of refusals) {
  test(`tnet isip ${args.join(' ')} is a usage error: one line on stderr, nothing on stdout, status 2`, async (t) => {
    const { status, stdout, stderr } = await runIsip(t, args);
    t.is(stdout, '');
    t.regex(stderr, /^tnet isip: [^\n]+\n$/);
    t.regex(stderr, subject);
    t.is(status, 2);
  });
}

for (const flag of ['--explain', '-v']) {
  test(`tnet isip ${flag} gives a reason on stderr for each 0, and none for an address`, async (t) => {
    const { status, stdout, stderr } = await runIsip(t, [flag, '010.0.0.1', '::1', '', '1.2.3.4 ']);
    t.is(stdout, '0\n6\n0\n0\n');
    t.deepEqual(stderr.split('\n'), [
      'tnet isip: 010.0.0.1: 010 has a leading zero: some programs read it as octal, 8, others as 10',
      'tnet isip: "": it is empty',
      'tnet isip: "1.2.3.4 ": it begins or ends with white space, which is not part of an address',
      '',
    ]);
    t.is(status, 1);
  });
}

test('tnet isip --explain says that an address is of the wrong family or outside the blocks', async (t) => {
  t.is(
    (await runIsip(t, ['-v', '-4', '::1'])).stderr,
    'tnet isip: ::1: it is IPv6, and -4 takes only IPv4\n',
  );
  t.is(
    (await runIsip(t, ['-v', '--in', '10.0.0.0/8,fc00::/7', '::1'])).stderr,
    'tnet isip: ::1: it is not in 10.0.0.0/8 or fc00::/7\n',
  );
  t.is(
    (await runIsip(t, ['-v', '--invert', '--in', '10.0.0.0/8', '10.0.0.1'])).stderr,
    'tnet isip: 10.0.0.1: it is in 10.0.0.0/8\n',
  );
});

test('tnet isip --explain sends no control character of its input to the terminal', async (t) => {
  const { stderr } = await runIsip(t, ['-v', '1.2.3.4\u001b[31m\u009b1m\u202e\u007f\ndone']);
  t.regex(stderr, /^[^\p{Cc}\p{Cf}]+\n$/u);
});

test('tnet isip --explain shortens a long text', async (t) => {
  const { stderr } = await runIsip(t, ['-v', 'x'.repeat(5000)]);
  t.is(stderr, `tnet isip: ${'x'.repeat(99)}…: it is a host name, not an address\n`);
});

test('tnet isip --json prints the whole record of an address that carries another', async (t) => {
  const { stdout, status } = await runIsip(t, ['--json', '--in', '10.0.0.0/8', '0:0::FFFF:10.0.0.1']);
  t.deepEqual(JSON.parse(stdout), {
    input: '0:0::FFFF:10.0.0.1',
    yes: true,
    family: 6,
    canonical: '::ffff:10.0.0.1',
    prefixLength: null,
    zone: null,
    class: {
      name: 'IPv4-mapped Address',
      block: '::ffff:0:0/96',
      rfcs: ['RFC 4291'],
      globallyReachable: false,
    },
    mapped: '10.0.0.1',
    embedded: {
      kind: 'mapped',
      address: '10.0.0.1',
      class: { name: 'Private-Use', block: '10.0.0.0/8', rfcs: ['RFC 1918'], globallyReachable: false },
    },
    reverse: `1.0.0.0.0.0.a.0.f.f.f.f.${'0.'.repeat(20)}ip6.arpa`,
    in: '10.0.0.0/8',
    fault: null,
  });
  t.is(status, 0);
});

test('tnet isip --json prints an object for what is no address, with the reason', async (t) => {
  const { stdout, stderr, status } = await runIsip(t, ['--json', '127.1']);
  t.like(JSON.parse(stdout), {
    input: '127.1',
    yes: false,
    family: 0,
    canonical: null,
    class: null,
    reverse: null,
  });
  t.is(JSON.parse(stdout).fault.code, 'short-form');
  t.is(stderr, '');
  t.is(status, 1);
});

test('tnet isip --json tells the family of an address that -4 does not count', async (t) => {
  const { stdout } = await runIsip(t, ['--json', '-4', 'fe80::1%eth0']);
  t.like(JSON.parse(stdout), { yes: false, family: 6, zone: 'eth0', fault: { code: 'family' } });
});

test('tnet isip --json --cidr prints the length of a prefix', async (t) => {
  const { stdout } = await runIsip(t, ['--json', '--cidr', '10.0.0.0/8']);
  t.like(JSON.parse(stdout), {
    family: 4,
    canonical: '10.0.0.0',
    prefixLength: 8,
    reverse: '10.in-addr.arpa',
  });
});

test('tnet isip --json prints one line for any input, and it reads back the same', async (t) => {
  const input = '1.2.3.4\u009b\u202e\u2028\u{e0041}"\\';
  const { stdout } = await runIsip(t, ['--json', input]);
  t.regex(stdout, /^[^\p{Cc}\p{Cf}\u2028]+\n$/u);
  t.is(JSON.parse(stdout).input, input);
});

test('tnet-isip(1) describes every option and every member of the JSON object', async (t) => {
  const page = readFileSync(new URL('../../../man/tnet-isip.1', import.meta.url), 'utf8');
  const command = new Command();
  addOptions(command, 'isip', isipCommand.layout);
  for (const { short, long } of command.options) {
    const flags = [short, long]
      .filter((flag) => flag !== undefined)
      .map((flag) => `Fl ${flag.slice(1).replace('-', '\\-')}`);
    t.true(page.includes(`.It ${flags.join(' , ')}`), flags.join());
  }
  const { stdout } = await runIsip(t, ['--json', '::1']);
  for (const member of Object.keys(JSON.parse(stdout) as object))
    t.true(page.includes(`.It Cm ${member}\n`), member);
});
