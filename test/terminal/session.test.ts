import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { testWith } from '../helpers/programs.ts';
import { startScriptedServer } from '../helpers/scripted-server.ts';
import { tempDir } from '../helpers/temp.ts';
import { openScreen, showingStatus, tnetCommand, type Screen } from '../helpers/tmux.ts';

const test = testWith('tmux', 'bash', 'stty');

const willEcho = Buffer.from('fffb01fffb03', 'hex');
const windowOf = (columns: number, rows: number) =>
  Buffer.from([255, 250, 31, 0, columns, 0, rows, 255, 240]);

/** Asks the shell to run tnet, and to show its status behind it. */
function start(screen: Screen, args: string): void {
  screen.run(showingStatus(`${tnetCommand} connect ${args}`));
}

test('a line is edited on the terminal and sent whole; Ctrl-C ends with status 130', async (t) => {
  const server = await startScriptedServer(
    t,
    (socket) => void socket.on('data', (line) => socket.write(`got ${line.toString()}`)),
  );
  const screen = await openScreen(t);
  const before = await screen.settings();
  start(screen, `127.0.0.1 ${server.port}`);
  screen.press('hellu', 'BSpace', 'o', 'Enter');
  await screen.shows(/^got hello$/m);
  screen.press('C-c');
  await screen.shows(/status 130!/);
  t.is(server.received().toString(), 'hello\n');
  t.is(await screen.settings(), before);
});

test('--raw sends every key as it is typed, Ctrl-C and Ctrl-Z too, and the escape key leaves', async (t) => {
  const server = await startScriptedServer(t);
  const screen = await openScreen(t);
  const before = await screen.settings();
  start(screen, `--raw 127.0.0.1 ${server.port}`);
  await screen.shows(/the escape key is \^\]/);
  screen.press('ab', 'C-c', 'C-z', 'C-d', 'C-s', 'C-q', 'Enter', 'Tab');
  await server.gets(Buffer.from('ab\x03\x1a\x04\x13\x11\r\t'));
  server.client().write('one\ntwo');
  await screen.shows(/^one\n {3}two/m);
  screen.press('C-]');
  await screen.shows(/tnet>/);
  screen.press('quit', 'Enter');
  await screen.shows(/status 0!/);
  t.is(await screen.settings(), before);
});

test('telnet gives single keys when the peer echoes, whole lines when it does not, and tells the window', async (t) => {
  const server = await startScriptedServer(t, (socket) => void socket.write(Buffer.from('fffd1f', 'hex')));
  const screen = await openScreen(t);
  const before = await screen.settings();
  start(screen, `-t 127.0.0.1 ${server.port}`);
  await server.gets(windowOf(100, 30));
  screen.press('line', 'Enter');
  await server.gets('line\r\n');
  await screen.shows(/^line$/m);
  server.client().write(Buffer.concat([willEcho, Buffer.from('keys: ')]));
  await screen.shows(/keys:/);
  screen.press('x');
  await server.gets('x');
  screen.press('Enter');
  await server.gets('x\r\0');
  screen.resize(120, 40);
  await server.gets(windowOf(120, 40));
  server.forget();
  screen.resize(100, 30);
  await server.gets(windowOf(100, 30));
  screen.press('C-]');
  await screen.shows(/tnet>/);
  screen.press('close', 'Enter');
  await screen.shows(/status 0!/);
  t.is(await screen.settings(), before);
});

