import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import test from 'ava';
import { collect, payload, sameBytes } from '../helpers/bytes.ts';
import { runCli, startCli } from '../helpers/cli.ts';
import { connectPeer, startPeerServer } from '../helpers/peers.ts';
import { startProgram } from '../helpers/processes.ts';
import { tempDir } from '../helpers/temp.ts';

const unixTest = process.platform === 'win32' ? test.serial.skip : test.serial;

/** What may stand at the path of a flag. */
const obstacles: readonly (readonly [string, (path: string) => void])[] = [
  [
    'a link to a file',
    (path) => {
      writeFileSync(`${path}.to`, 'old');
      symlinkSync(`${path}.to`, path);
    },
  ],
  ['a link that leads nowhere', (path) => symlinkSync(`${path}.to`, path)],
  ['a link to a device', (path) => symlinkSync('/dev/null', path)],
  ['a FIFO', (path) => void execFileSync('mkfifo', [path])],
  ['a folder', (path) => mkdirSync(path)],
];

for (const command of ['listen', 'echo']) {
  for (const [what, make] of obstacles) {
    unixTest(`${command} --ready-file on ${what} is status 2, and leaves it as it is`, async (t) => {
      const path = join(tempDir(t), 'ready');
      make(path);
      const [before, found] = [describe(path), readdirSync(join(path, '..'))];
      const { code, stderr } = await runCli(t, [command, '127.0.0.1:0', '--ready-file', path]);
      t.is(code, 2);
      t.is(
        stderr,
        `tnet ${command}: ${path}: is not a regular file: name a new file, or use --ready-fd (TNET_E_USAGE)\n`,
      );
      t.is(describe(path), before);
      t.deepEqual(readdirSync(join(path, '..')), found);
    });
  }
}

unixTest('--ready-file on a device is status 2, and the device stays', async (t) => {
  const { code, stderr } = await runCli(t, ['echo', '127.0.0.1:0', '--ready-file', '/dev/null']);
  t.is(code, 2);
  t.regex(stderr, /^tnet echo: \/dev\/null: is not a regular file/);
  t.true(lstatSync('/dev/null').isCharacterDevice());
});

unixTest('--ready-file replaces an old one, and touches no file beside it', async (t) => {
  const dir = tempDir(t);
  const path = join(dir, 'ready');
  writeFileSync(path, 'old\n');
  const cli = startCli(t, ['echo', '127.0.0.1:0', '--ready-file', path], { stdin: 'null' });
  // A file with the name that a passing one could have had.
  const foreign = `${path}.${cli.child.pid!}`;
  writeFileSync(foreign, 'mine');
  const address = await cli.address();
  t.is((await settled(path, 'old\n')).toString(), `${address}\n`);
  t.is(readFileSync(foreign, 'utf8'), 'mine');
  t.deepEqual(readdirSync(dir).sort(), ['ready', basename(foreign)].sort());
});

const isRoot = process.geteuid?.() === 0;

(isRoot ? test.serial : test.serial.skip)(
  "another user's file is not replaced by --ready-file, nor recorded in",
  async (t) => {
    const path = join(tempDir(t), 'file');
    writeFileSync(path, '');
    execFileSync('chown', ['12345', path]);
    const ready = await runCli(t, ['echo', '127.0.0.1:0', '--ready-file', path]);
    t.is(ready.code, 2);
    t.regex(ready.stderr, /belongs to another user/);
    const { words } = await startPeerServer(t, 'tcp', (socket) => socket.end());
    const record = await runCli(t, ['connect', '-o', path, ...words]);
    t.is(record.code, 2);
    t.regex(record.stderr, /belongs to another user/);
    t.is(statSync(path).size, 0);
  },
);

for (const command of ['connect', 'listen', 'proxy']) {
  const words = (target: string) => (command === 'proxy' ? ['127.0.0.1:0', target] : [target]);

  unixTest(`${command} -o on a link that leads nowhere is status 2 and creates nothing`, async (t) => {
    const path = join(tempDir(t), 'record');
    symlinkSync(`${path}.to`, path);
    const { code, stderr } = await runCli(t, [command, '-o', path, ...words('127.0.0.1:0')]);
    t.is(code, 2);
    t.is(stderr, `tnet ${command}: ${path}: cannot be opened to record (ENOENT) (TNET_E_USAGE)\n`);
    t.false(existsSync(`${path}.to`));
  });
}

