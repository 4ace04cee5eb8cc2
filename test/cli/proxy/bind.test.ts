import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, readdirSync, statSync, watch, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { userInfo } from 'node:os';
import test, { type ExecutionContext } from 'ava';
import { runCli, startCli, tnetPath, type Cli } from '../../helpers/cli.ts';
import { readText } from '../../helpers/lines.ts';
import { exchange, startEcho } from '../../helpers/proxy.ts';
import { tempDir } from '../../helpers/temp.ts';

const engines = [
  ['', { TNET_NATIVE: '', TNET_EXPRESS: '' }],
  [' on Node streams', { TNET_NATIVE: '0' }],
] as const;

/** Somebody else's address, until it is closed. */
async function occupy(path: string): Promise<net.Server> {
  const other = net.createServer().listen(path);
  await once(other, 'listening');
  return other;
}

/** Writes a configuration file, and has it reloaded by who has it already. */
function writeConfig(file: string, pairs: readonly object[], proxy?: Cli): void {
  writeFileSync(file, JSON.stringify({ pairs }));
  proxy?.child.kill('SIGHUP');
}

const workers = ['--workers', '1'];

for (const [called, flags] of [
  ['', []],
  [' with --workers', workers],
] as const) {
  test.serial(`proxy${called} --ready-fd gets the real addresses of all pairs, and the end`, async (t) => {
    const target = await startEcho(t);
    const path = join(tempDir(t), 's');
    const pairs = ['-L', `127.0.0.1:0=${target}`, '-L', `${path}=${target}`];
    // Not the number that a worker is spoken to by.
    const child = spawn(process.execPath, [tnetPath, 'proxy', ...pairs, '--ready-fd', '5', ...flags], {
      stdio: ['ignore', 'ignore', 'ignore', 'ignore', 'ignore', 'pipe'],
    });
    t.teardown(() => child.kill('SIGTERM'));
    const stream = (child.stdio as unknown[])[5] as net.Socket;
    const text = readText(stream);
    await once(stream, 'end');
    const [first = '', second] = text.text().split('\n');
    t.regex(text.text(), /^127\.0\.0\.1:\d+\n[^\n]+\n$/);
    t.is(second, path);
    t.is((await exchange(t, first, 'tcp')).bytes.toString(), 'tcp');
    t.is((await exchange(t, path, 'unix')).bytes.toString(), 'unix');
  });

  test.serial(`proxy${called} --ready-file has the real address, whole, once bound`, async (t) => {
    const dir = tempDir(t);
    const file = join(dir, 'ready');
    const changes = watch(dir);
    t.teardown(() => changes.close());
    const proxy = startCli(t, ['proxy', '127.0.0.1:0', await startEcho(t), '--ready-file', file, ...flags]);
    const address = await proxy.address();
    while (!existsSync(file)) await once(changes, 'change');
    t.is((await exchange(t, address, 'x')).bytes.toString(), 'x');
    t.is(readFileSync(file, 'latin1'), `${address}\n`);
    t.deepEqual(readdirSync(dir), ['ready']);
  });
}

test.serial('proxy --ready-file that cannot be written is status 2, and nothing stays bound', async (t) => {
  const words = ['proxy', '127.0.0.1:0', '127.0.0.1:9', '--ready-file', '/nowhere/ready'];
  const { code, stderr } = await runCli(t, words);
  t.is(code, 2);
  t.regex(stderr, /\/nowhere\/ready: the address cannot be written \(ENOENT\) \(TNET_E_DESCRIPTOR\)\n$/);
});

for (const [called, flags, message] of [
  ['--ready-fd that is not open', ['--ready-fd', '77'], /fd:77: the descriptor of --ready-fd is not open/],
  ['--ready-file that is a folder', ['--ready-file', '/'], /\/: is not a regular file/],
] as const) {
  test.serial(`proxy ${called} is a usage error, and nothing is bound`, async (t) => {
    const { code, stderr } = await runCli(t, ['proxy', '127.0.0.1:0', '127.0.0.1:9', ...flags]);
    t.is(code, 2);
    t.regex(stderr, message);
    t.notRegex(stderr, /listening/);
  });
}

