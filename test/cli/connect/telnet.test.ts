import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import fc from 'fast-check';
import { collect } from '../../helpers/bytes.ts';
import { runCli, startCli } from '../../helpers/cli.ts';
import { findProgram, testWith } from '../../helpers/programs.ts';
import { startScriptedServer } from '../../helpers/scripted-server.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** A server that greets, half-closes, and hands over what the client sent until its own end. */
async function exchange(
  t: Parameters<typeof runCli>[0],
  greeting: readonly Buffer[],
  args: readonly string[],
  {
    stdin = '',
    env = { TERM: 'xterm' },
    answer,
  }: {
    readonly stdin?: string | Buffer;
    readonly env?: Record<string, string>;
    /** The input ends when the server has this: after the end nothing can be answered. */
    readonly answer?: Buffer;
  } = {},
) {
  const { promise: ended, resolve } = Promise.withResolvers<undefined>();
  const server = await startScriptedServer(t, (socket) => {
    socket.once('close', () => resolve(undefined));
    socket.setNoDelay(true);
    for (const chunk of greeting) socket.write(chunk);
    socket.end();
  });
  const words = ['connect', '--keep-sending', ...args, '127.0.0.1', String(server.port)];
  const cli = startCli(t, words, { env });
  const stdout = collect(cli.stdout);
  if (answer) await server.gets(answer);
  cli.stdin.end(stdin);
  const result = { ...(await cli.exit), stdout: await stdout, stderr: cli.stderr() };
  await ended;
  return { ...result, sent: server.received() };
}

test.serial('-t keeps every telnet byte out of stdout and answers the options', async (t) => {
  const greeting = hex('fffd18 fffb01 fffd22 fffa1801fff0 6869 fff1 ffff 0d0a 0d00');
  const { code, stdout, sent } = await exchange(t, [greeting], ['-t'], { answer: hex('fff0') });
  t.is(code, 0);
  t.deepEqual(stdout, Buffer.concat([Buffer.from('hi'), hex('ff 0d0a 0d')]));
  t.deepEqual(sent, Buffer.concat([hex('fffb18 fffd01 fffc22 fffa1800'), Buffer.from('XTERM'), hex('fff0')]));
});

test.serial('-t sends lines as telnet does, and doubles a byte 255', async (t) => {
  const { sent } = await exchange(t, [], ['-t'], {
    stdin: Buffer.from('one\ntwo\r\nthree\rfour\xff', 'latin1'),
  });
  t.deepEqual(sent, Buffer.from('one\r\ntwo\r\nthree\r\0four\xff\xff', 'latin1'));
});

test.serial('-t does not speak first, --telnet=active does', async (t) => {
  t.deepEqual((await exchange(t, [], ['-t'])).sent, Buffer.alloc(0));
  t.deepEqual((await exchange(t, [], ['--telnet=active'])).sent, hex('fffd03 fffb18 fffd05'));
});

test.serial('--telnet takes its value after = only, so that the host is the next word', async (t) => {
  const { code, stdout } = await exchange(t, [hex('fff1 6f6b')], ['-v', '--telnet']);
  t.is(code, 0);
  t.is(stdout.toString(), 'ok');
});

test.serial('-t refuses the window and a TERM that cannot be sent', async (t) => {
  const { sent } = await exchange(t, [hex('fffd1f fffd18')], ['-t'], {
    env: { TERM: 'two words' },
    answer: hex('fffc18'),
  });
  t.deepEqual(sent, hex('fffc1f fffc18'));
});

test.serial('--crlf in gives LF for CRLF behind telnet', async (t) => {
  const { stdout } = await exchange(t, [hex('61 0d'), hex('fff1 0a 62')], ['-t', '--crlf', 'in']);
  t.is(stdout.toString(), 'a\nb');
});

test.serial('-vv tells the negotiation', async (t) => {
  const { stderr } = await exchange(t, [hex('fffd22')], ['-tvv'], { answer: hex('fffc22') });
  t.regex(stderr, /^tnet connect: telnet: received do linemode\ntnet connect: telnet: sent wont linemode$/m);
});

