import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import test from 'ava';
import { errorCode } from '../../../src/errors.ts';
import { collectUntilClose, payload, sameBytes } from '../../helpers/bytes.ts';
import { runCli, startCli } from '../../helpers/cli.ts';
import { connectPeer, serverWords, toTarget } from '../../helpers/peers.ts';
import { exchange } from '../../helpers/proxy.ts';
import { testWith } from '../../helpers/programs.ts';
import { tempDir } from '../../helpers/temp.ts';

for (const family of ['tcp', 'unix'] as const) {
  test.serial(`echo sends back what it is sent, and ends when the client has (${family})`, async (t) => {
    const server = startCli(t, ['echo', ...serverWords(t, family)]);
    const sent = payload(1_000_000);
    sameBytes(t, (await exchange(t, await server.address(), sent)).bytes, sent);
  });

  test.serial(
    `discard takes everything, says nothing, and ends when the client has (${family})`,
    async (t) => {
      const server = startCli(t, ['echo', '--service', 'discard', '-v', ...serverWords(t, family)]);
      t.is((await exchange(t, await server.address(), payload(300_000))).bytes.length, 0);
      await server.said(/: eof, 300000 bytes in, 0 bytes out/);
    },
  );

  test.serial(
    `chargen sends its lines also after a half-close, and the client's break is no failure (${family})`,
    async (t) => {
      const server = startCli(t, ['echo', '--service', 'chargen', '-v', ...serverWords(t, family)]);
      const socket = await connectPeer(t, await server.address());
      socket.end('thrown away');
      let text = '';
      for await (const chunk of socket) {
        text += (chunk as Buffer).toString('latin1');
        if (text.length > 400_000) break;
      }
      const lines = text.split('\r\n').slice(0, -1);
      const ring = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join('');
      const wrong = lines.findIndex(
        (line, index) => line !== (ring + ring).slice(index % 95, (index % 95) + 72),
      );
      t.is(wrong, -1);
      await server.said(/: reset, 11 bytes in, /);
      t.notRegex(server.stderr(), /ECONNRESET|EPIPE/);
    },
  );

  test.serial(`daytime says one line and ends (${family})`, async (t) => {
    const server = startCli(t, ['echo', '--service', 'daytime', ...serverWords(t, family)]);
    const { bytes } = await exchange(t, await server.address(), 'thrown away');
    t.regex(bytes.toString(), /^[A-Z][a-z]+day, [A-Z][a-z]+ \d+, \d{4} \d\d:\d\d:\d\d-UTC\r\n$/);
  });

  test.serial(`time says four bytes, seconds since 1900, and ends (${family})`, async (t) => {
    const server = startCli(t, ['echo', '--service', 'time', ...serverWords(t, family)]);
    const { bytes } = await exchange(t, await server.address());
    t.is(bytes.length, 4);
    t.true(Math.abs(bytes.readUInt32BE() - 2_208_988_800 - Date.now() / 1000) < 120);
  });

  test.serial(`qotd says a quote of its file and ends (${family})`, async (t) => {
    const file = join(tempDir(t), 'quotes');
    writeFileSync(file, 'two\nlines\n%\n');
    const words = ['--service', 'qotd', '--quote-file', file, ...serverWords(t, family)];
    const { bytes } = await exchange(t, await startCli(t, ['echo', ...words]).address());
    t.is(bytes.toString(), 'two\r\nlines\r\n');
  });
}

test.serial('chargen waits for a client that does not read, and its memory stays bounded', async (t) => {
  const server = startCli(t, ['echo', '--service', 'chargen', '--json', '127.0.0.1:0']);
  const [, address] = await server.said(/"address":"([^"]+)"/);
  const clients = await Promise.all(Array.from({ length: 20 }, () => connectPeer(t, address!)));
  await Promise.all(clients.map((client) => once(client, 'readable')));
  server.child.kill('SIGTERM');
  await server.exit;
  const ended = [...server.stderr().matchAll(/"sentBytes":(\d+)/g)].map(([, bytes]) => Number(bytes));
  // What the system's socket buffers took, and no more.
  for (const bytes of ended) t.true(bytes < 20 * 32 * 1024 * 1024, String(bytes));
});

test.serial(
  'SIGTERM resets a chargen that is being read, behind what was on its way, and says so',
  async (t) => {
    const server = startCli(t, ['echo', '--service', 'chargen', '127.0.0.1:0']);
    const socket = await connectPeer(t, await server.address());
    const received = collectUntilClose(socket);
    await once(socket, 'data');
    server.child.kill('SIGTERM');
    const { bytes, error } = await received;
    t.true(bytes.length > 0);
    t.is(errorCode(error), 'ECONNRESET');
    t.is((await server.exit).code, 143);
    t.regex(server.stderr(), /cut 1 connection that had not ended\n/);
    t.regex(server.stderr(), /1 connection \(1 failed\), 0 bytes in, \d+ bytes out in [\d.]+ s\n$/);
  },
);

