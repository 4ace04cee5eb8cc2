import test from 'ava';
import { unescapeText } from '../../../commands/options/value-kinds.ts';
import { runCli, startCli } from '../../helpers/cli.ts';
import { collect } from '../../helpers/bytes.ts';
import { startScriptedServer } from '../../helpers/scripted-server.ts';

/** A server that says a greeting and answers each line. */
function startGreeter(t: Parameters<typeof runCli>[0]) {
  return startScriptedServer(t, (socket) => {
    socket.write('220 ready\r\n');
    socket.on('data', (line) => socket.write(`250 ${line.toString().trim()}\r\n`));
  });
}

test.serial('--expect and --send are gone through in their order, and stdin follows', async (t) => {
  const server = await startGreeter(t);
  const steps = [
    '--expect',
    '^220 ',
    '--send',
    'ONE\\r\\n',
    '--expect',
    '250 ONE',
    '--send',
    'TWO\\r\\n',
    '--expect',
    '250 TWO',
  ];
  const { code, stdout } = await runCli(
    t,
    ['connect', ...steps, '127.0.0.1', String(server.port)],
    'stdin\n',
  );
  t.is(code, 0);
  t.is(server.received().toString(), 'ONE\r\nTWO\r\nstdin\n');
  t.is(stdout.toString(), '220 ready\r\n250 ONE\r\n250 TWO\r\n250 stdin\r\n');
});

test.serial(
  '^ of --expect is the beginning of a line, also of one that came with the last match',
  async (t) => {
    const server = await startScriptedServer(t, (socket) => socket.end('220 ready\r\n221 bye\r\n'));
    const steps = ['--expect', '^220 ', '--expect', '^221 bye$'];
    const { code, stderr } = await runCli(t, ['connect', ...steps, '127.0.0.1', String(server.port)]);
    t.is(code, 0, stderr);
  },
);

test.serial('a step that fails ends with status 1 and says what came instead', async (t) => {
  const server = await startGreeter(t);
  const args = ['connect', '--expect', '220', '--send', 'x', '--expect', '^354', '--step-timeout', '2s'];
  const { code, stdout, stderr } = await runCli(t, [...args, '127.0.0.1', String(server.port)], 'never sent');
  t.is(code, 1);
  t.is(
    stderr,
    `tnet connect: 127.0.0.1:${server.port}: step 3: expected /^354/, but " ready\\r\\n250 x\\r\\n" came within 2 s (TNET_E_EXPECT)\n`,
  );
  t.is(stdout.toString(), '220 ready\r\n250 x\r\n');
});

test.serial('a peer that ends before a match is told with status 1', async (t) => {
  const server = await startScriptedServer(t, (socket) => socket.end());
  const { code, stderr } = await runCli(t, ['connect', '--expect', 'x', '127.0.0.1', String(server.port)]);
  t.is(code, 1);
  t.regex(stderr, /step 1: expected \/x\/, but nothing came before the peer ended \(TNET_E_EXPECT\)/);
});

test.serial('without a stdin the run ends with the peer, after the last step', async (t) => {
  const server = await startGreeter(t);
  const args = [
    'connect',
    '--expect',
    '220',
    '--send',
    'only',
    '--expect',
    '250',
    '127.0.0.1',
    String(server.port),
  ];
  const { code } = await runCli(t, args, '', { stdin: 'null' });
  t.is(code, 0);
  t.is(server.received().toString(), 'only');
});

test.serial('-d sends the steps and never reads stdin', async (t) => {
  const server = await startGreeter(t);
  const cli = startCli(t, ['connect', '-d', '--send', 'step', '127.0.0.1', String(server.port)]);
  cli.stdin.write('stdin');
  await server.gets('step');
  server.client().end();
  t.is((await collect(cli.stdout)).toString(), '220 ready\r\n250 step\r\n');
  t.is((await cli.exit).code, 0);
  t.is(server.received().toString(), 'step');
});

test.serial('-C works on what the steps send', async (t) => {
  const server = await startGreeter(t);
  await runCli(t, ['connect', '-C', '--send', 'a\\nb\\r\\n', '127.0.0.1', String(server.port)]);
  t.is(server.received().toString(), 'a\r\nb\r\n');
});

