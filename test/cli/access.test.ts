import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import { runCli, startCli } from '../helpers/cli.ts';
import { readText } from '../helpers/lines.ts';
import { connectPeer } from '../helpers/peers.ts';
import { tempDir } from '../helpers/temp.ts';

/** How a connection to a server ends that may turn it away: its error, or what it got. */
function tryConnect(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.end('x'));
    let outcome = '';
    socket.on('data', (chunk) => (outcome += chunk.toString()));
    socket.on('error', (error: NodeJS.ErrnoException) => (outcome = error.code ?? 'error'));
    socket.on('close', () => resolve(outcome));
  });
}

for (const [flags, reason] of [
  [['--deny', '127.0.0.0/8'], 'denied by 127.0.0.0/8'],
  [['--allow', '10.0.0.0/8'], 'not allowed'],
] as const) {
  test.serial(`echo ${flags.join(' ')} resets a client and says why`, async (t) => {
    const server = startCli(t, ['echo', ...flags, '127.0.0.1:0']);
    t.is(await tryConnect(await server.port()), 'ECONNRESET');
    await server.said(new RegExp(`refused 127\\.0\\.0\\.1:\\d+: ${reason}\n`));
  });
}

test.serial('a client that is turned away is not the one client of listen', async (t) => {
  const dir = tempDir(t);
  const file = join(dir, 'hosts');
  writeFileSync(file, '127.0.0.1\n');
  const server = startCli(t, ['listen', '-v', '--deny', file, '127.0.0.1:0']);
  const port = await server.port();
  t.is(await tryConnect(port), 'ECONNRESET');
  writeFileSync(file, '# nobody\n');
  server.child.kill('SIGHUP');
  await server.said(/access lists read again: 0 allowed, 0 denied\n/);
  const stdout = readText(server.stdout);
  (await connectPeer(t, `127.0.0.1:${port}`)).end('served');
  await stdout.until(/served/);
  server.stdin.end();
  t.is((await server.exit).code, 0);
});

test.serial('a reload that fails is said, and the old lists stay', async (t) => {
  const file = join(tempDir(t), 'hosts');
  writeFileSync(file, '127.0.0.1\n');
  const server = startCli(t, ['echo', '--deny', file, '127.0.0.1:0']);
  const port = await server.port();
  writeFileSync(file, '10.0.0.0/99\n');
  server.child.kill('SIGHUP');
  await server.said(/hosts:1: 10\.0\.0\.0\/99: not a CIDR block .*\(TNET_E_ACCESS\)\n/);
  t.is(await tryConnect(port), 'ECONNRESET');
});

test.serial('an allowed client is served on a socket of both families', async (t) => {
  const server = startCli(t, ['echo', '--allow', '127.0.0.1', '0']);
  t.is(await tryConnect(await server.port()), 'x');
});

test.serial('a refusal is a JSON event', async (t) => {
  const server = startCli(t, ['listen', '-k', '--json', '--deny', '127.0.0.1', '127.0.0.1:0']);
  const [, port] = await server.said(/"address":"127\.0\.0\.1:(\d+)"/);
  await tryConnect(Number(port));
  const [line] = await server.said(/\{[^\n]*"event":"refused"[^\n]*\}/);
  t.is((JSON.parse(line) as { reason: string }).reason, 'denied by 127.0.0.1');
});

test.serial('datagrams of a sender that is not allowed are turned away', async (t) => {
  const server = startCli(t, ['listen', '-u', '-k', '--allow', '10.0.0.0/8', '127.0.0.1:0']);
  await runCli(t, ['connect', '-u', '--wait-reply=1ms', '127.0.0.1', String(await server.port())], 'x');
  await server.said(/refused 127\.0\.0\.1:\d+: not allowed\n/);
  t.pass();
});

const faults: [words: string[], message: RegExp][] = [
  [
    ['--allow', '10.0.0.0/33', '0'],
    /^tnet listen: 10\.0\.0\.0\/33: not a CIDR block .* \(TNET_E_ACCESS\)\n$/,
  ],
  [
    ['--deny', '/nowhere', '0'],
    /^tnet listen: \/nowhere: the file cannot be read \(ENOENT\) \(TNET_E_ACCESS\)\n$/,
  ],
  [['--allow', '::1', '-U', '/tmp/tnet-never'], /use --mode \(TNET_E_USAGE\)\n$/],
];

for (const [words, message] of faults) {
  test.serial(`tnet listen ${words.join(' ')} is status 2 before anything is bound`, async (t) => {
    const { code, stderr } = await runCli(t, ['listen', ...words]);
    t.is(code, 2);
    t.regex(stderr, message);
  });
}

for (const [command, args] of [
  ['listen', ['-dk']],
  ['echo', []],
] as const) {
  test.serial(`behind --accept-proxy, ${command} judges the client of the header too`, async (t) => {
    const flags = ['--accept-proxy', '--allow', '127.0.0.1,192.0.2.0/24', '--deny', '192.0.2.66', '-v'];
    const server = startCli(t, [command, ...args, ...flags, '127.0.0.1:0']);
    const port = await server.port();
    const header = (source: string) => `PROXY TCP4 ${source} 127.0.0.1 1000 80\r\n`;
    for (const source of ['192.0.2.66', '198.51.100.1', '192.0.2.1']) {
      (await connectPeer(t, `127.0.0.1:${port}`)).end(header(source));
    }
    await server.said(/refused 192\.0\.2\.66:1000: denied by 192\.0\.2\.66\n/);
    await server.said(/refused 198\.51\.100\.1:1000: not allowed\n/);
    const [, served = ''] = await server.said(/(\S+): its client is 192\.0\.2\.1:1000\n/);
    await server.said(new RegExp(`${served}: eof, 0 bytes in`));
    // Who is turned away is told as a connection too, and is not served.
    t.is(server.stderr().match(/: eof, /g)?.length, 1);
    t.is(server.stderr().match(/: aborted, 0 bytes in, 0 bytes out/g)?.length, 2);
  });
}