test.serial('proxy --ready-file where a recording takes the place of the clients is refused', async (t) => {
  const words = ['proxy', '-', '127.0.0.1:9', '--replay', '/nowhere/r', '--ready-file', '/nowhere/ready'];
  const { code, stderr } = await runCli(t, words);
  t.is(code, 2);
  t.regex(stderr, /--ready-file: makes no sense with - as LISTEN/);
});

for (const [called, env] of engines) {
  test.serial(`proxy --mode, --owner and --retry-bind do not cost the lane${called}`, async (t) => {
    const path = join(tempDir(t), 's');
    const owner = `${process.getuid!()}:${process.getgid!()}`;
    const flags = ['--mode', '0600', '--owner', owner, '--retry-bind', '-vv'];
    const proxy = startCli(t, ['proxy', path, await startEcho(t), ...flags], { env });
    await proxy.said(called === '' ? /: express lane/ : /no express lane: no native engine/);
    t.is(statSync(path).mode & 0o777, 0o600);
    t.is((await exchange(t, path, 'x')).bytes.toString(), 'x');
  });

  test.serial(`SIGHUP gives a path that stays bound the mode that the file says now${called}`, async (t) => {
    const dir = tempDir(t);
    const [path, file] = [join(dir, 's'), join(dir, 'config')];
    const pair = { listen: path, targets: [await startEcho(t)] };
    writeConfig(file, [{ ...pair, mode: '0600' }]);
    const proxy = startCli(t, ['proxy', '--config', file, '-v'], { env });
    await proxy.address();
    const inode = statSync(path).ino;
    const plain = join(dir, 'plain');
    const other = await occupy(plain);
    t.teardown(() => other.close());
    t.is(statSync(path).mode & 0o777, 0o600);
    writeConfig(file, [{ ...pair, mode: '0660' }], proxy);
    await proxy.said(/1 pair/);
    t.is(statSync(path).mode & 0o777, 0o660);
    writeConfig(file, [pair], proxy);
    await proxy.said(/(1 pair[^]*){2}/);
    t.is(statSync(path).mode, statSync(plain).mode);
    t.is(statSync(path).ino, inode);
    t.is((await exchange(t, path, 'x')).bytes.toString(), 'x');
  });

  test.serial(
    `a new pair whose address is in use is waited for, while the old one serves${called}`,
    async (t) => {
      const dir = tempDir(t);
      const [path, taken, file] = [join(dir, 's'), join(dir, 'taken'), join(dir, 'config')];
      const other = await occupy(taken);
      const targets = [await startEcho(t)];
      const old = { listen: path, targets };
      writeConfig(file, [old]);
      const proxy = startCli(t, ['proxy', '--config', file, '-v', '--retry-bind'], { env });
      await proxy.address();
      writeConfig(file, [old, { listen: taken, targets }], proxy);
      await proxy.said(/in use, next try in 1 s/);
      t.is((await exchange(t, path, 'old')).bytes.toString(), 'old');
      other.close();
      await proxy.said(/2 pairs/);
      t.is((await exchange(t, taken, 'new')).bytes.toString(), 'new');
      t.is((await exchange(t, path, 'old')).bytes.toString(), 'old');
    },
  );
}

test.serial('the next SIGHUP ends the waiting for an address', async (t) => {
  const dir = tempDir(t);
  const [path, taken, file] = [join(dir, 's'), join(dir, 'taken'), join(dir, 'config')];
  const other = await occupy(taken);
  t.teardown(() => other.close());
  const pair = { listen: path, targets: [await startEcho(t)] };
  writeConfig(file, [pair]);
  const proxy = startCli(t, ['proxy', '--config', file, '-v', '--retry-bind']);
  await proxy.address();
  writeConfig(file, [pair, { ...pair, listen: taken }], proxy);
  await proxy.said(/in use, next try in 1 s/);
  writeConfig(file, [pair], proxy);
  await proxy.said(/taken: another server is listening on this path/);
  await proxy.said(/1 pair/);
  t.is((await exchange(t, path, 'x')).bytes.toString(), 'x');
});