test.serial('a pattern or a text that cannot be read is refused before a socket opens', async (t) => {
  for (const [args, line] of [
    [['--expect', '('], /^tnet connect: --expect: Invalid regular expression.*\(TNET_E_USAGE\)\n$/],
    [['--expect', '(a)\\1'], /^tnet connect: --expect: \\1 is a back-reference.*\(TNET_E_USAGE\)\n$/],
    [['--expect', '(?=a)'], /^tnet connect: --expect: \(\?=…\) is a lookahead, which is not supported.*\n$/],
    [
      ['--send', 'a\\q'],
      /^tnet connect: --send: \\q is not an escape sequence; write \\\\ for \\ \(TNET_E_USAGE\)\n$/,
    ],
    [['--escape', 'long'], /an escape key is \^ and a letter, one character, or none: not long/],
    [['--crlf', 'up'], /expected one of in, out, both/],
    [['--telnet=loud'], /expected one of passive, active/],
    [['--retry', 'often'], /expected a whole number or forever/],
  ] as const) {
    const { code, stderr } = await runCli(t, ['connect', ...args, '127.0.0.1', '1']);
    t.is(code, 2);
    t.regex(stderr, line);
  }
});

test.serial('--expect waits for the end of a line that $ asks for', async (t) => {
  const server = await startScriptedServer(t, (socket) => {
    socket.write('OK');
    socket.once('data', () => socket.end('AY\r\nOK\r\n'));
  });
  const args = ['connect', '--send', 'x', '--expect', '^OK\\r?$', '--send', 'y'];
  const { code, stdout, stderr } = await runCli(t, [...args, '127.0.0.1', String(server.port)]);
  t.is(code, 0, stderr);
  t.is(stdout.toString(), 'OKAY\r\nOK\r\n');
});

test.serial('no pattern makes the peer able to stop the run from ending in time', async (t) => {
  const server = await startScriptedServer(t, (socket) => socket.write(`${'a'.repeat(50_000)}!`));
  const args = ['connect', '--expect', '^(a+)+$', '--step-timeout', '500ms'];
  const { code, stderr } = await runCli(t, [...args, '127.0.0.1', String(server.port)], '', {
    stdin: 'pipe',
  });
  t.is(code, 1);
  t.regex(stderr, /step 1: expected .* within 500 ms \(TNET_E_EXPECT\)/);
});

test.serial('a command behind -- runs when the server has answered as --expect says', async (t) => {
  let clients = 0;
  const server = await startScriptedServer(t, (socket) => {
    const answer = clients++ === 0 ? '-LOADING\r\n' : '+PONG\r\n';
    socket.once('data', () => socket.end(answer));
  });
  const steps = ['--wait', '30s', '--send', 'PING\\r\\n', '--expect', '\\+PONG'];
  const words = ['connect', ...steps, '127.0.0.1', String(server.port), '--', 'sh', '-c', 'echo ran; exit 3'];
  const { code, stdout, stderr } = await runCli(t, words);
  t.is(code, 3, stderr);
  t.is(stdout.toString(), 'ran\n');
  t.is(clients, 2);
  t.is(server.received().toString(), 'PING\r\nPING\r\n');
});

test.serial('a command behind -- does not run when the server answers what --expect does not', async (t) => {
  const server = await startScriptedServer(t, (socket) => {
    socket.once('data', () => socket.end('-ERR\r\n'));
  });
  const steps = ['--send', 'PING\\r\\n', '--expect', '\\+PONG'];
  const words = ['connect', ...steps, '127.0.0.1', String(server.port), '--', 'echo', 'ran'];
  const { code, stdout, stderr } = await runCli(t, words);
  t.is(code, 1);
  t.is(stdout.toString(), '');
  t.regex(stderr, /expected .*PONG.*\(TNET_E_EXPECT\)/);
});

test('escapes of --send stand for bytes', (t) => {
  t.deepEqual(
    unescapeText('a\\r\\n\\t\\0\\e\\\\\\xff\\x00é'),
    Buffer.from('a\r\n\t\0\x1b\\\xff\0\xc3\xa9', 'latin1'),
  );
});