for (const command of ['connect', 'listen', 'proxy']) {
  unixTest(`${command} -o on a FIFO that nobody reads is status 2, and waits for nobody`, async (t) => {
    const path = join(tempDir(t), 'fifo');
    execFileSync('mkfifo', [path]);
    const words = command === 'proxy' ? ['127.0.0.1:0', '127.0.0.1:1'] : ['127.0.0.1:0'];
    const { code, stderr } = await runCli(t, [command, '-o', path, ...words]);
    t.is(code, 2);
    t.is(
      stderr,
      `tnet ${command}: ${path}: is a FIFO without a reader: start the reader first (TNET_E_USAGE)\n`,
    );
  });
}

unixTest('-o on a FIFO gives its reader every byte, however late it reads', async (t) => {
  const path = join(tempDir(t), 'fifo');
  execFileSync('mkfifo', [path]);
  const bytes = payload(1_000_000);
  // It stands for a writer too, until there is one: cat would see an end before.
  const script = 'exec 3<>"$0"; echo open; read -r go; exec cat <"$0" 3>&-';
  const reader = startProgram(t, 'sh', ['-c', script, path], { stdio: 'pipe' });
  const recorded = collect(reader.stdout!);
  await once(reader.stdout!, 'data');
  const { words } = await startPeerServer(t, 'tcp', (socket) => {
    socket.end(bytes);
    reader.stdin!.end('go\n');
  });
  const { code, stderr } = await runCli(t, ['connect', '-o', path, '--format', 'json', ...words]);
  t.is(code, 0, stderr);
  const data = [...(await recorded).toString().matchAll(/"data":"([^"]+)"/g)];
  sameBytes(t, Buffer.concat(data.map(([, text]) => Buffer.from(text!, 'base64'))), bytes);
});

unixTest('-o closes an empty file that was there to other users', async (t) => {
  const path = join(tempDir(t), 'record');
  writeFileSync(path, '', { mode: 0o666 });
  const { words } = await startPeerServer(t, 'tcp', (socket) => socket.end('x'));
  t.is((await runCli(t, ['connect', '-o', path, ...words])).code, 0);
  t.is(statSync(path).mode & 0o777, 0o600);
  t.true(statSync(path).size > 0);
});

unixTest('-o goes on to a device', async (t) => {
  const { words } = await startPeerServer(t, 'tcp', (socket) => socket.end('x'));
  t.is((await runCli(t, ['connect', '-o', '/dev/null', ...words])).code, 0);
  t.true(lstatSync('/dev/null').isCharacterDevice());
});

for (const flag of ['-e', '-c']) {
  unixTest(`a program of listen ${flag} does not know the password of a proxy`, async (t) => {
    const server = startCli(t, ['listen', '127.0.0.1:0', flag, 'env'], {
      env: { TNET_PROXY_PASSWORD: 'secret', OTHER: 'known' },
    });
    const client = await connectPeer(t, await server.address());
    const text = (await collect(client)).toString();
    t.regex(text, /^OTHER=known$/m);
    t.notRegex(text, /TNET_PROXY_PASSWORD|secret/);
  });
}

unixTest('a program of connect -e does not know the password of a proxy', async (t) => {
  const server = await startPeerServer(t, 'tcp');
  startCli(t, ['connect', '-e', 'env', ...server.words], { env: { TNET_PROXY_PASSWORD: 'secret' } });
  const text = (await collect(await server.accept())).toString();
  t.regex(text, /^PATH=/m);
  t.notRegex(text, /TNET_PROXY_PASSWORD|secret/);
});

function describe(path: string): string {
  const status = lstatSync(path);
  return `${status.ino} ${status.mode} ${status.size} ${status.isSymbolicLink() ? readlinkSync(path) : ''}`;
}

/** The content of a file once it is another one; the line on stderr comes before it. */
async function settled(path: string, old: string): Promise<Buffer> {
  for (;;) {
    const bytes = readFileSync(path);
    if (bytes.toString() !== old) return bytes;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
