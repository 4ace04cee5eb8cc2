import { once } from 'node:events';
import { createServer } from 'node:net';
import { closedPort } from '../helpers/cli.ts';
import { testWith } from '../helpers/programs.ts';
import { startFull } from '../helpers/net/full-backlog.ts';
import { openScreen, showingStatus, tnetCommand } from '../helpers/tmux.ts';

const test = testWith('tmux', 'bash', 'stty');

test('-zv on a terminal shows a table, in the order of the command line', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const closed = await closedPort();
  const screen = await openScreen(t);
  screen.run(showingStatus(`${tnetCommand} connect -zv 127.0.0.1 ${closed} ${port}`));
  await screen.shows(/status 0!/);
  const lines = screen
    .text()
    .split('\n')
    .filter((line) => line !== '');
  t.regex(lines[0]!, /^HOST {7}PORT +SERVICE +STATE +TIME$/);
  t.regex(lines[1]!, new RegExp(`^127\\.0\\.0\\.1 {2}${closed} +closed +[\\d.]+ ms$`));
  t.regex(lines[2]!, new RegExp(`^127\\.0\\.0\\.1 {2}${port} +open +[\\d.]+ ms$`));
});

test('a long check on a terminal shows a bar, and leaves nothing of it behind', async (t) => {
  const screen = await openScreen(t);
  // The last one does not answer until the bar has been seen.
  const { path, end } = await startFull(t, 60_000);
  screen.run(showingStatus(`${tnetCommand} connect -z -w 60s 127.0.7.3 1-19999 ${path}`));
  await screen.shows(/[█░]{24} \d+ %, \d+ of 20000, \d+ open/);
  end();
  await screen.shows(/status \d!/);
  t.false(screen.text().includes('░'));
});

test('--wait on a terminal shows what it waits for, and the session follows on a clean line', async (t) => {
  const port = await closedPort();
  const screen = await openScreen(t);
  screen.run(showingStatus(`${tnetCommand} connect --wait 60s 127.0.0.1 ${port}`));
  await screen.shows(/waiting for 127\.0\.0\.1:\d+: connection refused, \d+s left/);
  const server = createServer((socket) => socket.end('up\n')).listen(port, '127.0.0.1');
  t.teardown(() => server.close());
  await screen.shows(/status 0!/);
  t.false(screen.text().includes('waiting'));
  t.regex(screen.text(), /^up$/m);
});
