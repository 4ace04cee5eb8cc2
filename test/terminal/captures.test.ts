import type { ExecutionContext } from 'ava';
import { commandTable } from '../../commands/command-table.ts';
import { startCli } from '../helpers/cli.ts';
import { readText } from '../helpers/lines.ts';
import { connectPeer } from '../helpers/peers.ts';
import { testWith } from '../helpers/programs.ts';
import { startEcho } from '../helpers/proxy.ts';
import { openScreen, showingStatus, tnetCommand, type Screen } from '../helpers/tmux.ts';

const test = testWith('tmux', 'bash', 'stty');

const sizes = [
  [80, 24],
  [200, 50],
] as const;

/** What must be the same in every run: ports, times and rates by name, without blank lines. */
function steady(text: string): string {
  return text
    .replace(/127\.0\.0\.1:[1-9]\d*/g, 'ADDRESS')
    .replace(/\d\d:\d\d:\d\d\.\d{6}/g, 'TIME')
    .replace(/ in [\d.]+ s$/gm, ' in N s')
    .replace(/ in [\d.]+ s, \d+ B\/s$/gm, ' in N s, RATE')
    .replace(/^throughput: \S+/gm, 'throughput: RATE')
    .replace(/\b[1-9]\d* sent, [1-9]\d* back/g, 'N sent, N back')
    .replace(/\b(min|p50|p90|p99|max) [\d.]+/g, '$1 N')
    .replace(/(?:^from [\d.]+ (?:µs|ms|s) +\d+(?: {2}█*)?\n)+/gm, 'from N N █\n')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('ready>'))
    .join('\n');
}

interface Scene {
  readonly title: string;
  /** Runs a command on the screen until all is there that is compared. */
  readonly play: (t: ExecutionContext, screen: Screen) => Promise<void>;
  readonly shown: string | { readonly narrow: string; readonly wide: string };
}

const tapHead = `tnet proxy: 127.0.0.1:0 -> ADDRESS
tnet proxy: listening on ADDRESS
TIME 1 = ADDRESS -> ADDRESS to ADDRESS`;
const tapTail = `TIME 1 = end of >
TIME 1 = end of <
TIME 1 = closed: eof
^Ctnet proxy: 1 connection, 20 bytes in, 20 bytes out in N s
status 130!`;

