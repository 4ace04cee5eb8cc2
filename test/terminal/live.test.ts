import { once } from 'node:events';
import { execFileSync } from 'node:child_process';
import type { ExecutionContext } from 'ava';
import { closedPort, startCli } from '../helpers/cli.ts';
import { connectPeer } from '../helpers/peers.ts';
import { testWith } from '../helpers/programs.ts';
import { startEcho } from '../helpers/proxy.ts';
import { readText } from '../helpers/lines.ts';
import { openScreen, showingStatus, tnetCommand, type Screen } from '../helpers/tmux.ts';

const test = testWith('tmux', 'bash', 'stty', 'pgrep');

interface Shown {
  readonly screen: Screen;
  readonly address: string;
  readonly pid: () => number;
}

/** Shows a proxy in front of an echo server on a screen. */
async function show(t: ExecutionContext, size: Parameters<typeof openScreen>[1], flags = ''): Promise<Shown> {
  const target = await startEcho(t);
  const address = `127.0.0.1:${await closedPort()}`;
  const screen = await openScreen(t, size);
  const words = `proxy ${address} ${target} --live${flags}`;
  screen.run(showingStatus(`(exec ${tnetCommand} ${words})`));
  const pid = () => Number(execFileSync('pgrep', ['-f', `${words}$`], { encoding: 'utf8' }).trim());
  return { screen, address, pid };
}

/** A client that has had `bytes` echoed, and stays. */
async function holdClient(t: ExecutionContext, address: string, bytes: number): Promise<void> {
  const client = await connectPeer(t, address);
  client.write(Buffer.alloc(bytes));
  for (let got = 0; got < bytes;) got += ((await once(client, 'data')) as [Buffer])[0].length;
}

for (const [columns, rows] of [
  [80, 24],
  [200, 50],
] as const) {
  test(`--live shows each connection with its bytes and rates at ${columns}×${rows}, and leaves no trace`, async (t) => {
    const { screen, address } = await show(t, { columns, rows });
    const before = await screen.shows(/0 open, 0 in all/).then(() => screen.text());
    t.regex(before, new RegExp(`^tnet proxy ${address} +\\ds$`, 'm'));
    await holdClient(t, address, 300_000);
    await holdClient(t, address, 0);
    await screen.shows(/^2 open, 2 in all, up 293k \S+\/s, down 293k \S+\/s$/m);
    await screen.shows(/^ +ID +CLIENT +TARGET +UP +UP\/S +DOWN +DOWN\/S +AGE$/m);
    await screen.shows(/^ +1 +127\.0\.0\.1:\d+ +127\.0\.0\.1:\d+ +293k +\S+ +293k +\S+ +\ds$/m);
    await screen.shows(/^ +2 +127\.0\.0\.1:\d+ +127\.0\.0\.1:\d+ +0 +0 +0 +0 +\ds$/m);
    screen.press('C-c');
    await screen.shows(/status 130!/);
    t.notRegex(screen.text(), /CLIENT|293k/);
    t.regex(screen.text(), /2 connections \(2 failed\), 300000 bytes in, 300000 bytes out/);
  });
}

for (const [columns, rows] of [
  [80, 24],
  [200, 50],
] as const) {
  for (const [command, target, counts] of [
    ['proxy', '127\\.0\\.0\\.1:\\d+ +', ' +'],
    ['echo', '', ', '],
  ] as const) {
    test(`${command} --live with --workers has a row for each worker at ${columns}×${rows}, and what each client moves`, async (t) => {
      const address = `127.0.0.1:${await closedPort()}`;
      const screen = await openScreen(t, { columns, rows });
      const words = command === 'proxy' ? `${address} ${await startEcho(t)}` : address;
      screen.run(showingStatus(`${tnetCommand} ${command} ${words} --live --workers 2`));
      await screen.shows(
        new RegExp(`^ +1 +pid \\d+${counts}0 / 0 .*\\n +2 +pid \\d+${counts}0 / 0 .*\\n\\n +ID +CLIENT`, 'm'),
      );
      await holdClient(t, address, 300_000);
      await holdClient(t, address, 2_048);
      await screen.shows(new RegExp(`^ +1 +pid \\d+${counts}1 / 1 +293k +\\S+ +293k `, 'm'));
      await screen.shows(new RegExp(`^ +2 +pid \\d+${counts}1 / 1 +2\\.0k +\\S+ +2\\.0k `, 'm'));
      await screen.shows(new RegExp(`^ +1 +127\\.0\\.0\\.1:\\d+ +${target}293k +\\S+ +293k `, 'm'));
      await screen.shows(new RegExp(`^ +2 +127\\.0\\.0\\.1:\\d+ +${target}2\\.0k +\\S+ +2\\.0k `, 'm'));
      await screen.shows(/^2 open, 2 in all, \w+ 295k /m);
      screen.press('q');
      await screen.shows(/status 130!/);
      t.notRegex(screen.text(), /pid/);
      t.regex(screen.text(), /2 connections \(2 failed\), 302048 bytes in, 302048 bytes out/);
    });
  }
}

