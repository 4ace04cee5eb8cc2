import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { collect, payload, sameBytes } from '../helpers/bytes.ts';
import { closedPort, runCli, startCli, tnetPath } from '../helpers/cli.ts';
import { connectPeer, serverWords, startPeerServer } from '../helpers/peers.ts';
import { tempDir } from '../helpers/temp.ts';

for (const family of ['tcp', 'unix'] as const) {
  test(`an answer that comes 5 s after our end arrives whole on ${family}`, async (t) => {
    const answer = payload(200_000);
    const server = await startPeerServer(t, family, (socket) => {
      socket.resume();
      socket.once('end', () => setTimeout(() => socket.end(answer), 5000));
    });
    const { code, stdout } = await runCli(t, ['connect', ...server.words], 'request\n');
    t.is(code, 0);
    sameBytes(t, stdout, answer);
  });
}

test('stdout ends at once when the peer ends, and connect with its stdin', async (t) => {
  const server = await startPeerServer(t, 'tcp');
  const cli = startCli(t, ['connect', ...server.words]);
  (await server.accept()).end('BYE');
  t.is((await collect(cli.stdout)).toString(), 'BYE');
  t.is(cli.child.exitCode, null);
  cli.stdin.end();
  t.is((await cli.exit).code, 0);
});

test('--keep-sending goes on sending after the peer has ended, and stdout ends before', async (t) => {
  const server = await startPeerServer(t, 'tcp');
  const cli = startCli(t, ['connect', '--keep-sending', ...server.words]);
  const peer = await server.accept();
  peer.end('BYE');
  t.is((await collect(cli.stdout)).toString(), 'BYE');
  cli.stdin.end('late');
  t.is((await collect(peer)).toString(), 'late');
  t.is((await cli.exit).code, 0);
});

test('-q ends the run after the end of stdin although the peer holds on', async (t) => {
  const server = await startPeerServer(t, 'tcp', (socket) => socket.write('greeting').valueOf());
  const cli = startCli(t, ['connect', '-q', '300ms', ...server.words]);
  cli.stdin.write('x');
  // However long a busy machine takes to accept, the time counts from the end of the input.
  t.is((await once(cli.stdout, 'data')).toString(), 'greeting');
  const endedAt = Date.now();
  cli.stdin.end();
  t.is((await cli.exit).code, 0);
  t.true(Date.now() - endedAt >= 290);
});

test('--no-shutdown does not half-close at the end of stdin', async (t) => {
  const server = await startPeerServer(t, 'tcp');
  const cli = startCli(t, ['connect', '--no-shutdown', ...server.words]);
  cli.stdin.end('request');
  const peer = await server.accept();
  peer.resume();
  const ended = once(peer, 'end').then(() => 'ended');
  t.is(((await once(peer, 'data'))[0] as Buffer).toString(), 'request');
  peer.write('answer');
  t.is(((await once(cli.stdout, 'data'))[0] as Buffer).toString(), 'answer');
  t.is(await Promise.race([ended, Promise.resolve('open')]), 'open');
  peer.end();
  t.is((await cli.exit).code, 0);
});

test('-N is accepted and means the default', async (t) => {
  const server = await startPeerServer(t, 'tcp', (socket) =>
    socket.on('data', () => socket.end('ok')).valueOf(),
  );
  const { code, stdout } = await runCli(t, ['connect', '-N', ...server.words], 'x');
  t.is(code, 0);
  t.is(stdout.toString(), 'ok');
});

test('-d never reads stdin and ends with the peer', async (t) => {
  const server = await startPeerServer(t, 'tcp');
  const cli = startCli(t, ['connect', '-d', ...server.words]);
  cli.stdin.write('not for you');
  const peer = await server.accept();
  peer.end('data');
  t.is((await collect(cli.stdout)).toString(), 'data');
  t.is((await cli.exit).code, 0);
  t.is((await collect(peer)).length, 0);
});

test('--send-only ends when everything is with the peer, and drops what the peer sends', async (t) => {
  const server = await startPeerServer(t, 'tcp');
  const sent = payload(5_000_000);
  const cli = startCli(t, ['connect', '--send-only', ...server.words]);
  cli.stdin.end(sent);
  const peer = await server.accept();
  peer.write('dropped');
  sameBytes(t, await collect(peer), sent);
  t.is((await cli.exit).code, 0);
  t.is((await collect(cli.stdout)).length, 0);
});

