import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import type net from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import { runCli, startCli, tnetPath } from '../helpers/cli.ts';
import { readText } from '../helpers/lines.ts';
import { exchange, startEcho } from '../helpers/proxy.ts';
import { tempDir } from '../helpers/temp.ts';

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
    const proxy = startCli(t, ['proxy', '127.0.0.1:0', await startEcho(t), '--ready-file', file, ...flags]);
    const address = await proxy.address();
    // A connection is served after the file is there.
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
  ['--ready-file that is a folder', ['--ready-file', '/'], /\/: is no regular file/],
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
