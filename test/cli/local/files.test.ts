import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { collect, payload, sameBytes } from '../../helpers/bytes.ts';
import { runCli, startCli } from '../../helpers/cli.ts';
import { connectPeer, startPeerServer } from '../../helpers/peers.ts';
import { tempDir } from '../../helpers/temp.ts';

for (const command of ['connect', 'listen'] as const) {
  test.serial(`${command} prints a file, and reads no input`, async (t) => {
    const file = join(tempDir(t), 'f');
    const bytes = payload(700_000);
    writeFileSync(file, bytes);
    const { code, stdout } = await runCli(t, [command, `file:${file}`], 'not for the file');
    sameBytes(t, stdout, bytes);
    sameBytes(t, readFileSync(file), bytes);
    t.is(code, 0);
  });

  test.serial(`${command} --send-only appends to a file`, async (t) => {
    const file = join(tempDir(t), 'f');
    writeFileSync(file, 'before\n');
    const bytes = payload(600_000);
    const { code, stdout } = await runCli(t, [command, '--send-only', `file:${file}`], bytes);
    sameBytes(t, readFileSync(file), Buffer.concat([Buffer.from('before\n'), bytes]));
    t.is(stdout.length, 0);
    t.is(code, 0);
  });
}

test.serial(
  'what clients of a proxy send is appended to a file, and in it when they see the end',
  async (t) => {
    const file = join(tempDir(t), 'log');
    const proxy = startCli(t, ['proxy', '127.0.0.1:0', `file:${file}`]);
    const address = await proxy.address();
    let all = Buffer.alloc(0);
    for (let client = 0; client < 3; client++) {
      const bytes = payload(300_000);
      const socket = await connectPeer(t, address);
      socket.end(bytes);
      t.is((await collect(socket)).length, 0);
      all = Buffer.concat([all, bytes]);
      sameBytes(t, readFileSync(file), all);
    }
  },
);

test.serial('a proxy sends a file to its target, and drops the answer', async (t) => {
  const file = join(tempDir(t), 'f');
  const bytes = payload(400_000);
  writeFileSync(file, bytes);
  const server = await startPeerServer(t, 'unix');
  const proxy = startCli(t, ['proxy', `file:${file}`, (server.target as { path: string }).path]);
  const peer = await server.accept();
  const received = collect(peer);
  peer.end('an answer');
  sameBytes(t, await received, bytes);
  t.is((await proxy.exit).code, 0);
  sameBytes(t, readFileSync(file), bytes);
});

test.serial('a file goes through a program into another file', async (t) => {
  const folder = tempDir(t);
  const [from, to] = [join(folder, 'from'), join(folder, 'to')];
  writeFileSync(from, 'abc');
  const first = await runCli(t, ['proxy', `file:${from}`, `sh:tr a-z A-Z > ${to}`]);
  t.is(first.code, 0);
  t.is(readFileSync(to, 'latin1'), 'ABC');
  const second = await runCli(t, ['proxy', 'exec:echo from a program', `file:${to}`]);
  t.is(second.code, 0);
  t.is(readFileSync(to, 'latin1'), 'ABCfrom a program\n');
});

test.serial('connect waits for the first writer of a FIFO and reads to its end', async (t) => {
  const fifo = join(tempDir(t), 'fifo');
  execFileSync('mkfifo', [fifo]);
  const cli = startCli(t, ['connect', '-v', `file:${fifo}`]);
  await cli.said(/connected to/);
  const received = collect(cli.stdout);
  const bytes = payload(300_000);
  const writer = spawn('sh', ['-c', `cat > '${fifo}'`], { stdio: ['pipe', 'inherit', 'inherit'] });
  writer.stdin.end(bytes);
  sameBytes(t, await received, bytes);
  t.is((await cli.exit).code, 0);
});

test.serial('what is sent to a FIFO waits until it is read', async (t) => {
  const fifo = join(tempDir(t), 'fifo');
  execFileSync('mkfifo', [fifo]);
  const bytes = payload(300_000);
  const cli = startCli(t, ['connect', '--send-only', `file:${fifo}`]);
  cli.stdin.end(bytes);
  const reader = spawn('cat', [fifo], { stdio: ['ignore', 'pipe', 'inherit'] });
  sameBytes(t, await collect(reader.stdout), bytes);
  t.is((await cli.exit).code, 0);
});

test.serial('a FIFO that nobody reads is an error after --wait-connect', async (t) => {
  const fifo = join(tempDir(t), 'fifo');
  execFileSync('mkfifo', [fifo]);
  const { code } = await runCli(t, ['connect', '--send-only', '-w', '200ms', `file:${fifo}`], 'x');
  t.is(code, 124);
});

test.serial('a full disk is one line with the count, in connect', async (t) => {
  const { code, stderr } = await runCli(t, ['connect', '--send-only', 'file:/dev/full'], 'x');
  t.is(
    stderr,
    'tnet connect: file:/dev/full: no space left on device (ENOSPC), after 0 bytes (TNET_E_UNSENT)\n',
  );
  t.is(code, 1);
});

test.serial('a full disk is one line with the count in proxy, and its client is reset', async (t) => {
  const proxy = startCli(t, ['proxy', '127.0.0.1:0', 'file:/dev/full']);
  const client = await connectPeer(t, await proxy.address());
  client.resume();
  client.write('x');
  const [error] = (await once(client, 'error').catch((failure: unknown) => [failure])) as [
    NodeJS.ErrnoException,
  ];
  t.is(error.code, 'ECONNRESET');
  await proxy.said(/no space left on device \(ENOSPC\), after 0 bytes \(TNET_E_UNSENT\)\n/);
});

const wrong: [what: string, path: string, pattern: RegExp][] = [
  ['a directory', '/tmp', /this is a directory \(TNET_E_ADDRESS\)/],
  ['a file that is not there', '/tmp/no/such/file', /no such file or directory \(ENOENT\)/],
];

for (const [what, path, pattern] of wrong) {
  test.serial(`${what} is one line in connect, listen and -z`, async (t) => {
    for (const words of [['connect'], ['listen'], ['connect', '-zv']]) {
      const { code, stderr } = await runCli(t, [...words, `file:${path}`]);
      if (words.includes('-zv') && what === 'a directory') continue;
      t.not(code, 0);
      t.regex(stderr, pattern);
      t.is(stderr.trimEnd().split('\n').length, 1);
    }
  });
}

test.serial('echo is refused for a file', async (t) => {
  const file = join(tempDir(t), 'f');
  writeFileSync(file, 'abc');
  const { code, stderr } = await runCli(t, ['echo', `file:${file}`]);
  t.is(code, 2);
  t.regex(stderr, /a file cannot be echoed: it is read or written, and not both/);
  t.is(readFileSync(file, 'latin1'), 'abc');
});