test('--send-only does not end while the peer has not taken everything', async (t) => {
  const server = await startPeerServer(t, 'tcp');
  const sent = payload(3_000_000);
  const cli = startCli(t, ['connect', '--send-only', ...server.words]);
  cli.stdin.end(sent);
  const peer = await server.accept();
  let isOver = false;
  void cli.exit.then(() => {
    isOver = true;
  });
  // Another whole run of the program is time enough for the first to have ended.
  await runCli(t, ['connect', '127.0.0.1', String(await closedPort())]);
  t.false(isOver);
  sameBytes(t, await collect(peer), sent);
  t.is((await cli.exit).code, 0);
});

test('-i ends an idle session with status 124 and says so', async (t) => {
  const server = await startPeerServer(t, 'tcp');
  const cli = startCli(t, ['connect', '-i', '200ms', ...server.words]);
  t.is((await cli.exit).code, 124);
  t.regex(
    cli.stderr(),
    /^tnet connect: 127\.0\.0\.1:\d+: no byte in either direction for 200 ms \(TNET_E_TIMEOUT\)\n$/,
  );
});

test('listen -w ends with status 124 when no client comes', async (t) => {
  const { code, stderr } = await runCli(t, ['listen', '-w', '200ms', '127.0.0.1:0']);
  t.is(code, 124);
  t.regex(stderr, /no client within 200 ms \(TNET_E_TIMEOUT\)/);
});

test("a reader of stdout that leaves is a quiet end, soon after the peer's next byte", async (t) => {
  const server = await startPeerServer(t, 'tcp');
  const words = [process.execPath, tnetPath, 'connect', ...server.words];
  const child = spawn('sh', ['-c', `"$@" | head -c 10; echo "\${PIPESTATUS:-}"`, 'sh', ...words], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill());
  const stderr = collect(child.stderr);
  const peer = await server.accept();
  peer.resume();
  const closed = new Promise((resolve) => peer.once('close', resolve));
  peer.write('0123456789');
  // What the shell prints next may come with it.
  t.regex(((await once(child.stdout, 'data'))[0] as Buffer).toString(), /^0123456789\n?$/);
  const startedAt = Date.now();
  const feed = setInterval(() => peer.write('more'), 10);
  t.teardown(() => clearInterval(feed));
  await closed;
  t.true(Date.now() - startedAt < 1000);
  t.is((await stderr).toString(), '');
});

test('SIGTERM delivers what was read and ends with status 143', async (t) => {
  const server = await startPeerServer(t, 'tcp');
  const cli = startCli(t, ['connect', '-v', ...server.words]);
  const peer = await server.accept();
  peer.write('before');
  t.is(((await once(cli.stdout, 'data'))[0] as Buffer).toString(), 'before');
  cli.child.kill('SIGTERM');
  t.is((await collect(peer)).length, 0);
  t.deepEqual(await cli.exit, { code: 143, signal: 'SIGTERM' });
});

test('SIGINT while waiting for a client ends with status 130', async (t) => {
  const cli = startCli(t, ['listen', '127.0.0.1:0']);
  await cli.address();
  cli.child.kill('SIGINT');
  t.deepEqual(await cli.exit, { code: 130, signal: 'SIGINT' });
});

test('a stdin that cannot be read is a failure of its own, with status 2', async (t) => {
  const server = await startPeerServer(t, 'tcp');
  const cli = startCli(t, ['connect', ...server.words], { stdin: { file: tempDir(t) } });
  t.is((await cli.exit).code, 2);
  t.regex(cli.stderr(), /^tnet connect: stdin: .*\(EISDIR\)\n$/);
});

test('a full disk on stdout is an error and not a success', async (t) => {
  const server = await startPeerServer(t, 'tcp', (socket) => socket.end('does not fit').valueOf());
  const full = openSync('/dev/full', 'w');
  const child = spawn(process.execPath, [tnetPath, 'connect', ...server.words], {
    stdio: ['ignore', full, 'pipe'],
  });
  const stderr = collect(child.stderr!);
  const [code] = (await once(child, 'exit')) as [number];
  t.is(code, 2);
  t.regex((await stderr).toString(), /^tnet connect: stdout: no space left on device \(ENOSPC\)\n$/);
});

