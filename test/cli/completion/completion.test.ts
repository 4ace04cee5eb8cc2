import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { runCli } from '../../helpers/cli.ts';
import { testWith } from '../../helpers/programs.ts';
import { tempDir } from '../../helpers/temp.ts';
import { openScreen } from '../../helpers/tmux.ts';

type Shell = 'bash' | 'fish';

/** A folder to complete in: a script for the shell, a Unix socket, a file, a folder, and a home that knows a host. */
async function prepare(t: ExecutionContext, shell: Shell | 'zsh'): Promise<{ dir: string; script: string }> {
  const dir = tempDir(t);
  const script = join(dir, `tnet.${shell}`);
  const { code, stdout } = await runCli(t, ['completion', shell]);
  t.is(code, 0);
  writeFileSync(script, stdout);
  const server = createServer().listen(join(dir, 'server.sock'));
  t.teardown(() => server.close());
  await once(server, 'listening');
  writeFileSync(join(dir, 'server.pem'), '');
  mkdirSync(join(dir, 'server.d'));
  mkdirSync(join(dir, '.ssh'));
  writeFileSync(
    join(dir, '.ssh/known_hosts'),
    'known.example.test,192.0.2.7 ssh-ed25519 AAAA\n[other.example.test]:2222 ssh-ed25519 AAAA\n|1|x= ssh-ed25519 AAAA\n',
  );
  return { dir, script };
}

const shells: Readonly<Record<Shell, (script: string, words: readonly string[]) => readonly string[]>> = {
  // What bash does at a tab: it sets the words, calls the function that `complete` names, and reads COMPREPLY.
  bash: (script, words) => [
    'bash',
    '--norc',
    '-c',
    'source "$1"; shift; [[ $(complete -p tnet) == "complete -F _tnet tnet" ]] || exit 9;' +
      'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tnet; (IFS=$\'\\n\'; echo "${COMPREPLY[*]}")',
    'bash',
    script,
    ...words,
  ],
  fish: (script, words) => [
    'fish',
    '--no-config',
    '-c',
    'source $argv[1]; complete -C "$argv[2..-1]"',
    script,
    ...words,
  ],
};

function complete(shell: Shell, place: { dir: string; script: string }, words: readonly string[]): string[] {
  const [program, ...args] = shells[shell](place.script, words);
  const text = execFileSync(program!, args, {
    cwd: place.dir,
    env: { ...process.env, HOME: place.dir, XDG_DATA_HOME: place.dir },
    encoding: 'utf8',
  });
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t')[0]!);
}

/** A command line up to the cursor, words that must be offered, and words that must not. */
const cases: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ['tnet ', ['connect', 'listen', 'echo', 'proxy', 'isip', 'completion', 'help'], ['server.pem']],
  ['tnet co', ['connect', 'completion'], ['listen']],
  ['tnet --ver', ['--version', '--verbose'], ['--help']],
  ['tnet help is', ['isip'], ['listen']],
  ['tnet completion ', ['bash', 'zsh', 'fish'], ['server.pem']],
  ['tnet connect --wait-c', ['--wait-connect'], ['--wait']],
  ['tnet isip --in', ['--in', '--invert'], ['--explain']],
  ['tnet connect --crlf ', ['in', 'out', 'both'], ['server.pem', 'localhost']],
  ['tnet connect --starttls po', ['pop3', 'postgres'], ['smtp']],
  ['tnet connect --tls-ca server.p', ['server.pem'], ['server.sock']],
  ['tnet listen --output-dir server', ['server.d/'], ['server.pem', 'server.sock']],
  ['tnet connect -U serv', ['server.sock', 'server.d/'], ['server.pem']],
  ['tnet connect ./serv', ['./server.sock'], ['./server.pem']],
  ['tnet connect ', ['localhost', 'known.example.test'], ['server.pem', '-v']],
  ['tnet proxy 8080 known', ['known.example.test'], ['localhost']],
  ['tnet connect -w 5s other', ['other.example.test'], []],
  ['tnet connect db 5432 -- fals', ['false'], ['localhost']],
];

