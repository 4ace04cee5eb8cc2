import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import test from 'ava';
import { collect } from '../../helpers/bytes.ts';
import { closedPort, runCli, startCli, tnetPath } from '../../helpers/cli.ts';
import { startScriptedServer } from '../../helpers/scripted-server.ts';
import { startPeerServer } from '../../helpers/peers.ts';
import { tempDir } from '../../helpers/temp.ts';

test.serial('--crlf both makes CRLF of LF on the way out and LF of CRLF on the way in', async (t) => {
  const server = await startScriptedServer(t, (socket) => void socket.write('a\r\nb\nc\r'));
  const { stdout } = await runCli(
    t,
    ['connect', '--crlf', 'both', '127.0.0.1', String(server.port)],
    'x\ny\r\n',
  );
  t.is(server.received().toString(), 'x\r\ny\r\n');
  t.is(stdout.toString(), 'a\nb\nc\r');
});

test.serial('-p connects from the port that it names', async (t) => {
  const server = await startPeerServer(t, 'tcp', (socket) => socket.end(String(socket.remotePort)));
  const port = String(await closedPort());
  const { code, stdout } = await runCli(t, ['connect', '-p', port, ...server.words]);
  t.is(code, 0);
  t.is(stdout.toString(), port);
});

test.serial('--delay waits between lines', async (t) => {
  const server = await startScriptedServer(t);
  const startedAt = performance.now();
  await runCli(t, ['connect', '--delay', '200ms', '127.0.0.1', String(server.port)], '1\n2\n3\n');
  t.is(server.received().toString(), '1\n2\n3\n');
  t.true(performance.now() - startedAt >= 400);
});

test.serial('--timing reports each part once', async (t) => {
  const server = await startPeerServer(t, 'tcp', (socket) => socket.end('x'));
  const port = server.words[1]!;
  const { stderr } = await runCli(t, ['connect', '--timing', 'localhost', port]);
  const lines = stderr
    .trim()
    .split('\n')
    .map((line) => line.replace(/[\d.]+ ms/, 'N ms'));
  t.deepEqual(lines, [
    'tnet connect: timing: dns N ms',
    `tnet connect: timing: attempt 127.0.0.1:${port} N ms, connected`,
    'tnet connect: timing: connect N ms',
    'tnet connect: timing: first byte N ms',
    'tnet connect: timing: total N ms',
  ]);
});

test.serial('--timing --json reports the parts as events', async (t) => {
  const server = await startPeerServer(t, 'tcp', (socket) => socket.end('x'));
  const { stderr } = await runCli(t, ['connect', '--timing', '--json', ...server.words]);
  const events = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const phases = events.filter(({ event }) => event === 'timing').map(({ phase }) => phase);
  t.deepEqual(phases, ['attempt', 'connect', 'first-byte', 'total']);
});

test.serial('stdout that is a file gets every byte', async (t) => {
  const server = await startPeerServer(t, 'tcp', (socket) => socket.end('for the file'));
  const file = join(tempDir(t), 'out');
  writeFileSync(file, '');
  const child = spawn(process.execPath, [tnetPath, 'connect', ...server.words], {
    stdio: ['ignore', openSync(file, 'w'), 'inherit'],
  });
  t.deepEqual(await once(child, 'exit'), [0, null]);
  t.is(readFileSync(file, 'utf8'), 'for the file');
});

test.serial('the peer ends while stdin is quiet: -C does not hold the end of stdout back', async (t) => {
  const server = await startPeerServer(t, 'tcp');
  const cli = startCli(t, ['connect', '-C', ...server.words]);
  cli.stdin.write('line\n');
  const peer = await server.accept();
  peer.resume();
  t.is(((await once(peer, 'data'))[0] as Buffer).toString(), 'line\r\n');
  peer.end();
  const endedAt = performance.now();
  await collect(cli.stdout);
  t.true(performance.now() - endedAt < 5_000);
  cli.stdin.end();
  t.is((await cli.exit).code, 0);
});

test.serial('--raw and --escape are accepted when stdin is no terminal', async (t) => {
  const server = await startPeerServer(t, 'tcp', (socket) => socket.pipe(socket).valueOf());
  const { code, stdout } = await runCli(
    t,
    ['connect', '--raw', '--escape', 'none', ...server.words],
    'a\x1db',
  );
  t.is(code, 0);
  t.is(stdout.toString(), 'a\x1db');
});
