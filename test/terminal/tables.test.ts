import { createServer } from 'node:net';
import { once } from 'node:events';
import { closedPort, runCli, startCli } from '../helpers/cli.ts';
import { testWith } from '../helpers/programs.ts';
import { openScreen, showingStatus, tnetCommand } from '../helpers/tmux.ts';

const test = testWith('tmux', 'bash', 'stty');

for (const [columns, rows] of [
  [80, 24],
  [200, 50],
] as const) {
  test(`the certificate and the timings are tables that fit ${columns} columns`, async (t) => {
    const server = startCli(t, ['listen', '-k', '--tls', '127.0.0.1:0'], { stdin: 'null' });
    const port = await server.port();
    const screen = await openScreen(t, { columns, rows });
    const flags = '-v --timing --tls-insecure --tls';
    screen.run(showingStatus(`${tnetCommand} connect ${flags} 127.0.0.1 ${port} < /dev/null`));
    await screen.shows(/status 0!/);
    const text = screen.text();
    t.regex(
      text,
      /^ {2}names {4}localhost, .+\n {2}issuer {3}self-signed\n {2}valid {4}until \d{4}-\d\d-\d\d \(\d+ days left\)\n {2}key {6}EC prime256v1\n {2}pin {6}sha256\/\/\S{43}=$/m,
    );
    t.regex(text, /^tls +[\d.]+ ms {2} *█+$/m);
    t.regex(text, /^attempt +[\d.]+ ms {2} *█+ +127\.0\.0\.1:\d+, connected$/m);
    t.regex(text, /^total +[\d.]+ ms {2}█{24}$/m);
  });

  test(`the banner of a server has a column of its own, cut at ${columns} columns`, async (t) => {
    const server = createServer((socket) => socket.end(`220 ready ${'x'.repeat(250)}\r\nmore\r\n`));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.teardown(() => server.close());
    const { port } = server.address() as { port: number };
    const screen = await openScreen(t, { columns, rows });
    const ports = `${port} ${await closedPort()}`;
    screen.run(showingStatus(`${tnetCommand} connect -zv 127.0.0.1 ${ports}`));
    await screen.shows(/status 0!/);
    const [head, open, closed] = screen
      .text()
      .split('\n')
      .filter((line) => line !== '');
    t.regex(head!, /^HOST {7}PORT +SERVICE +STATE +TIME +BANNER$/);
    t.is(open!.length, columns);
    t.regex(open!, /open +[\d.]+ ms +220 ready x+…$/);
    t.regex(closed!, /closed +[\d.]+ ms$/);
  });
}

test('^C ends a check with what was found so far', async (t) => {
  // An address of this test's own: the servers of other tests are not to get a client more.
  const host = '127.0.7.4';
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const screen = await openScreen(t);
  screen.run(showingStatus(`${tnetCommand} connect -zv ${host} ${port},1-65535,1-65535,1-65535,1-65535`));
  await screen.shows(/ \d+ of \d+, [1-9]\d* open/);
  screen.press('C-c');
  await screen.shows(/status 130!/);
  t.regex(screen.text(), new RegExp(`127\\.0\\.7\\.4 +${port} .*open`));
  t.regex(screen.text(), /^tnet connect: stopped: \d+ of \d+ checked, \d+ open$/m);
});

test('a time without a unit is warned of where milliseconds are usual, and nowhere else', async (t) => {
  const port = String(await closedPort());
  const plain = await runCli(t, ['connect', '-w', '100', '--delay', '100ms', '127.0.0.1', port]);
  t.notRegex(plain.stderr, /WARNING/);
  const doubtful = await runCli(t, ['connect', '--delay', '100', '127.0.0.1', port]);
  t.regex(doubtful.stderr, /WARNING: --delay 100 is in seconds; for milliseconds write 100ms\n/);
});

test('a warning stands out in colour on a terminal, and not with NO_COLOR', async (t) => {
  const command = `${tnetCommand} connect --delay 100 127.0.0.1 ${await closedPort()}`;
  for (const [environment, isColoured] of [
    ['', true],
    ['NO_COLOR=1', false],
  ] as const) {
    const screen = await openScreen(t);
    screen.run(showingStatus(`${environment} ${command}`));
    await screen.shows(/WARNING: --delay 100 is in seconds[^]*status 1!/);
    t.is(/\x1b\[33mtnet connect:\x1b\[39m \x1b\[33mWARNING:/.test(screen.styled()), isColoured);
  }
});