for (const shell of ['bash', 'fish'] as const) {
  testWith(shell)(`${shell} completes commands, options, values, hosts, sockets and programs`, async (t) => {
    const place = await prepare(t, shell);
    for (const [line, wanted, unwanted] of cases) {
      // A folder's slash is put on by bash itself, when it shows the word.
      const found = complete(shell, place, line.split(' ')).map((word) => word.replace(/\/$/, ''));
      for (const word of wanted)
        t.true(found.includes(word.replace(/\/$/, '')), `${line}: ${word} in ${found.join(' ')}`);
      for (const word of unwanted) t.false(found.includes(word), `${line}: no ${word}`);
    }
  });
}

testWith('bash')('bash completes a value behind an equals sign', async (t) => {
  const place = await prepare(t, 'bash');
  t.deepEqual(complete('bash', place, ['tnet', 'connect', '--crlf', '=']), ['in', 'out', 'both']);
  t.deepEqual(complete('bash', place, ['tnet', 'connect', '--telnet', '=', 'a']), ['active']);
});

testWith('fish')('fish completes a value behind an equals sign, and describes what it offers', async (t) => {
  const place = await prepare(t, 'fish');
  t.deepEqual(complete('fish', place, ['tnet', 'connect', '--telnet=a']), ['--telnet=active']);
  const described = execFileSync('fish', [
    '--no-config',
    '-c',
    `source ${place.script}; complete -C 'tnet isip --inv'`,
  ]);
  t.regex(described.toString(), /^--invert\tsucceed when/);
});

testWith('tmux', 'bash')('a tab in a bash at a terminal completes an option of tnet', async (t) => {
  const { script } = await prepare(t, 'bash');
  const screen = await openScreen(t);
  screen.run(`source ${script}; clear`);
  await screen.shows(/^ready>$/m);
  screen.press('tnet connect --wait-con', 'Tab');
  await screen.shows(/tnet connect --wait-connect$/m);
});

testWith('tmux', 'zsh')(
  'a tab in zsh completes commands, options, values, hosts, sockets and programs',
  async (t) => {
    const { dir, script } = await prepare(t, 'zsh');
    const screen = await openScreen(t);
    screen.run(`cd ${dir} && HOME=${dir} exec zsh -f`);
    screen.run("PS1='zsh''> '; autoload -Uz compinit; compinit -u -D; zstyle ':completion:*' menu no");
    await screen.shows(/^zsh>/m);
    screen.run(`source ${script} && clear && echo sourced`);
    await screen.shows(/^sourced\n/m);
    const completes = async (typed: string, shown: RegExp) => {
      screen.press('C-u', 'C-l', typed, 'Tab');
      await screen.shows(shown);
    };
    await completes('tnet conn', /tnet connect$/m);
    await completes('tnet ', /isip +-- tell whether/);
    await completes('tnet connect --wait-con', /tnet connect --wait-connect/);
    await completes('tnet isip --in', /--invert +-- succeed when/);
    await completes('tnet connect --crlf b', /tnet connect --crlf both/);
    await completes('tnet connect --telnet=a', /tnet connect --telnet=active/);
    await completes('tnet connect -U server.', /server\.d\/ +server\.sock/);
    await completes('tnet connect --tls-ca server.p', /--tls-ca server\.pem/);
    await completes('tnet connect ./server.s', /connect \.\/server\.sock/);
    await completes('tnet connect known', /connect known\.example\.test/);
    await completes('tnet help is', /tnet help isip/);
    await completes('tnet connect db 5432 -- basenam', /-- basename$/m);
  },
);

test('an unknown shell is one line and status 2', async (t) => {
  const { code, stdout, stderr } = await runCli(t, ['completion', 'csh']);
  t.is(code, 2);
  t.is(stdout.length, 0);
  t.regex(stderr, /^tnet completion: .*csh.*bash, zsh, fish.*\n$/);
});
