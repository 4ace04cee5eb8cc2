import { writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { connectPeer } from '../helpers/peers.ts';
import { closedPort, runCli } from '../helpers/cli.ts';
import { testWith } from '../helpers/programs.ts';
import { startScriptedServer } from '../helpers/scripted-server.ts';
import { tempDir } from '../helpers/temp.ts';
import { openScreen, showingStatus, tnetCommand } from '../helpers/tmux.ts';

const test = testWith('tmux', 'bash', 'stty');

const sizes = [
  [80, 24],
  [200, 50],
] as const;

/** The lines of a screen, without the shell's prompt. */
function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('ready>'));
}

for (const [columns, rows] of sizes) {
  test(`a connection that takes its time shows the address tried and the limit on ${columns} columns, and no trace later`, async (t) => {
    // It accepts, and the handshake is left unanswered.
    const server = await startScriptedServer(t);
    const screen = await openScreen(t, { columns, rows });
    screen.run(showingStatus(`${tnetCommand} connect --tls -w 60s 127.0.0.1 ${server.port}`));
    await screen.shows(new RegExp(`^connecting to 127\\.0\\.0\\.1:${server.port} … \\(limit 1m00s\\)$`, 'm'));
    server.client().destroy();
    await screen.shows(/status 1!/);
    t.notRegex(screen.text(), /connecting/);
  });

  test(`--wait shows the address, the last error and the time left on ${columns} columns`, async (t) => {
    const port = await closedPort();
    const screen = await openScreen(t, { columns, rows });
    screen.run(showingStatus(`${tnetCommand} connect --wait 90s 127.0.0.1 ${port}`));
    await screen.shows(
      new RegExp(`^waiting for 127\\.0\\.0\\.1:${port}: connection refused, 1m\\d\\ds left$`, 'm'),
    );
    screen.press('C-c');
    await screen.shows(/status 130!/);
    t.notRegex(screen.text(), /waiting/);
  });

  test(`a transfer shows its share, its rate and the time left on one line of ${columns} columns, and ^C says what moved`, async (t) => {
    // Takes some, and then nothing more.
    const server = await startScriptedServer(t, (socket: Socket) =>
      socket.once('data', () => socket.pause()),
    );
    const file = join(tempDir(t), 'big');
    writeFileSync(file, Buffer.alloc(60_000_000));
    const screen = await openScreen(t, { columns, rows });
    screen.run(showingStatus(`${tnetCommand} connect 127.0.0.1 ${server.port} < ${file}`));
    const [bar] = await screen.shows(/^[█░]{24} \d+ %, sent .*$/m);
    t.regex(bar, /^[█░]{24} \d+ %, sent [\d.]+ k?M?B of 60\.0 MB, [\d.]+ k?M?B\/s(, \w+ left)?; \d+s$/);
    t.true(bar.length < columns);
    screen.press('C-c');
    await screen.shows(/status 130!/);
    const lines = linesOf(screen.text());
    t.regex(lines[0]!, /^tnet connect: connected to 127\.0\.0\.1:\d+ from 127\.0\.0\.1:\d+$/);
    t.regex(
      screen.text(),
      /^tnet connect: partial, interrupted: sent [\d.]+ k?M?B, received 0 B in [\d.]+ s$/m,
    );
    t.notRegex(screen.text(), /[█░]/);
  });
}

test('bytes that come while the progress is shown stand on lines of their own', async (t) => {
  const server = await startScriptedServer(t, (socket) => void socket.once('data', () => socket.pause()));
  const file = join(tempDir(t), 'big');
  writeFileSync(file, Buffer.alloc(60_000_000));
  const screen = await openScreen(t);
  screen.run(`clear; ${tnetCommand} connect 127.0.0.1 ${server.port} < ${file}`);
  await screen.shows(/ %, sent /);
  server.client().write('one\ntwo\n');
  await screen.shows(/^one\ntwo\n[█░]/m);
  server.client().write('within');
  await screen.shows(/^one\ntwo\nwithin$/m);
  t.notRegex(screen.text(), /█/);
  server.client().write(' a line\n');
  await screen.shows(/^one\ntwo\nwithin a line\n[█░]/m);
});

test('a listen on a terminal says who comes and goes, each in a line, and what has moved', async (t) => {
  const screen = await openScreen(t);
  const file = join(tempDir(t), 'got');
  screen.run(showingStatus(`${tnetCommand} listen --progress 127.0.0.1:0 > ${file}`));
  const [, address] = await screen.shows(/listening on (\S+)$/m);
  const client = await connectPeer(t, address!);
  await screen.shows(/^tnet listen: connection from 127\.0\.0\.1:\d+$/m);
  client.end('hello\n');
  await screen.shows(/status 0!/);
  t.regex(screen.text(), /^tnet listen: received 6 B in \d+\.\d s, [\d.]+ k?B\/s$/m);
  t.regex(screen.text(), /^tnet listen: 127\.0\.0\.1:\d+: eof, 6 bytes in, 0 bytes out in \d/m);
});

test('a line that says something begins behind what came within a line', async (t) => {
  const screen = await openScreen(t);
  screen.run(showingStatus(`${tnetCommand} listen 127.0.0.1:0`));
  const [, address] = await screen.shows(/listening on (\S+)$/m);
  const client = await connectPeer(t, address!);
  client.end('no newline');
  const [said] = await screen.shows(/^no newline\ntnet listen: 127\.0\.0\.1:\d+: eof, 10 bytes in/m);
  t.truthy(said);
});

test('--no-progress says nothing of it, and without a terminal nothing is said unless it is asked for', async (t) => {
  const server = await startScriptedServer(t, (socket) => socket.resume());
  const args = ['connect', '127.0.0.1', String(server.port)];
  const quiet = await runCli(t, args, 'hello');
  t.deepEqual([quiet.code, quiet.stderr], [0, '']);
  const asked = await runCli(t, [...args, '--progress'], 'hello');
  t.regex(asked.stderr, /^tnet connect: sent 5 B in \d+\.\d s, [\d.]+ k?B\/s\n$/);
  const events = await runCli(t, [...args, '--progress', '--json'], 'hello');
  t.notRegex(events.stderr, /^tnet/m);
  const screen = await openScreen(t);
  const shown = showingStatus(`echo hello | ${tnetCommand} ${args.join(' ')} --no-progress -v > /dev/null`);
  screen.run(shown);
  await screen.shows(/status 0!/);
  t.notRegex(screen.text(), /sent/);
});
