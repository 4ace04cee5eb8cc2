import { execFileSync } from 'node:child_process';
import { openSync, closeSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { runCli, startCli, tnetPath } from '../helpers/cli.ts';
import { settleDescriptors, countDescriptors } from '../helpers/descriptors.ts';
import { connectPeer, serverWords } from '../helpers/peers.ts';
import { collect } from '../helpers/bytes.ts';
import { tempDir } from '../helpers/temp.ts';

const linuxTest = process.platform === 'linux' ? test.serial : test.serial.skip;

/** Node has up to twenty descriptors of its own behind the standard ones. */
const numbers = [...Array.from({ length: 22 }, (_, index) => index + 3), 99, 123_456_789];

for (const [what, args] of [
  ['echo fd:N', (fd: number) => ['echo', `fd:${fd}`]],
  ['listen fd:N', (fd: number) => ['listen', `fd:${fd}`]],
  ['proxy fd:N', (fd: number) => ['proxy', `fd:${fd}`, '127.0.0.1:9']],
  ['connect fd:N', (fd: number) => ['connect', `fd:${fd}`]],
  ['--ready-fd N', (fd: number) => ['echo', '127.0.0.1:0', '--ready-fd', String(fd)]],
] as const) {
  linuxTest(`${what} with a descriptor that was not passed is one line and status 2`, async (t) => {
    for (const fd of numbers) {
      const { code, signal, stderr } = await runCli(t, args(fd), '', { stdin: 'null' });
      t.deepEqual({ code, signal }, { code: 2, signal: null }, `${fd}: ${stderr}`);
      t.regex(stderr, new RegExp(`^tnet \\w+: fd:${fd}: [^\\n]+ \\(TNET_E_(DESCRIPTOR|UNSUPPORTED)\\)\\n$`));
    }
  });
}

for (const [what, open] of [
  ['a file', () => openSync('/etc/passwd', 'r')],
  ['a device', () => openSync('/dev/null', 'r+')],
  ['a folder', () => openSync('/', 'r')],
] as const) {
  for (const command of [
    ['echo', 'fd:3'],
    ['proxy', 'fd:3', '127.0.0.1:9'],
  ]) {
    linuxTest(`${command.join(' ')} with ${what} is one line and status 2`, (t) => {
      const fd = open();
      t.teardown(() => closeSync(fd));
      const error = t.throws<Error & { status: number; stderr: string }>(() =>
        execFileSync(process.execPath, [tnetPath, ...command], {
          stdio: ['ignore', 'pipe', 'pipe', fd],
          encoding: 'utf8',
        }),
      );
      t.is(error.status, 2);
      t.regex(error.stderr, /^tnet \w+: fd:3: the descriptor is not a listening socket[^\n]*\n$/);
    });
  }
}

linuxTest('LISTEN_FDS that counts more sockets than were passed is one line and status 2', (t) => {
  const script = 'LISTEN_PID=$$ LISTEN_FDS=6 exec "$@"';
  const run = () =>
    execFileSync('sh', ['-c', script, 'sh', process.execPath, tnetPath, 'echo'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      encoding: 'utf8',
    });
  const error = t.throws<Error & { status: number; stderr: string }>(run);
  t.is(error.status, 2);
  t.regex(error.stderr, /^tnet echo: fd:3: the descriptor is not a listening socket[^\n]*\n$/);
});

linuxTest('--ready-fd takes a FIFO that is open for reading, too', (t) => {
  const fifo = join(tempDir(t), 'fifo');
  execFileSync('mkfifo', [fifo]);
  const script = `exec 4<>"$0"; "$@" --ready-fd 4 & head -n 1 <&4; kill $!`;
  const out = execFileSync('sh', ['-c', script, fifo, process.execPath, tnetPath, 'echo', '127.0.0.1:0'], {
    stdio: ['ignore', 'pipe', 'ignore'],
    encoding: 'utf8',
  });
  t.regex(out, /^127\.0\.0\.1:\d+\n$/);
});

for (const [flag, command] of [
  ['-e', 'cat'],
  ['-c', 'cat'],
] as const) {
  for (const family of ['tcp', 'unix'] as const) {
    linuxTest(`listen -k ${flag} gives back the descriptors of every connection on ${family}`, async (t) => {
      const server = startCli(t, ['listen', '-k', flag, command, ...serverWords(t, family)]);
      const address = await server.address();
      const exchange = async () => {
        const client = await connectPeer(t, address);
        client.end('same');
        return (await collect(client)).toString();
      };
      t.is(await exchange(), 'same');
      const pid = server.child.pid!;
      const before = await settleDescriptors(pid, 0, 300);
      for (let round = 0; round < 5; round++)
        t.deepEqual(await Promise.all([exchange(), exchange(), exchange()]), ['same', 'same', 'same']);
      t.is(await settleDescriptors(pid, before), before);
      t.true(countDescriptors(pid) <= before);
    });
  }
}

linuxTest('clients that break off at once leave no descriptor of their programs', async (t) => {
  const server = startCli(t, ['listen', '-k', '-e', '/bin/cat', '127.0.0.1:0']);
  const address = await server.address();
  const pid = server.child.pid!;
  const breakOff = async () => {
    const client = await connectPeer(t, address);
    client.resetAndDestroy();
  };
  // What is opened once, for the first connection, stays: the engine's own two.
  await breakOff();
  await server.said(/connection reset by peer/);
  const before = await settleDescriptors(pid, 0, 300);
  for (let round = 0; round < 5; round++) await breakOff();
  t.is(await settleDescriptors(pid, before), before);
});
