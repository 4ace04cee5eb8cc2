import { startPeerServer } from '../helpers/peers.ts';
import { testWith } from '../helpers/programs.ts';
import { openScreen, showingStatus, tnetCommand } from '../helpers/tmux.ts';

const test = testWith('tmux', 'bash');

for (const [what, args, shown] of [
  ['a listen that waits', 'listen 127.0.0.1:0', /listening on/],
  ['an echo', 'echo 127.0.0.1:0', /listening on/],
  ['a proxy', 'proxy 127.0.0.1:0 127.0.0.1:9', /listening on/],
  ['a session', 'connect -v ADDRESS', /connected to/],
  ['a connect that waits', 'connect -v --wait 60s 127.0.0.1:9', /retry 2 in/],
] as const) {
  test(`one Ctrl-C ends a shell's loop over ${what}`, async (t) => {
    const server = await startPeerServer(t, 'tcp');
    const screen = await openScreen(t);
    const words = args.replace('ADDRESS', server.words.join(' '));
    screen.run(`clear; for i in 1 2 3; do echo "turn $i:"; ${tnetCommand} ${words}; done; echo 'not' ended`);
    await screen.shows(shown);
    screen.press('C-c');
    await screen.shows(/ready>\s*$/);
    t.regex(screen.text(), /turn 1:/);
    t.notRegex(screen.text(), /turn 2:|not ended/);
  });
}

for (const [what, stdin] of [
  ['the terminal', ''],
  ['a pipe', 'sleep 60 |'],
  ['the null device', '</dev/null'],
] as const) {
  test(`one Ctrl-C reaches the command behind -- once, with ${what} as stdin`, async (t) => {
    const { words } = await startPeerServer(t, 'tcp', (socket) => socket.end());
    const screen = await openScreen(t);
    const line = 'trap "echo got" INT; echo wai""ting; until read x < /dev/tty; do :; done; exit 5';
    const [before, after] = stdin.endsWith('|') ? [stdin, ''] : ['', stdin];
    screen.run(
      showingStatus(`${before} ${tnetCommand} connect ${words.join(' ')} ${after} -- bash -c '${line}'`),
    );
    await screen.shows(/waiting/);
    screen.press('C-c');
    await screen.shows(/^\^?C?got$/m);
    screen.press('C-c');
    await screen.shows(/got[^]*got/);
    t.is(screen.text().match(/got/g)?.length, 2);
    screen.press('Enter');
    await screen.shows(/status \d+!/);
  });
}
