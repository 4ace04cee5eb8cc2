import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { userInfo } from 'node:os';
import type { ExecutionContext } from 'ava';
import { payload, sameBytes } from '../../helpers/bytes.ts';
import { closedPort } from '../../helpers/cli.ts';
import { startProgram, waitForPort } from '../../helpers/processes.ts';
import { findProgram, testWith } from '../../helpers/programs.ts';
import { tempDir } from '../../helpers/temp.ts';
import { engines, expectProgram, runProgram, startWays, type Way } from '../../helpers/ways.ts';

/** A folder with files of several sizes, a link and a script; never the same twice. */
function makeTree(folder: string): void {
  mkdirSync(join(folder, 'deep', 'er'), { recursive: true });
  for (const [name, bytes] of [
    ['empty', 0],
    ['small', 100],
    ['deep/middle', 70_000],
    ['deep/er/large', 2_500_001],
  ] as const) {
    writeFileSync(join(folder, name), randomBytes(bytes));
  }
  writeFileSync(join(folder, 'script'), '#!/bin/sh\n');
  chmodSync(join(folder, 'script'), 0o755);
  symlinkSync('deep/middle', join(folder, 'link'));
}

/** Fails with what differs between two folders. */
async function sameTree(t: ExecutionContext, one: string, other: string): Promise<void> {
  const { code, stdout } = await runProgram('diff', ['-r', '--no-dereference', one, other]);
  t.is(code, 0, stdout.toString());
}

/** A program that joins its stdin and stdout to a Unix socket, for clients that know only such programs. */
function bridgeTo(t: ExecutionContext, path: string): string {
  const script = join(tempDir(t), 'bridge');
  writeFileSync(script, `#!/bin/sh\nexec nc.openbsd -N -U '${path}'\n`, { mode: 0o755 });
  return script;
}

/** Many programs, one after the other: a limit for a machine that is busy with other things. */
const patienceMs = 240_000;