test('--live is redrawn for a window that grows or shrinks', async (t) => {
  const { screen, address } = await show(t, { columns: 80, rows: 24 });
  await screen.shows(/0 open/);
  await holdClient(t, address, 10);
  await screen.shows(/^ +1 /m);
  for (const [columns, rows] of [
    [200, 50],
    [40, 6],
    [80, 24],
  ] as const) {
    screen.resize(columns, rows);
    await screen.shows(
      new RegExp(`^tnet proxy ${address} {${columns - 13 - address.length - 3},}\\d+s$`, 'm'),
    );
    const lines = screen.text().trimEnd().split('\n');
    t.is(lines.filter((line) => line.startsWith('tnet proxy')).length, 1);
    t.is(lines.length, rows, screen.text());
    t.is(lines.filter((line) => line !== '').length, 5, screen.text());
    t.is(lines.at(-1), 'q quit  ↑↓ scroll  s sort: rate  p pause');
  }
});

test('--live shows what is reported, and prints it when the view ends', async (t) => {
  const { screen, address } = await show(t, { columns: 120, rows: 24 }, ' -v');
  await screen.shows(/0 open/);
  await holdClient(t, address, 1);
  await screen.shows(/^tnet proxy: connection from 127\.0\.0\.1:\d+$/m);
  screen.press('C-c');
  await screen.shows(/status 130!/);
  t.regex(screen.text(), /connection from 127\.0\.0\.1:\d+\n[^]*1 connection \(1 failed\), 1 byte in/);
});

for (const [signal, status] of [
  ['TERM', 143],
  ['INT', 130],
  ['QUIT', 131],
  ['HUP', 129],
] as const) {
  test(`kill -${signal} while --live is on gives the terminal back, with status ${status}`, async (t) => {
    const { screen, pid } = await show(t, {});
    await screen.shows(/0 open/);
    process.kill(pid(), `SIG${signal}`);
    await screen.shows(new RegExp(`status ${status}!`));
    t.notRegex(screen.text(), /0 open, 0 in all, up/);
    t.regex(await screen.settings(), / icanon .*\n?.* echo /);
    screen.run('printf "%s\\n" wrapped-$(printf %0150d 0)');
    await screen.shows(/wrapped-0{150}/);
  });
}

test('--live shows the pair before the first client, and its keys sort, pause and quit', async (t) => {
  const { screen, address } = await show(t, { columns: 80, rows: 24 }, ' --latency 1ms --max-connections 7');
  await screen.shows(/^127\.0\.0\.1:\d+ -> 127\.0\.0\.1:\d+; max-connections 7; latency 1 ms$/m);
  await screen.shows(/^q quit {2}↑↓ scroll {2}s sort: rate {2}p pause$/m);
  screen.press('s');
  await screen.shows(/s sort: bytes/);
  screen.press('p');
  await screen.shows(/p go on/);
  await holdClient(t, address, 10);
  await holdClient(t, address, 10);
  t.regex(screen.text(), /^0 open/m);
  screen.press('p');
  await screen.shows(/^2 open/m);
  await screen.shows(/^ +1 [^]*^ +2 /m);
  screen.press('Down');
  await screen.shows(/AGE\n +2 /);
  screen.press('q');
  await screen.shows(/status 130!/);
  t.regex(await screen.settings(), / icanon .*\n?.* echo /);
});

test('a proxy on a terminal says at its start what it does, in a line for each pair', async (t) => {
  const screen = await openScreen(t);
  screen.run(
    `clear; ${tnetCommand} proxy 127.0.0.1:0 127.0.0.1:9 --latency 100ms±20ms --bandwidth 64k --idle 90s`,
  );
  await screen.shows(/listening on/);
  t.regex(
    screen.text(),
    /^tnet proxy: 127\.0\.0\.1:0 -> 127\.0\.0\.1:9; idle 90 s; latency 100 ms±20 ms; bandwidth 64k$/m,
  );
});

test('Ctrl-Z gives the terminal back, and fg shows the view again', async (t) => {
  const { screen } = await show(t, {});
  await screen.shows(/0 open/);
  // No signal beside it: a Ctrl-Z that finds the terminal given back has it drop what the shell has just printed.
  screen.press('C-z');
  await screen.shows(/Stopped/);
  t.notRegex(screen.text(), /0 open/);
  screen.run('fg');
  await screen.shows(/0 open/);
});

test('--live is coloured on a terminal, and not with NO_COLOR', async (t) => {
  const coloured = await show(t, {});
  await coloured.screen.shows(/0 open/);
  t.true(coloured.screen.paintedText().includes('\x1b['));
  const plain = await show(t, { environment: 'NO_COLOR=1' });
  await plain.screen.shows(/0 open/);
  t.false(plain.screen.paintedText().includes('\x1b['));
});

test('where TERM is dumb, --live prints a line of totals when something has changed', async (t) => {
  const { screen, address } = await show(t, { environment: 'TERM=dumb' });
  await screen.shows(/^0 open, 0 in all, up 0 0\/s, down 0 0\/s$/m);
  await holdClient(t, address, 2_048);
  await screen.shows(/^1 open, 1 in all, up 2\.0k \S+\/s, down 2\.0k \S+\/s$/m);
  screen.press('C-c');
  await screen.shows(/status 130!/);
  t.regex(screen.text(), /^0 open/m);
});

test('without a terminal, --live prints the same lines on standard output', async (t) => {
  const cli = startCli(t, ['proxy', '127.0.0.1:0', await startEcho(t), '--live']);
  const out = readText(cli.stdout);
  await out.until(/^0 open, 0 in all/);
  await holdClient(t, await cli.address(), 10);
  await out.until(/\n1 open, 1 in all, up 10 \S+\/s, down 10 \S+\/s\n/);
  cli.child.kill('SIGINT');
  t.is((await cli.exit).code, 130);
});