test.serial('proxy --retry-bind waits for its address, and a SIGTERM ends the waiting', async (t) => {
  const path = join(tempDir(t), 's');
  const other = await occupy(path);
  const words = ['proxy', '-v', '--retry-bind', path, await startEcho(t)];
  const [patient, ended] = [startCli(t, words), startCli(t, words)];
  await Promise.all([patient.said(/in use, next try in 1 s/), ended.said(/in use, next try in 1 s/)]);
  ended.child.kill('SIGTERM');
  t.is((await ended.exit).code, 143);
  t.notRegex(ended.stderr(), /EADDRINUSE|TNET_E_PATH_IN_USE/);
  other.close();
  t.is(await patient.address(), path);
  t.is((await exchange(t, path, 'x')).bytes.toString(), 'x');
});

for (const [words, message] of [
  [['--mode', '0600', '127.0.0.1:0', '/nowhere/target'], /--mode: makes sense only where LISTEN is a path/],
  [['--owner', '0:0', '127.0.0.1:0', '/nowhere/target'], /--owner: makes sense only where LISTEN is a path/],
  [['--owner', 'no such user', 'DIR/s', '1'], /--owner no such user: there is no user "no such user"/],
  [['--owner', ':no-such-group', 'DIR/s', '1'], /there is no group "no-such-group"/],
  [['--owner', '0:', 'DIR/s', '1'], /an owner is USER, USER:GROUP or :GROUP/],
  [['--mode', '0600', 'unix:@tnet-no-file', '1'], /an abstract socket has none/],
  [['--mode', '9', 'DIR/s', '1'], /permissions are three octal digits/],
] as const) {
  test.serial(`proxy ${words.join(' ')} is a usage error, and nothing is bound`, async (t) => {
    const dir = tempDir(t);
    const { code, stderr } = await runCli(t, ['proxy', ...words.map((word) => word.replace('DIR', dir))]);
    t.is(code, 2, stderr);
    t.regex(stderr, message);
    t.false(existsSync(join(dir, 's')));
  });
}

for (const command of ['listen', 'echo', 'proxy']) {
  const server = async (t: ExecutionContext, path: string) =>
    command === 'proxy' ? ['proxy', path, await startEcho(t)] : [command, '-U', path];

  test.serial(`${command} --owner takes names and numbers`, async (t) => {
    const path = join(tempDir(t), 's');
    const { username, uid, gid } = userInfo();
    await startCli(t, [...(await server(t, path)), '--owner', `${username}:${gid}`]).address();
    t.is(statSync(path).uid, uid);
    t.is(statSync(path).gid, gid);
  });

  const asRoot = process.getuid!() === 0 ? test.serial : test.serial.skip;
  asRoot(`${command} --owner gives the Unix socket to another user, with its mode`, async (t) => {
    const path = join(tempDir(t), 's');
    const words = [...(await server(t, path)), '--mode', '0660', '--owner', '65533:65532'];
    await startCli(t, words).address();
    const { uid, gid, mode } = statSync(path);
    t.deepEqual([uid, gid, mode & 0o777], [65533, 65532, 0o660]);
  });

  asRoot(`${command} --owner that is not permitted is status 2, and nothing stays bound`, async (t) => {
    const dir = tempDir(t);
    chmodSync(dir, 0o777);
    const words = [...(await server(t, join(dir, 's'))), '--owner', '0:0'];
    const child = spawn(process.execPath, [tnetPath, ...words], {
      uid: 65533,
      gid: 65533,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const stderr = readText(child.stderr);
    t.deepEqual(await once(child, 'close'), [2, null], stderr.text());
    t.regex(stderr.text(), /\(EPERM\)/);
    t.deepEqual(readdirSync(dir), []);
  });
}

test.serial('proxy --pause accepts the next client only after its time, and loses none', async (t) => {
  const words = ['proxy', '--json', '--pause', '300ms', '127.0.0.1:0', await startEcho(t)];
  const proxy = startCli(t, words);
  const [, address] = await proxy.said(/"address":"([^"]+)"/);
  const answers = await Promise.all(['1', '2', '3'].map((sent) => exchange(t, address!, sent)));
  t.deepEqual(
    answers.map(({ bytes }) => bytes.toString()),
    ['1', '2', '3'],
  );
  await proxy.said(/("ended"[^]*){3}/);
  const accepted = proxy.stderr().matchAll(/"time":"([^"]+)","event":"accepted"/g);
  const times = [...accepted].map(([, time]) => Date.parse(time!));
  t.is(times.length, 3);
  // A busy machine may report one client late and the next in time, so two waits together are what can be told.
  t.true(times[2]! - times[0]! >= 500, String(times));
});
