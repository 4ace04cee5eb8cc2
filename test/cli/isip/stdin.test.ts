import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { finish, program, runIsip, start, startIsip } from '../../helpers/isip.ts';

const cases: [behaviour: string, args: string[], input: string, stdout: string, status: number][] = [
  ['reads standard input when no address is given', [], '1.2.3.4\n::1\n', '4\n6\n', 0],
  ['answers an empty line with 0', [], '1.2.3.4\n\n', '4\n0\n', 1],
  ['strips the carriage return of a CRLF line', [], '1.2.3.4\r\n::1\r\n', '4\n6\n', 0],
  ['counts a last line without a newline', [], '1.2.3.4\n::1', '4\n6\n', 0],
  ['answers nothing to nothing, with status 0', [], '', '', 0],
  ['reads standard input where - stands among addresses', ['::1', '-', 'x'], '1.2.3.4\n', '6\n4\n0\n', 1],
  ['reads standard input once, however many - there are', ['-', '-'], '1.2.3.4\n', '4\n', 0],
  ['applies -6 to lines', ['-6'], '1.2.3.4\n::1\n', '0\n6\n', 1],
  ['applies --in to lines', ['--in', 'fe80::/10'], 'fe80::1%eth0\n::1\r\n10.0.0.1', '6\n0\n0\n', 1],
  ['applies --cidr to lines', ['--cidr'], '10.0.0.0/8\n\nx', '4\n0\n0\n', 1],
];

for (const [behaviour, args, input, stdout, status] of cases) {
  test(`tnet isip ${behaviour}`, async (t) => {
    t.deepEqual(await runIsip(t, args, input), { status, stdout, stderr: '' });
  });
}

test('tnet isip --explain gives the reason for each line of standard input', async (t) => {
  const { stderr } = await runIsip(t, ['-v'], '127.1\r\n\n::1\n');
  t.regex(stderr, /^tnet isip: 127\.1: it has 2 numbers[^\n]+\ntnet isip: "": it is empty\n$/);
});

test('tnet isip answers each line as it comes, before standard input ends', async (t) => {
  const child = startIsip(t, []);
  child.stdin?.write('1.2.3.4\n::');
  t.is(String(await once(child.stdout!, 'data')), '4\n');
  child.stdin?.write('1\n');
  t.is(String(await once(child.stdout!, 'data')), '6\n');
  child.stdin?.end();
  t.is((await finish(child)).status, 0);
});

/** A file of 200,000 lines, and the answers to them. */
function longList(t: ExecutionContext): { path: string; answers: string } {
  const folder = mkdtempSync(join(tmpdir(), 'tnet-isip-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const texts = ['192.0.2.1', '2001:db8::1', 'example.com', '', '::ffff:192.0.2.1'];
  const lines = Array.from({ length: 200_000 }, (_, i) => texts[(i * 7 + (i >> 3)) % 5]!);
  const path = join(folder, 'list');
  writeFileSync(path, lines.map((line) => `${line}\n`).join(''));
  const answer: Record<string, string> = { '192.0.2.1': '4\n', 'example.com': '0\n', '': '0\n' };
  return { path, answers: lines.map((line) => answer[line] ?? '6\n').join('') };
}

function openFile(t: ExecutionContext, path: string): number {
  const fd = openSync(path, 'r');
  t.teardown(() => closeSync(fd));
  return fd;
}

for (const args of [[], ['--cidr']]) {
  test(`tnet isip ${args.join('')} answers a long file on standard input without losing a line`, async (t) => {
    const { path, answers } = longList(t);
    const { stdout, status } = await finish(startIsip(t, args, [openFile(t, path), 'pipe', 'pipe']));
    t.true(stdout === answers);
    t.is(status, 1);
  });
}

test('tnet isip ends quietly with status 0 when the reader of its answers goes', async (t) => {
  const { path } = longList(t);
  const child = startIsip(t, [], [openFile(t, path), 'pipe', 'pipe']);
  await once(child.stdout!, 'readable');
  child.stdout!.destroy();
  let stderr = '';
  child.stderr!.on('data', (text) => (stderr += String(text)));
  t.deepEqual(await once(child, 'close'), [0, null]);
  t.is(stderr, '');
});

test('tnet isip says so and ends with status 2 when standard input is a directory', async (t) => {
  const { status, stdout, stderr } = await finish(startIsip(t, [], [openFile(t, tmpdir()), 'pipe', 'pipe']));
  t.is(stdout, '');
  t.regex(stderr, /^tnet isip: [^\n]*EISDIR[^\n]*\n$/);
  t.is(status, 2);
});

test('tnet isip answers a line that is longer than its buffer with one 0', async (t) => {
  const long = `fe80::1%${'a'.repeat(600_000)}`;
  t.is((await runIsip(t, [], `::1\n${long}\n::1\n${long}`)).stdout, '6\n0\n6\n0\n');
  const { stdout, stderr } = await runIsip(t, ['-v'], `::1\n${long}\n::1\n`);
  t.is(stdout, '6\n0\n6\n');
  t.regex(stderr, /^tnet isip: fe80::1%a+…?: the line is longer than 262144 bytes\n$/);
});

// Linux, as the amounts below go by the size of its pipes.
const hasPerl = process.platform === 'linux' && spawnSync('perl', ['-v']).status === 0;
const testNonBlocking = hasPerl ? test : test.skip;

/** Runs a shell script in which `nonblock STDIN tnet` is tnet isip with a standard stream made non-blocking. */
function startShell(t: ExecutionContext, script: string) {
  const perl = 'fcntl($f, F_SETFL, O_NONBLOCK | fcntl($f, F_GETFL, 0)) or die; exec @ARGV';
  const prelude = `nonblock() { perl -MFcntl -e "my \\$f = *$1;"'${perl}' "$node" "$tnet" isip; }`;
  const folder = mkdtempSync(join(tmpdir(), 'tnet-isip-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const names = `node='${process.execPath}'; tnet='${program}'; cd '${folder}'`;
  return start(t, ['sh', '-c', `${names}\n${prelude}\n${script}`], 'pipe');
}

testNonBlocking('tnet isip waits for lines on a non-blocking standard input', async (t) => {
  const child = startShell(t, 'cat | nonblock STDIN');
  child.stdin!.write('1.2.3.4\n');
  t.is(String(await once(child.stdout!, 'data')), '4\n');
  child.stdin!.end('::1\n::1');
  t.deepEqual(await finish(child), { status: 0, stdout: '6\n6\n', stderr: '' });
});

// When the first cat is done, tnet has read all but the 64 KiB that fit into its input pipe: its answers have filled
// the output pipe, which the second cat has not begun to read. What comes in fits into both, however it is cut.
testNonBlocking('tnet isip waits for room on a non-blocking standard output', async (t) => {
  const child = startShell(
    t,
    'mkfifo full; { cat; : >full; } | nonblock STDOUT | { read -r go <full; cat; }',
  );
  child.stdin!.end('::1\n'.repeat(40_000));
  const { stdout, stderr } = await finish(child);
  t.true(stdout === '6\n'.repeat(40_000));
  t.is(stderr, '');
});
