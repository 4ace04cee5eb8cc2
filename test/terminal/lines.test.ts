import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readText } from '../helpers/lines.ts';
import { connectPeer } from '../helpers/peers.ts';
import { testWith } from '../helpers/programs.ts';
import { startScriptedServer } from '../helpers/scripted-server.ts';
import { tempDir } from '../helpers/temp.ts';
import { openScreen, showingStatus, tnetCommand } from '../helpers/tmux.ts';

const test = testWith('tmux', 'bash', 'stty');

/** The terminal's settings while lines are edited here. A shell that edits its own leaves iexten on. */
const isEdited = /-icanon -iexten/;

for (const [columns, rows] of [
  [80, 24],
  [200, 50],
] as const) {
  test(`a line is edited with the arrow keys, which are never sent, on ${columns} columns`, async (t) => {
    const server = await startScriptedServer(t);
    const screen = await openScreen(t, { columns, rows });
    const before = await screen.settings();
    screen.run(showingStatus(`${tnetCommand} connect 127.0.0.1 ${server.port}`));
    await screen.isSet(isEdited);
    screen.press('held', 'Left', 'l', 'Home', 'X', 'Delete', 'h', 'End', 'o', 'BSpace', '!', 'Enter');
    await server.gets('\n');
    t.is(server.received().toString(), 'Xhelld!\n');
    screen.press('Up', 'Enter');
    await server.gets('\nXhelld!\n');
    screen.press('C-c');
    await screen.shows(/status 130!/);
    t.is(await screen.settings(), before);
  });

  test(`what comes while a line is typed stands above it, and a prompt before it, on ${columns} columns`, async (t) => {
    const server = await startScriptedServer(t, (socket) => void socket.write('name: '));
    const screen = await openScreen(t, { columns, rows });
    screen.run(`clear; ${tnetCommand} connect 127.0.0.1 ${server.port}`);
    await screen.shows(/^name: $|^name:$/m);
    screen.press('somebody');
    await screen.shows(/^name: somebody$/m);
    server.client().write('\nnews of the day\nand ');
    await screen.shows(/^name:\nnews of the day\nand somebody$/m);
    server.client().write('more\n> ');
    await screen.shows(/^name:\nnews of the day\nand more\n> somebody$/m);
    // A line over several rows of the screen goes and comes back as a whole.
    const long = 'y'.repeat(2 * columns);
    screen.press(long);
    await screen.shows(new RegExp(`^> somebody${long}$`, 'm'));
    server.client().write('\nlast\n');
    await screen.shows(new RegExp(`^>\\nlast\\nsomebody${long}$`, 'm'));
    t.is(screen.text().match(/somebody/g)?.length, 1);
    screen.press('Enter');
    await server.gets(`somebody${long}\n`);
  });
}

test('Ctrl-D in an empty line half-closes, Ctrl-Z stops, and fg shows the line again', async (t) => {
  const server = await startScriptedServer(t);
  const screen = await openScreen(t);
  const before = await screen.settings();
  screen.run(showingStatus(`${tnetCommand} connect 127.0.0.1 ${server.port}`));
  await screen.isSet(isEdited);
  screen.press('typed');
  await screen.shows(/^typed$/m);
  screen.press('C-z');
  await screen.shows(/Stopped/);
  t.is(await screen.settings(), before);
  screen.run('clear; fg');
  await screen.shows(/^typed$/m);
  screen.press(' on', 'Enter');
  await server.gets('typed on\n');
  screen.press('C-d');
  await screen.shows(/ready>$/m);
  t.is(server.received().toString(), 'typed on\n');
  t.is(await screen.settings(), before);
});

test('lines are kept for the host, for this user only, and none that is secret', async (t) => {
  const server = await startScriptedServer(t, (socket) => void socket.write('go on: '));
  const state = tempDir(t);
  const screen = await openScreen(t, { environment: `XDG_STATE_HOME=${state}` });
  const line = `${tnetCommand} connect 127.0.0.1 ${server.port}`;
  screen.run(showingStatus(line));
  await screen.isSet(isEdited);
  for (const typed of ['first', 'first', 'PASS hunter2', 'second']) {
    server.forget();
    screen.press(typed, 'Enter');
    await server.gets(`${typed}\n`);
  }
  server.client().write('Password: ');
  await screen.shows(/Password:/);
  screen.press('hunter3', 'Enter');
  await server.gets('hunter3\n');
  screen.press('C-c');
  await screen.shows(/status 130!/);
  const file = join(state, 'tnet/history', `127.0.0.1:${server.port}`);
  t.is(readFileSync(file, 'utf8'), 'first\nsecond\n');
  t.is(statSync(file).mode & 0o777, 0o600);
  t.is(statSync(join(state, 'tnet/history')).mode & 0o777, 0o700);
  screen.run(showingStatus(line));
  await screen.isSet(isEdited);
  server.forget();
  screen.press('Up', 'Up', 'Enter');
  await server.gets('first\n');
});

test('--history names the file, and --no-history keeps nothing', async (t) => {
  const server = await startScriptedServer(t);
  const state = tempDir(t);
  const file = join(state, 'mine');
  const screen = await openScreen(t, { environment: `XDG_STATE_HOME=${state}` });
  for (const flags of [`--history ${file}`, '--no-history']) {
    server.forget();
    screen.run(showingStatus(`${tnetCommand} connect ${flags} 127.0.0.1 ${server.port}`));
    await screen.isSet(isEdited);
    screen.press(flags.includes('no') ? 'nothing' : 'kept', 'Enter');
    await server.gets('\n');
    screen.press('C-c');
    await screen.shows(/status 130!/);
  }
  t.is(readFileSync(file, 'utf8'), 'kept\n');
  t.throws(() => statSync(join(state, 'tnet')));
});

