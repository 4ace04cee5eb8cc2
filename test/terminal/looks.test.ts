import { once } from 'node:events';
import { createServer } from 'node:net';
import type { ExecutionContext } from 'ava';
import { commandTable } from '../../commands/command-table.ts';
import { closedPort } from '../helpers/cli.ts';
import { testWith } from '../helpers/programs.ts';
import { openScreen, tnetCommand } from '../helpers/tmux.ts';

const test = testWith('tmux', 'bash', 'stty');

const sizes = [
  [80, 24],
  [200, 50],
] as const;

/** An open port and a closed one. */
async function openPorts(t: ExecutionContext): Promise<{ open: number; closed: number }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return { open: (server.address() as { port: number }).port, closed: await closedPort() };
}

/** What must be the same in every run: ports and times by name, ends of lines trimmed. */
function steady(text: string, { open, closed }: { open: number; closed: number }): string {
  return text
    .replaceAll(String(open).padEnd(5), 'OPEN ')
    .replaceAll(String(closed).padEnd(5), 'SHUT ')
    .replace(/[\d.]+ ms/g, 'T ms')
    .replace(/ +$/gm, '')
    .trim();
}

const table = `HOST       PORT   SERVICE  STATE   TIME
127.0.0.1  OPEN            open    T ms
127.0.0.1  SHUT            closed  T ms
done!`;

for (const [columns, rows] of sizes) {
  test(`the table of a check is the same on ${columns} columns and ${rows} rows`, async (t) => {
    const ports = await openPorts(t);
    const screen = await openScreen(t);
    screen.resize(columns, rows);
    screen.run(`clear; ${tnetCommand} connect -zv 127.0.0.1 ${ports.open} ${ports.closed}; echo 'done'!`);
    await screen.shows(/^done!/m);
    const shown = screen
      .text()
      .replace(/^ready> $/gm, '')
      .split('\n')
      .filter((line) => !line.startsWith('ready>'));
    t.is(steady(shown.join('\n'), ports), table);
  });

  for (const { name } of commandTable) {
    test(`tnet ${name} --help fits ${columns} columns, and no word is cut`, async (t) => {
      const screen = await openScreen(t);
      screen.resize(columns, rows);
      const whole = await screen.ask(`${tnetCommand} ${name} --help`);
      t.deepEqual(
        whole.split('\n').filter((line) => line.length > columns),
        [],
      );
      screen.run(`clear; ${tnetCommand} ${name} --help | tail -${rows - 3}`);
      await screen.shows(new RegExp(`--man ${name}\\n`));
      const lines = whole.trimEnd().split('\n');
      t.true(screen.text().includes(lines.slice(-5).join('\n')), screen.text());
    });
  }

  test(`the progress of a check stays on one line of ${columns} columns, and goes`, async (t) => {
    const screen = await openScreen(t);
    screen.resize(columns, rows);
    screen.run(`clear; TNET_NATIVE=0 ${tnetCommand} connect -z 127.0.0.1 1-9999; echo 'done'!`);
    const [bar] = await screen.shows(/^.*[█░]{10,}.*$/m);
    t.true(bar.length < columns);
    await screen.shows(/^done!/m);
    t.notRegex(screen.text(), /[█░]/);
  });
}

/** Each row: what is set, and whether colour is then in what a terminal gets. */
const looks: readonly (readonly [title: string, environment: string, hasColor: boolean])[] = [
  ['a plain terminal', '', true],
  ['NO_COLOR', 'NO_COLOR=1', false],
  ['a dumb terminal', 'TERM=dumb', false],
  ['FORCE_COLOR on a dumb terminal', 'TERM=dumb FORCE_COLOR=1', true],
];

for (const [title, environment, hasColor] of looks) {
  test(`with ${title} the check is shown ${hasColor ? 'in' : 'without'} colour, in the same words`, async (t) => {
    const ports = await openPorts(t);
    const screen = await openScreen(t);
    screen.run(
      `clear; ${environment} ${tnetCommand} connect -zv 127.0.0.1 ${ports.open} ${ports.closed}; echo 'done'!`,
    );
    await screen.shows(/^done!/m);
    t.regex(screen.text(), /open[^]*closed/);
    t.is(screen.styled().includes('\x1b[3'), hasColor);
  });
}

test('piped, a check is plain lines without colour, bar or table', async (t) => {
  const ports = await openPorts(t);
  const screen = await openScreen(t);
  const text = await screen.ask(`${tnetCommand} connect -zv 127.0.0.1 ${ports.open} ${ports.closed}`);
  t.notRegex(text, /\x1b|HOST|[█░]/);
  t.regex(text, /succeeded!\n/);
});