test.serial('no byte of a command reaches stdout, however the peer cuts its bytes', async (t) => {
  const parts = [
    'fffd18',
    'fffb01',
    'fffa1801fff0',
    'fffa2a01ffff02fff0',
    'fff1',
    'fff9',
    '41',
    '42',
    '0d0a',
  ];
  const greetings = fc.sample(fc.array(fc.constantFrom(...parts), { minLength: 20, maxLength: 60 }), {
    numRuns: 3,
    seed: 7,
  });
  for (const greeting of greetings) {
    const bytes = Array.from(hex(greeting.join('')), (byte) => Buffer.from([byte]));
    const { stdout } = await exchange(t, bytes, ['-t']);
    const data = greeting.filter((part) => !part.startsWith('ff')).join('');
    t.is(stdout.toString('hex'), data);
  }
});

test.serial('a peer that asks without end and never reads does not fill the memory', async (t) => {
  let [takenBytes, takenAt] = [0, performance.now()];
  const server = createServer((socket) => {
    socket.on('error', () => undefined).pause();
    const ask = Buffer.concat(Array.from({ length: 20_000 }, () => hex('fffd06')));
    const flood = () => {
      [takenBytes, takenAt] = [socket.bytesWritten - socket.writableLength, performance.now()];
      while (socket.write(ask));
      socket.once('drain', flood);
    };
    flood();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const cli = startCli(t, ['connect', '-t', '--timeout', '10s', '127.0.0.1', String(port)]);
  // Nothing more is taken once its answers are not: what it keeps of them is what the system did not take.
  while (takenBytes === 0 || performance.now() - takenAt < 2_000) await delay(100);
  const [, kb] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${cli.child.pid}/status`, 'latin1')) ?? [];
  t.true(Number(kb) < 500_000, `${kb} KiB after ${takenBytes} bytes`);
  t.is((await cli.exit).code, 124);
});

const telnetd = findProgram('telnetd') ?? findProgram('inetutils-telnetd') ?? '';

testWith('telnetd', 'sh')('a script talks to a real telnetd and gets clean bytes', async (t) => {
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    const child = spawn(telnetd, ['-h', '-E', '/bin/sh'], { stdio: [socket, socket, 'ignore'] });
    t.teardown(() => child.kill('SIGKILL'));
    socket.destroy();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const cli = startCli(
    t,
    [
      'connect',
      '-t',
      '--expect',
      '[#$] ',
      '--send',
      'echo "$TERM:$((6 * 7))"\\n',
      '--expect',
      ':42\\r\\n',
      '127.0.0.1',
      String(port),
    ],
    { env: { TERM: 'vt220' } },
  );
  // An input that stays open would be sent on until the server is found to be gone.
  cli.stdin.write('exit\n');
  const stdout = await collect(cli.stdout);
  cli.stdin.end();
  t.is((await cli.exit).code, 0, cli.stderr());
  t.regex(stdout.toString(), /^vt220:42\r$/m);
  t.false(stdout.includes(255));
});

test.serial('--user names the user to a server that asks for it', async (t) => {
  const greeting = hex('fffd27 fffa2701 0055534552 fff0');
  const { sent } = await exchange(t, [greeting], ['-t', '--user', 'somebody'], {
    answer: hex('fff0'),
  });
  t.deepEqual(
    sent,
    Buffer.concat([hex('fffb27 fffa2700 0055534552 01'), Buffer.from('somebody'), hex('fff0')]),
  );
  const { sent: refused } = await exchange(t, [greeting], ['-t'], { answer: hex('fffc27') });
  t.deepEqual(refused, hex('fffc27'));
});

test.serial(
  '-t with a host alone calls the port of telnet, and a port or a service stays what it is',
  async (t) => {
    for (const [host, called] of [
      ['127.0.0.1', '127.0.0.1:23'],
      ['::1', '[::1]:23'],
      ['1', '127.0.0.1:1'],
      ['127.0.0.1:1', '127.0.0.1:1'],
    ] as const) {
      const { stderr } = await runCli(t, ['connect', '-vv', '-t', '-w', '2s', host]);
      t.true(stderr.includes(`trying ${called}\n`), stderr);
    }
  },
);