test.serial('-i ends a client that is quiet, and not one that speaks', async (t) => {
  const server = startCli(t, ['echo', '-i', '1s', '127.0.0.1:0']);
  const address = await server.address();
  const quiet = await connectPeer(t, address);
  const busy = await connectPeer(t, address);
  busy.resume();
  const speaking = setInterval(() => busy.write('x'), 50);
  t.teardown(() => clearInterval(speaking));
  quiet.resume();
  await once(quiet, 'end');
  t.false(busy.destroyed);
  await server.said(/no byte in either direction for 1 s \(TNET_E_TIMEOUT\)/);
});

test.serial('--reject resets a client over -m', async (t) => {
  const server = startCli(t, ['echo', '-m', '1', '--reject', '127.0.0.1:0']);
  const address = await server.address();
  const first = await connectPeer(t, address);
  first.write('first');
  await once(first, 'readable');
  const second = net.connect(toTarget(address));
  const [error] = (await once(second, 'error')) as [NodeJS.ErrnoException];
  t.is(error.code, 'ECONNRESET');
  await server.said(/refused .*: too many connections/);
});

test.serial(
  '--tls prints the fingerprint of a throw-away certificate, which is the one it shows',
  async (t) => {
    const server = startCli(t, ['echo', '--tls', '127.0.0.1:0']);
    const [, fingerprint] = await server.said(/SHA-256 fingerprint ([0-9A-F:]+)\n/);
    const socket = connectTls({ port: await server.port(), host: '127.0.0.1', rejectUnauthorized: false });
    t.teardown(() => socket.destroy());
    await once(socket, 'secureConnect');
    t.is(socket.getPeerCertificate().fingerprint256, fingerprint!);
    socket.write('secret');
    t.is(String((await once(socket, 'data'))[0]), 'secret');
  },
);

test.serial(
  '--accept-proxy names the client of the proxy, and echoes what comes after the header',
  async (t) => {
    const server = startCli(t, ['echo', '--accept-proxy', '-v', '127.0.0.1:0']);
    const sent = 'PROXY TCP4 192.0.2.1 192.0.2.2 4321 80\r\nhello';
    t.is((await exchange(t, await server.address(), sent)).bytes.toString(), 'hello');
    const [, remote = ''] = await server.said(/connection from (127\.0\.0\.1:\d+)\n/);
    await server.said(new RegExp(`${remote}: its client is 192\\.0\\.2\\.1:4321\\n`));
    await server.said(new RegExp(`${remote}: eof, 5 bytes in, 5 bytes out`));
  },
);

for (const [words, message] of [
  [['--service', 'time', '--quote-file', 'x', '8124'], /--quote-file goes with --service qotd/],
  [
    ['--service', 'qotd', '--quote-file', '/nonexistent', '8124'],
    /\/nonexistent: it cannot be read \(ENOENT\)/,
  ],
  [['--service', 'gopher', '8124'], /one of echo, discard, chargen/],
  [['--reject', '8124'], /--reject goes with -m/],
  [['-u', '--rate', 'fast', '8124'], /a rate is a number with a time/],
  [['-u', '-m', '1', '8124'], /-m does not go with a UDP server: UDP has no connections/],
  [['-i', '1s', 'udp://127.0.0.1:8124'], /-i does not go with a UDP server: UDP has no connections/],
  [
    ['-u', '--tls', '8124'],
    /--tls does not go with this address: DTLS, which is TLS for datagrams, is not supported/,
  ],
] as const) {
  test(`echo ${words.join(' ')} is a usage error`, async (t) => {
    const { code, stderr, stdout } = await runCli(t, ['echo', ...words]);
    t.is(code, 2);
    t.regex(stderr, message);
    t.is(stderr.split('\n').length, 2);
    t.is(stdout.length, 0);
  });
}

testWith('nc')('nc reads daytime from tnet, and tnet echoes to nc', async (t) => {
  const { execFileSync } = await import('node:child_process');
  const daytime = startCli(t, ['echo', '--service', 'daytime', '127.0.0.1:0']);
  t.regex(
    execFileSync('nc', ['-N', '127.0.0.1', String(await daytime.port())], { input: '' }).toString(),
    /-UTC\r\n$/,
  );
  const echo = startCli(t, ['echo', '127.0.0.1:0']);
  const answer = execFileSync('nc', ['-N', '127.0.0.1', String(await echo.port())], { input: 'hello' });
  t.is(answer.toString(), 'hello');
});