test('listen edits lines too', async (t) => {
  const screen = await openScreen(t);
  screen.run(showingStatus(`${tnetCommand} listen 127.0.0.1:0`));
  const [, address] = await screen.shows(/listening on (\S+)$/m);
  const client = await connectPeer(t, address!);
  await screen.isSet(isEdited);
  screen.press('ac', 'Left', 'b', 'Enter');
  const chunks: Buffer[] = [];
  for await (const chunk of client) {
    chunks.push(chunk as Buffer);
    if (Buffer.concat(chunks).includes('\n')) break;
  }
  t.is(Buffer.concat(chunks).toString(), 'abc\n');
});

/** How the host of a server for many sees a guest's line, and a guest the host's. */
const rooms = [
  ['-k', 'news', 'typed'],
  ['-k --label', String.raw`\[1 127\.0\.0\.1:\d+\] news`, 'typed'],
  ['--broadcast', 'news', 'typed'],
  ['--chat', '<user 1> news', '<user 0> typed'],
] as const;

for (const [flags, shown, heard] of rooms) {
  for (const [columns, rows] of [
    [80, 24],
    [200, 50],
  ] as const) {
    test(`what a guest of listen ${flags} writes stands above the line that its host types, on ${columns} columns`, async (t) => {
      const screen = await openScreen(t, { columns, rows });
      const before = await screen.settings();
      screen.run(showingStatus(`${tnetCommand} listen ${flags} 127.0.0.1:0`));
      const [, address] = await screen.shows(/listening on (\S+)$/m);
      await screen.isSet(isEdited);
      screen.press('tyed', 'Left', 'Left', 'p');
      await screen.shows(/^typed$/m);
      const client = await connectPeer(t, address!);
      const said = readText(client);
      await screen.shows(/connection from[^]*typed$/m);
      client.write('news\n');
      await screen.shows(new RegExp(`^${shown}\ntyped$`, 'm'));
      t.is(screen.text().match(/typed/g)?.length, 1);
      screen.press('Enter');
      await said.until(new RegExp(`^${heard}\n`, 'm'));
      screen.press('C-c');
      await screen.shows(/status 130!/);
      t.is(await screen.settings(), before);
    });
  }
}

test('Ctrl-D ends what the host of a room says, and not the room; its lines are kept', async (t) => {
  const state = tempDir(t);
  const screen = await openScreen(t, { environment: `XDG_STATE_HOME=${state}` });
  const before = await screen.settings();
  screen.run(showingStatus(`${tnetCommand} listen --chat --history ${state}/lines 127.0.0.1:0`));
  const [, address] = await screen.shows(/listening on (\S+)$/m);
  await screen.isSet(isEdited);
  const client = await connectPeer(t, address!);
  const said = readText(client);
  await said.until(/you are user 1/);
  screen.press('one', 'Enter', 'Up', 'BSpace', 'ly', 'Enter');
  await said.until(/<user 0> one\n<user 0> only\n/);
  screen.press('C-d');
  await screen.isSet(/ icanon/);
  client.write('still here\n');
  await screen.shows(/^<user 1> still here$/m);
  screen.press('C-c');
  await screen.shows(/status 130!/);
  t.is(await screen.settings(), before);
  t.is(readFileSync(`${state}/lines`, 'utf8'), 'one\nonly\n');
});

test('a server in the background leaves the terminal to the shell', async (t) => {
  const screen = await openScreen(t);
  screen.run(`clear; ${tnetCommand} listen -k 127.0.0.1:0 &`);
  await screen.shows(/listening on \S+$/m);
  t.regex(await screen.settings(), / icanon .*\n?.* echo /);
  screen.run('kill %1; wait; echo "ov""er"');
  await screen.shows(/^over$/m);
});

test('telnet edits lines until the peer echoes, and keeps no password', async (t) => {
  const server = await startScriptedServer(t, (socket) => void socket.write('login: '));
  const state = tempDir(t);
  const screen = await openScreen(t, { environment: `XDG_STATE_HOME=${state}` });
  screen.run(showingStatus(`${tnetCommand} connect -t 127.0.0.1 ${server.port}`));
  await screen.shows(/^login:/m);
  screen.press('mr', 'Left', 'x', 'Enter');
  await server.gets('mxr\r\n');
  server.client().write(Buffer.concat([Buffer.from('fffb01', 'hex'), Buffer.from('key: ')]));
  await server.gets(Buffer.from('fffd01', 'hex'));
  await screen.isSet(/ icanon/);
  screen.press('hidden', 'Enter');
  await server.gets('hidden\r\n');
  server.client().write(Buffer.concat([Buffer.from('fffc01', 'hex'), Buffer.from('\r\n$ ')]));
  await server.gets(Buffer.from('fffe01', 'hex'));
  await screen.isSet(isEdited);
  screen.press('typed');
  await screen.shows(/typed$/m);
  screen.press('C-]');
  await screen.shows(/tnet>$/m);
  screen.press('status', 'Enter');
  await screen.shows(/line mode[^]*typed$/m);
  screen.press('Enter');
  await server.gets('typed\r\n');
  screen.press('C-c');
  await screen.shows(/status 130!/);
  t.is(readFileSync(join(state, 'tnet/history', `127.0.0.1:${server.port}`), 'utf8'), 'mxr\ntyped\n');
});