test('stdin is taken from a file in whole, whatever its size', async (t) => {
  for (const bytes of [0, 1, 262_143, 262_144, 262_145, 3_000_000]) {
    const file = join(tempDir(t), 'f');
    const sent = payload(bytes);
    writeFileSync(file, sent);
    const server = await startPeerServer(t, 'tcp');
    const cli = startCli(t, ['connect', ...server.words], { stdin: { file } });
    const peer = await server.accept();
    sameBytes(t, await collect(peer), sent);
    peer.end();
    t.is((await cli.exit).code, 0);
  }
});

test('a while-read loop visits every line, because connect -d leaves stdin alone', async (t) => {
  const server = await startPeerServer(t, 'tcp', (socket) => socket.end('.').valueOf());
  const script = 'printf "1\\n2\\n3\\n" | while read -r n; do "$@"; done';
  const child = spawn(
    'sh',
    ['-c', script, 'sh', process.execPath, tnetPath, 'connect', '-d', ...server.words],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  t.is((await collect(child.stdout)).toString(), '...');
});

test('the next command in a script gets a blocking stdin and stdout back', async (t) => {
  const server = await startPeerServer(t, 'tcp', (socket) => socket.end('x').valueOf());
  // 04000 is O_NONBLOCK; the flags line of fdinfo is octal.
  const script = '"$@"; for fd in 0 1; do sed -n "s/flags:[^0-9]*//p" /proc/self/fdinfo/$fd >&2; done';
  const words = ['connect', '--end-with-peer', ...server.words];
  const child = spawn('sh', ['-c', script, 'sh', process.execPath, tnetPath, ...words], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdout.resume();
  const flags = (await collect(child.stderr)).toString().trim().split('\n');
  t.is(flags.length, 2);
  for (const flag of flags) t.is(Number.parseInt(flag, 8) & 0o4000, 0, flag);
});

test('listen without -k serves one client and refuses the next', async (t) => {
  const cli = startCli(t, ['listen', ...serverWords(t, 'tcp')]);
  const address = await cli.address();
  const first = await connectPeer(t, address);
  first.write('hello');
  t.is(((await once(cli.stdout, 'data'))[0] as Buffer).toString(), 'hello');
  const error = await t.throwsAsync(connectPeer(t, address));
  t.is((error as NodeJS.ErrnoException).code, 'ECONNREFUSED');
  first.end();
  cli.stdin.end();
  t.is((await cli.exit).code, 0);
});

test('listen -k serves clients at the same time, and stdin goes to the first', async (t) => {
  const cli = startCli(t, ['listen', '-k', ...serverWords(t, 'tcp')]);
  const address = await cli.address();
  const first = await connectPeer(t, address);
  first.write('first ');
  t.is(((await once(cli.stdout, 'data'))[0] as Buffer).toString(), 'first ');
  const second = await connectPeer(t, address);
  second.end('second ');
  t.is(((await once(cli.stdout, 'data'))[0] as Buffer).toString(), 'second ');
  t.is((await collect(second)).length, 0);
  cli.stdin.end('for the first');
  t.is((await collect(first)).toString(), 'for the first');
  first.end('last');
  t.is(((await once(cli.stdout, 'data'))[0] as Buffer).toString(), 'last');
  cli.child.kill('SIGTERM');
  t.is((await cli.exit).code, 143);
});

test('-C sends CRLF for LF and never doubles one, whatever the chunks', async (t) => {
  const server = await startPeerServer(t, 'tcp');
  const cli = startCli(t, ['connect', '-C', ...server.words]);
  const peer = await server.accept();
  cli.stdin.write('a\nb\r');
  await once(peer.resume(), 'data');
  cli.stdin.end('\nc\rd\n\n');
  t.is((await collect(peer)).toString(), '\nc\rd\r\n\r\n');
  peer.end();
  t.is((await cli.exit).code, 0);
});