test('the command mode shows the status, sends commands, and changes the escape key', async (t) => {
  const server = await startScriptedServer(
    t,
    (socket) => void socket.write(Buffer.concat([willEcho, Buffer.from('> ')])),
  );
  const screen = await openScreen(t);
  const before = await screen.settings();
  start(screen, `-t 127.0.0.1 ${server.port}`);
  await screen.shows(/^>/m);
  const command = async (line: string) => {
    screen.press('C-]');
    await screen.shows(/tnet>$/m);
    screen.press(line, 'Enter');
  };
  await command('status');
  await screen.shows(
    /connected to 127\.0\.0\.1:\d+, character mode, escape key \^\]\n.*\noptions of the peer: echo, suppress-go-ahead/,
  );
  await command('send ayt brk');
  await server.gets(Buffer.from('fff6fff3', 'hex'));
  await command('send escape');
  await server.gets('\x1d');
  await command('mode line');
  await server.gets(Buffer.from('fffe01', 'hex'));
  await command('?');
  await screen.shows(/set escape \^X\|none: change the escape key/);
  screen.press('nonsense', 'Enter');
  await screen.shows(/no command nonsense; \? lists them/);
  screen.press('set escape ^T', 'Enter');
  await screen.isSet(/^isig -icanon/m);
  screen.press('C-t');
  await screen.shows(/tnet>$/m);
  screen.press('q', 'Enter');
  await screen.shows(/status 0!/);
  t.is(await screen.settings(), before);
});

test('the command mode negotiates options, keeps variables, and runs a command of the shell', async (t) => {
  const server = await startScriptedServer(t);
  const screen = await openScreen(t);
  start(screen, `-t --user me 127.0.0.1 ${server.port}`);
  await screen.shows(/the escape key is/);
  const command = async (line: string) => {
    screen.press('C-]');
    await screen.shows(/tnet>$/m);
    screen.press(line, 'Enter');
  };
  await command('send will 39');
  await server.gets(Buffer.from('fffb27', 'hex'));
  await command('send do echo');
  await server.gets(Buffer.from('fffd01', 'hex'));
  await command('toggle binary');
  await server.gets(Buffer.from('fffb00fffd00', 'hex'));
  await command('logout');
  await server.gets(Buffer.from('fffd12', 'hex'));
  server.client().write(Buffer.from('fffd27', 'hex'));
  await command('environ define LANG C');
  await server.gets(Buffer.from('fffa2702034c414e470143fff0', 'hex'));
  screen.press('display', 'Enter');
  await screen.shows(/options here: .*\n.*\nUSER=me\nLANG=C\ntnet>$/m);
  screen.press('!echo from the $((40 + 2)) shell', 'Enter');
  await screen.shows(/^from the 42 shell$/m);
  screen.press('open other 24', 'Enter');
  await screen.shows(/connected to 127\.0\.0\.1:\d+, .*\nquit, and then: tnet connect -t other 24$/m);
  screen.press('send do nothing', 'Enter');
  await screen.shows(/do which option\? a number from 0 to 254/);
  t.notRegex(screen.text(), /no command/);
  screen.press('quit', 'Enter');
  await screen.shows(/status 0!/);
});

for (const [key, text] of [
  ['C-c', String.raw`\^C`],
  ['C-\\', String.raw`\^\\`],
] as const) {
  test(`${key} reaches the shell's command of the command mode, and not the session`, async (t) => {
    const server = await startScriptedServer(t);
    const screen = await openScreen(t);
    const before = await screen.settings();
    start(screen, `-t 127.0.0.1 ${server.port}`);
    await screen.shows(/the escape key is/);
    screen.press('C-]');
    await screen.shows(/tnet>$/m);
    screen.press('!echo "wai"ting; exec sleep 60', 'Enter');
    await screen.shows(/^waiting$/m);
    screen.press(key);
    await screen.shows(new RegExp(`^${text}.*\ntnet>$`, 'm'));
    screen.press('', 'Enter');
    await screen.isSet(/-icanon/);
    screen.press('still here', 'Enter');
    await server.gets('still here\r\n');
    // From now on it is the session's again.
    screen.press('C-c');
    await screen.shows(/status 130!/);
    t.is(await screen.settings(), before);
  });
}

