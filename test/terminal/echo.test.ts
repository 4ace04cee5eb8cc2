import { closedPort, startCli } from '../helpers/cli.ts';
import { connectPeer } from '../helpers/peers.ts';
import { testWith } from '../helpers/programs.ts';
import { openScreen, showingStatus, tnetCommand } from '../helpers/tmux.ts';

const test = testWith('tmux', 'bash', 'stty');

test('a ping on a terminal shows its totals while it runs, and then its result with a histogram', async (t) => {
  const address = await startCli(t, ['echo', '127.0.0.1:0']).address();
  const screen = await openScreen(t);
  screen.run(showingStatus(`${tnetCommand} echo --ping --rate 20/s ${address}`));
  await screen.shows(/\d+ sent, \d+ back, the last in [\d.]+ ms/);
  await screen.shows(/[1-9]\d sent/);
  screen.press('C-c');
  await screen.shows(/status 130!/);
  const text = screen.text();
  t.regex(text, /^127\.0\.0\.1:\d+: \d+ sent, \d+ back, of 64 bytes each, in [\d.]+ s$/m);
  t.regex(text, /^round trip: min [\d.]+, p50 [\d.]+, p90 [\d.]+, p99 [\d.]+, max [\d.]+ ms$/m);
  t.regex(text, /^from \d+ (?:µs|ms|s) +\d+ {2}█+$/m);
  t.notRegex(text, /the last in/);
});

test('the result of a ping that is piped has no histogram', async (t) => {
  const screen = await openScreen(t);
  const command = `${tnetCommand} echo --ping -c 3 --rate none ${await startCli(t, ['echo', '127.0.0.1:0']).address()} | cat`;
  screen.run(`clear; ${command}; echo "done"!`);
  await screen.shows(/^done!/m);
  t.regex(screen.text(), /^throughput: /m);
  t.notRegex(screen.text(), /█/);
});

test('echo --live on a terminal shows each client with what it has moved, and the totals at the end', async (t) => {
  const address = `127.0.0.1:${await closedPort()}`;
  const screen = await openScreen(t);
  screen.run(showingStatus(`${tnetCommand} echo --live ${address}`));
  await screen.shows(/^0 open, 0 in all/m);
  const client = await connectPeer(t, address);
  client.write(Buffer.alloc(3000));
  client.resume();
  await screen.shows(/^1 open, 1 in all/m);
  await screen.shows(/^ +1 +127\.0\.0\.1:\d+ +2\.9k +\S+ +2\.9k +\S+ +\S+$/m);
  screen.press('C-c');
  await screen.shows(/1 connection \(1 failed\), 3000 bytes in, 3000 bytes out in [\d.]+ s\n+status 130!/);
  t.notRegex(screen.text(), /in all/);
});