const scenes: readonly Scene[] = [
  {
    title: 'the tap of a proxy',
    async play(t, screen) {
      screen.run(showingStatus(`${tnetCommand} proxy --tap 127.0.0.1:0 ${await startEcho(t)}`));
      const [, address = ''] = await screen.shows(/listening on (\S+)$/m);
      const client = await connectPeer(t, address);
      client.write('0123456789abcdefghi\n');
      await readText(client).until(/i\n/);
      await screen.shows(/ < 0+10 /);
      client.end();
      await screen.shows(/closed: eof/);
      screen.press('C-c');
    },
    shown: {
      narrow: `${tapHead}
TIME 1 > 00000000 30 31 32 33 34 35 36 37 |01234567|
TIME 1 > 00000008 38 39 61 62 63 64 65 66 |89abcdef|
TIME 1 > 00000010 67 68 69 0a             |ghi.|
TIME 1 < 00000000 30 31 32 33 34 35 36 37 |01234567|
TIME 1 < 00000008 38 39 61 62 63 64 65 66 |89abcdef|
TIME 1 < 00000010 67 68 69 0a             |ghi.|
${tapTail}`,
      wide: `${tapHead}
TIME 1 > 00000000 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 |0123456789abcdef|
TIME 1 > 00000010 67 68 69 0a                                     |ghi.|
TIME 1 < 00000000 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66 |0123456789abcdef|
TIME 1 < 00000010 67 68 69 0a                                     |ghi.|
${tapTail}`,
    },
  },
  {
    title: 'the start of a proxy',
    async play(_t, screen) {
      const flags = '--latency 100ms±20ms --bandwidth 64k --idle 90s';
      screen.run(showingStatus(`${tnetCommand} proxy 127.0.0.1:0 127.0.0.1:9 ${flags}`));
      await screen.shows(/listening on/);
      screen.press('C-c');
    },
    shown: `tnet proxy: 127.0.0.1:0 -> ADDRESS; idle 90 s; latency 100 ms±20 ms; bandwidth 64k
tnet proxy: listening on ADDRESS
^Ctnet proxy: 0 connections, 0 bytes in, 0 bytes out in N s
status 130!`,
  },
  {
    title: 'who comes to a listen and goes, and the sums of its progress',
    async play(t, screen) {
      screen.run(showingStatus(`${tnetCommand} listen --progress 127.0.0.1:0`));
      const [, address = ''] = await screen.shows(/listening on (\S+)$/m);
      const client = await connectPeer(t, address);
      await screen.shows(/connection from/);
      client.end('hello\n');
    },
    shown: `tnet listen: listening on ADDRESS
tnet listen: connection from ADDRESS
hello
tnet listen: received 6 B in N s, RATE
tnet listen: ADDRESS: eof, 6 bytes in, 0 bytes out in N s
status 0!`,
  },
  {
    title: 'a chat, with who comes and goes',
    async play(t, screen) {
      screen.run(showingStatus(`${tnetCommand} listen --chat 127.0.0.1:0`));
      const [, address = ''] = await screen.shows(/listening on (\S+)$/m);
      const client = await connectPeer(t, address);
      await screen.shows(/user 1 joined/);
      client.end('good morning\n');
      await screen.shows(/user 1 left[^]*: eof/);
      screen.press('C-c');
    },
    shown: `tnet listen: listening on ADDRESS
tnet listen: connection from ADDRESS
<announce> user 1 joined from ADDRESS
<user 1> good morning
<announce> user 1 left
tnet listen: ADDRESS: eof, 13 bytes in, 45 bytes out in N s
tnet listen: 1 connection, 13 bytes in, 45 bytes out in N s
status 130!`,
  },
  {
    title: 'a session that ^C ends',
    async play(t, screen) {
      const address = await startCli(t, ['echo', '127.0.0.1:0']).address();
      screen.run(showingStatus(`${tnetCommand} connect ${address}`));
      await screen.shows(/connected to/);
      await screen.isSet(/-icanon -iexten/);
      screen.press('twice', 'Enter');
      await screen.shows(/^twice\ntwice$/m);
      screen.press('C-c');
    },
    shown: `tnet connect: connected to ADDRESS from ADDRESS
twice
twice
status 130!`,
  },
  {
    title: 'the result of a ping',
    async play(t, screen) {
      const address = await startCli(t, ['echo', '127.0.0.1:0']).address();
      screen.run(showingStatus(`${tnetCommand} echo --ping -c 5 --rate none ${address}`));
    },
    shown: `ADDRESS: N sent, N back, of 64 bytes each, in N s
0 lost (0 %), 0 wrong, 0 doubled, 0 out of order
round trip: min N, p50 N, p90 N, p99 N, max N ms
throughput: RATE each way
from N N █
status 0!`,
  },
];

for (const [columns, rows] of sizes) {
  for (const { title, play, shown } of scenes) {
    test(`${title} is shown so on ${columns} columns and ${rows} rows`, async (t) => {
      const screen = await openScreen(t, { columns, rows });
      await play(t, screen);
      await screen.shows(/status \d+!/);
      const expected = typeof shown === 'string' ? shown : columns < 100 ? shown.narrow : shown.wide;
      t.is(steady(screen.text()), expected);
    });
  }

  for (const words of ['-h', ...commandTable.map(({ name }) => `${name} -h`)]) {
    test(`tnet ${words} is shown as a whole on ${columns} columns and ${rows} rows`, async (t) => {
      const screen = await openScreen(t, { columns, rows });
      const whole = await screen.ask(`${tnetCommand} ${words}`);
      screen.run(`clear; ${tnetCommand} ${words}`);
      const last = whole.trimEnd().split('\n').at(-1) ?? '';
      await screen.shows(new RegExp(`^${last.replace(/[[\]().]/g, '\\$&')}\\nready>`, 'm'));
      t.is(screen.text().replace(/ready>\s*$/, ''), whole);
      t.true(whole.split('\n').every((line) => line.length <= 80));
    });
  }
}