test('what is typed while a command of the shell runs is read by it, word for word, and Ctrl-Z stops both', async (t) => {
  const server = await startScriptedServer(t);
  const screen = await openScreen(t);
  start(screen, `-t 127.0.0.1 ${server.port}`);
  await screen.shows(/the escape key is/);
  screen.press('C-]');
  await screen.shows(/tnet>$/m);
  screen.press('!echo "name  please"; read a; echo "it is <$a>"; read b; echo "and <$b>"', 'Enter');
  await screen.shows(/^name {2}please$/m);
  screen.press('anybody', 'Enter');
  await screen.shows(/^it is <anybody>$/m);
  screen.press('C-z');
  await screen.shows(/Stopped/);
  screen.run('fg');
  await screen.shows(/Stopped[^]*connect -t/);
  await screen.isSet(/[^-]icanon/);
  screen.press('more', 'Enter');
  await screen.shows(/^and <more>\ntnet>$/m);
  screen.press('quit', 'Enter');
  await screen.shows(/ready>$/m);
  t.false(server.received().includes('anybody') || server.received().includes('more'));
});

test('Ctrl-Z in a line mode gives the terminal back, and fg takes it again', async (t) => {
  const server = await startScriptedServer(t, (socket) => void socket.write(Buffer.from('fffb01', 'hex')));
  const screen = await openScreen(t);
  const before = await screen.settings();
  start(screen, `-t 127.0.0.1 ${server.port}`);
  await server.gets(Buffer.from('fffd01', 'hex'));
  screen.press('C-z');
  await screen.shows(/Stopped/);
  t.is(await screen.settings(), before);
  screen.run('fg');
  // The shell reads keys with -icanon, until it gives the terminal over.
  await screen.isSet(/[^-]icanon/);
  screen.press('again', 'Enter');
  await server.gets('again\r\n');
  screen.press('C-c');
  await screen.shows(/ready>$/m);
  t.is(await screen.settings(), before);
});

test('suspend gives the terminal back from the character mode, and fg takes it again', async (t) => {
  const server = await startScriptedServer(t);
  const screen = await openScreen(t);
  const before = await screen.settings();
  start(screen, `--raw 127.0.0.1 ${server.port}`);
  await screen.shows(/the escape key is/);
  screen.press('C-]');
  await screen.shows(/tnet>/);
  screen.press('suspend', 'Enter');
  await screen.shows(/Stopped/);
  t.is(await screen.settings(), before);
  screen.run('fg');
  await screen.isSet(/-isig/);
  screen.press('k');
  await server.gets('k');
  server.client().end();
  await screen.shows(/ready>$/m);
  t.is(await screen.settings(), before);
});

const signals = [
  ['TERM', 143],
  ['INT', 130],
  ['HUP', 129],
] as const;

for (const [signal, status] of signals) {
  test(`kill -${signal} gives the terminal back, with status ${status}`, async (t) => {
    await endBy(t, signal, status);
  });
}

test('a crash gives the terminal back', async (t) => {
  const file = join(tempDir(t), 'crash.cjs');
  writeFileSync(file, `process.on('SIGUSR2', () => { throw new Error('crash'); });`);
  await endBy(t, 'USR2', 1, `NODE_OPTIONS=--require=${file} `);
});

async function endBy(t: ExecutionContext, signal: string, status: number, environment = ''): Promise<void> {
  const server = await startScriptedServer(t);
  const screen = await openScreen(t);
  const before = await screen.settings();
  screen.run(showingStatus(`(${environment}exec ${tnetCommand} connect --raw 127.0.0.1 ${server.port})`));
  await screen.shows(/the escape key is/);
  screen.press('k');
  await server.gets('k');
  const { execFileSync } = await import('node:child_process');
  const pid = execFileSync('pgrep', ['-f', `connect --raw 127.0.0.1 ${server.port}$`], {
    encoding: 'utf8',
  }).trim();
  process.kill(Number(pid), `SIG${signal}`);
  await screen.shows(new RegExp(`status ${status}!`));
  t.is(await screen.settings(), before);
}