for (const choice of engines) {
  testWith('rsync', 'nc.openbsd')(
    `rsync copies to and from its daemon through a proxy (${choice.engine})`,
    async (t) => {
      t.timeout(patienceMs);
      const dir = tempDir(t);
      const tree = join(dir, 'tree');
      makeTree(tree);
      const port = await closedPort();
      const ids = process.getuid?.() === 0 ? 'uid = root\ngid = root\n' : '';
      const config = `${ids}use chroot = no\nlog file = ${dir}/log\n[all]\npath = ${dir}\nread only = no\nmunge symlinks = no\n`;
      writeFileSync(join(dir, 'rsyncd.conf'), config);
      const words = [
        '--daemon',
        '--no-detach',
        `--config=${dir}/rsyncd.conf`,
        '--address=127.0.0.1',
        `--port=${port}`,
      ];
      await waitForPort(port, startProgram(t, 'rsync', words));
      const ways: Way[] = [{ name: 'straight', port }, ...(await startWays(t, `127.0.0.1:${port}`, choice))];
      const said = [];
      for (const [index, way] of ways.entries()) {
        const env = way.path === undefined ? {} : { RSYNC_CONNECT_PROG: bridgeTo(t, way.path) };
        const url = `rsync://127.0.0.1:${way.port ?? 873}/all`;
        const [down, up] = [join(dir, `down-${index}`), `up-${index}`];
        mkdirSync(down);
        const list = String(await expectProgram('rsync', ['-ai', `${url}/tree/`, `${down}/`], { env }));
        // The new folder's own time is that of the tree, or not, as the second in which it was made has it.
        said.push(list.replace(/^\.d\S+ \.\/\n/m, ''));
        await expectProgram('rsync', ['-a', `${tree}/`, `${url}/${up}/`], { env });
        await sameTree(t, tree, down);
        await sameTree(t, tree, join(dir, up));
        t.is(said.at(-1), said[0], way.name);
        const { code, stderr } = await runProgram('rsync', [`${url.slice(0, -3)}none/x`, dir], { env });
        t.is(code, 5, stderr);
        t.regex(stderr, /Unknown module 'none'/);
      }
    },
  );

  testWith('git', 'nc.openbsd')(
    `git clones from and pushes to its daemon through a proxy (${choice.engine})`,
    async (t) => {
      t.timeout(patienceMs);
      const dir = tempDir(t);
      const gitEnv = {
        GIT_CONFIG_GLOBAL: '/dev/null',
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_AUTHOR_NAME: 'a',
        GIT_AUTHOR_EMAIL: 'a@example.com',
        GIT_COMMITTER_NAME: 'a',
        GIT_COMMITTER_EMAIL: 'a@example.com',
      };
      const git = async (words: readonly string[], env: NodeJS.ProcessEnv = {}) =>
        String(await expectProgram('git', words, { env: { ...gitEnv, ...env }, cwd: dir }));
      const work = join(dir, 'work');
      await git(['init', '-q', '-b', 'main', work]);
      for (let commit = 0; commit < 2; commit++) {
        makeTree(join(work, `tree-${commit}`));
        await git(['-C', work, 'add', '-A']);
        await git(['-C', work, 'commit', '-q', '-m', `commit ${commit}`]);
      }
      await git(['clone', '-q', '--bare', work, join(dir, 'served.git')]);
      const port = await closedPort();
      const daemon = ['daemon', '--listen=127.0.0.1', `--port=${port}`, `--base-path=${dir}`, '--export-all'];
      const words = [...daemon, '--enable=receive-pack', '--reuseaddr', dir];
      const exec = String(execFileSync('git', ['--exec-path'])).trim();
      // The daemon's own program: killing git(1) would leave it behind.
      const child = startProgram(t, join(exec, 'git-daemon'), words.slice(1), {
        env: { ...process.env, ...gitEnv },
      });
      await waitForPort(port, child);
      const ways: Way[] = [{ name: 'straight', port }, ...(await startWays(t, `127.0.0.1:${port}`, choice))];
      for (const [index, way] of ways.entries()) {
        const env = way.path === undefined ? {} : { GIT_PROXY_COMMAND: bridgeTo(t, way.path) };
        const url = `git://127.0.0.1:${way.port ?? 9418}/served.git`;
        const clone = join(dir, `clone-${index}`);
        await git(['clone', '-q', url, clone], env);
        t.is(
          await git(['-C', clone, 'rev-parse', 'HEAD']),
          await git(['-C', dir + '/served.git', 'rev-parse', 'main']),
        );
        await git(['-C', clone, 'fsck', '--strict', '--no-dangling']);
        makeTree(join(clone, `pushed-${index}`));
        await git(['-C', clone, 'add', '-A']);
        await git(['-C', clone, 'commit', '-q', '-m', way.name]);
        await git(['-C', clone, 'push', '-q', url, 'main'], env);
        await git(['-C', work, 'pull', '-q', join(dir, 'served.git'), 'main']);
        await sameTree(t, join(work, `pushed-${index}`), join(clone, `pushed-${index}`));
      }
    },
  );

  testWith(
    'sshd',
    'ssh',
    'scp',
    'nc.openbsd',
  )(`ssh and scp find no difference through a proxy (${choice.engine})`, async (t) => {
    const dir = tempDir(t);
    for (const name of ['host', 'user'])
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, name)]);
    const port = await closedPort();
    if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true });
    const config = [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${dir}/host`,
      `AuthorizedKeysFile ${dir}/user.pub`,
      `PidFile none`,
      'StrictModes no',
      'UsePAM no',
      'PermitRootLogin prohibit-password',
      'Subsystem sftp internal-sftp',
    ];
    writeFileSync(join(dir, 'sshd_config'), `${config.join('\n')}\n`);
    await waitForPort(
      port,
      startProgram(t, findProgram('sshd')!, ['-D', '-e', '-f', join(dir, 'sshd_config')]),
    );
    const hostKey = readFileSync(join(dir, 'host.pub'), 'utf8').split(' ').slice(0, 2).join(' ');
    writeFileSync(join(dir, 'known_hosts'), `server ${hostKey}\n`);
    const tree = join(dir, 'tree');
    makeTree(tree);
    const sent = payload(1_500_000);
    const ways: Way[] = [{ name: 'straight', port }, ...(await startWays(t, `127.0.0.1:${port}`, choice))];
    for (const [index, way] of ways.entries()) {
      const options = [
        ...['-F', 'none', '-i', join(dir, 'user'), '-o', 'BatchMode=yes', '-o', 'HostKeyAlias=server'],
        ...['-o', `UserKnownHostsFile=${dir}/known_hosts`, '-o', 'IdentitiesOnly=yes'],
        ...(way.path === undefined
          ? ['-o', `Port=${way.port}`]
          : ['-o', `ProxyCommand=${bridgeTo(t, way.path)}`]),
      ];
      const host = `${userInfo().username}@127.0.0.1`;
      const run = await runProgram('ssh', [...options, host, 'cat; echo over >&2; exit 7'], { stdin: sent });
      t.deepEqual([run.code, run.stderr], [7, 'over\n'], way.name);
      sameBytes(t, run.stdout, sent);
      await expectProgram('scp', [...options, '-q', '-r', tree, `${host}:${dir}/up-${index}`]);
      await expectProgram('scp', [
        ...options,
        '-q',
        '-r',
        `${host}:${dir}/up-${index}`,
        join(dir, `down-${index}`),
      ]);
      for (const name of ['empty', 'small', 'deep/middle', 'deep/er/large']) {
        sameBytes(t, readFileSync(join(dir, `down-${index}`, name)), readFileSync(join(tree, name)));
      }
    }
  });
}
