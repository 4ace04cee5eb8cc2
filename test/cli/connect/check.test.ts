import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { collect } from '../../helpers/bytes.ts';
import { closedPort, runCli, tnetPath } from '../../helpers/cli.ts';
import { makeNamespace, silentAddress, testInNamespace } from '../../helpers/netns.ts';
import { tempDir } from '../../helpers/temp.ts';

/** A server that counts its connections. */
async function openPort(t: ExecutionContext, host = '127.0.0.1'): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => socket.on('error', () => undefined).end('banner'));
  server.listen(0, host);
  await once(server, 'listening');
  t.teardown(() => server.close());
  return { server, port: (server.address() as { port: number }).port };
}

test.serial('-z is 0 for an open port and 1 for a closed one, and says nothing', async (t) => {
  const { port } = await openPort(t);
  const open = await runCli(t, ['connect', '-z', '127.0.0.1', String(port)]);
  t.deepEqual([open.code, open.stdout.length, open.stderr], [0, 0, '']);
  const closed = await runCli(t, ['connect', '-z', '127.0.0.1', String(await closedPort())]);
  t.deepEqual([closed.code, closed.stdout.length, closed.stderr], [1, 0, '']);
});

test.serial('-z is 0 when any port accepts, with --all only when every one does', async (t) => {
  const { port } = await openPort(t);
  const ports = `${port},${await closedPort()}`;
  t.is((await runCli(t, ['connect', '-z', '127.0.0.1', ports])).code, 0);
  t.is((await runCli(t, ['connect', '-z', '--any', '127.0.0.1', ports])).code, 0);
  t.is((await runCli(t, ['connect', '-z', '--all', '127.0.0.1', ports])).code, 1);
  t.is((await runCli(t, ['connect', '-z', '--all', '127.0.0.1', String(port)])).code, 0);
});

test.serial("-zv says OpenBSD nc's sentences, with the service of the port", async (t) => {
  const { port } = await openPort(t);
  const closed = await closedPort();
  const { stderr } = await runCli(t, ['connect', '-zv', '127.0.0.1', String(port), String(closed)]);
  t.deepEqual(stderr.split('\n').sort(), [
    '',
    `tnet connect: connect to 127.0.0.1 port ${closed} (tcp) failed: connection refused (ECONNREFUSED)`,
    `tnet connect: connection to 127.0.0.1 ${port} port [tcp/*] succeeded!`,
  ]);
  const named = await runCli(t, ['connect', '-zv', '127.0.0.1', 'gopher']);
  t.regex(named.stderr, /connect to 127\.0\.0\.1 port 70 \(tcp\) failed/);
});

test.serial('-z --json reports one object a port', async (t) => {
  const { port } = await openPort(t);
  const closed = await closedPort();
  const { stderr } = await runCli(t, ['connect', '-z', '--json', '127.0.0.1', `${port},${closed}`]);
  const events = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  t.is(events.length, 2);
  const states = new Map(
    events.map(({ port: number, state, event }) => [number, `${event as string} ${state as string}`]),
  );
  t.is(states.get(port), 'checked open');
  t.is(states.get(closed), 'checked closed');
  t.true(events.every(({ durationMs, time }) => typeof durationMs === 'number' && typeof time === 'string'));
});

test.serial('-z tries every port of every host', async (t) => {
  const hosts = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];
  const { port } = await openPort(t, '0.0.0.0');
  const { code, stderr } = await runCli(t, ['connect', '-zv', '--all', ...hosts, String(port)]);
  t.is(code, 0);
  for (const host of hosts) t.true(stderr.includes(`connection to ${host} ${port} port`));
});

test.serial('a range of a thousand ports is checked with few descriptors', async (t) => {
  // An address of this test's own: the servers of other tests, whose ports are near, are not to get a client more.
  const host = '127.0.7.1';
  const { port } = await openPort(t, host);
  const from = Math.max(1, port - 500);
  const to = Math.min(65_535, port + 500);
  const command = `ulimit -n 64; exec "$@"`;
  const args = [process.execPath, tnetPath, 'connect', '-zv', host, `${from}-${to}`];
  const child = spawn('sh', ['-c', command, 'sh', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  const stderr = (await collect(child.stderr)).toString();
  t.is(stderr.trim().split('\n').length, to - from + 1);
  t.true(stderr.includes(`connection to ${host} ${port} port`));
  t.false(stderr.includes('EMFILE'));
});

test.serial('while read host; do tnet connect -z visits every line of the list', async (t) => {
  const { port } = await openPort(t, '0.0.0.0');
  const hosts = ['127.0.0.1', '127.0.0.2', 'localhost', '127.0.0.4'];
  const list = join(tempDir(t), 'list');
  writeFileSync(list, hosts.map((host) => `${host}\n`).join(''));
  const script = `while read host; do "$1" "$2" connect -z $host ${port} && echo $host; done < ${list}`;
  const child = spawn('sh', ['-c', script, 'sh', process.execPath, tnetPath], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.is((await collect(child.stdout)).toString(), hosts.map((host) => `${host}\n`).join(''));
});

test.serial('-z checks a Unix socket', async (t) => {
  const path = join(tempDir(t), 's');
  t.is((await runCli(t, ['connect', '-z', '-U', path])).code, 1);
  const server = createServer((socket) => socket.end()).listen(path);
  await once(server, 'listening');
  t.teardown(() => server.close());
  t.is((await runCli(t, ['connect', '-z', path])).code, 0);
});

for (const host of ['127.0.0.1', '::1']) {
  test.serial(`localhost with a server on ${host} only is reached in 50 ms`, async (t) => {
    const { port } = await openPort(t, host);
    const check = async (name: string) => {
      const { code, stderr } = await runCli(t, ['connect', '-z', '--json', name, String(port)]);
      t.is(code, 0);
      return (JSON.parse(stderr) as { durationMs: number }).durationMs;
    };
    // The best of a few runs, beside what the address itself costs: a busy machine makes any single one slow.
    const times: number[] = [];
    while (times.length < 10 && !times.some((time) => time < 50)) {
      const direct = await check(host);
      times.push((await check('localhost')) - direct);
    }
    t.true(Math.min(...times) < 50, times.join(' '));
  });
}

testInNamespace()('a first address that drops what it gets costs less than 400 ms', async (t) => {
  const { inside } = makeNamespace(t, silentAddress, '10.9.9.2 server\n127.0.0.1 server\n');
  const server = `require('net').createServer((s) => s.end()).listen(4000, '127.0.0.1', () => console.log('up'))`;
  const [command, ...words] = inside;
  const peer = spawn(command!, [...words, process.execPath, '-e', server], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => peer.kill());
  await once(peer.stdout, 'data');
  const args = [...words, process.execPath, tnetPath, 'connect', '-z', '--json', 'server', '4000'];
  // A busy machine makes one late, and not all of them.
  const times: number[] = [];
  while (times.length < 5 && !times.some((time) => time < 400)) {
    const child = spawn(command!, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    const stderr = (await collect(child.stderr)).toString();
    const { state, remote, durationMs } = JSON.parse(stderr) as Record<string, unknown>;
    t.deepEqual([state, remote], ['open', '127.0.0.1']);
    times.push(durationMs as number);
  }
  t.true(Math.min(...times) < 400, times.join(' '));
});

testInNamespace()('a port that never answers costs its own -w only, and ends with status 124', async (t) => {
  const { inside } = makeNamespace(t, silentAddress);
  const [command, ...words] = inside;
  const args = [...words, process.execPath, tnetPath, 'connect', '-z', '-w', '300ms', '10.9.9.2', '1-20'];
  const startedAt = performance.now();
  const child = spawn(command!, args, { stdio: 'ignore' });
  const [code] = (await once(child, 'exit')) as [number];
  t.is(code, 124);
  t.true(performance.now() - startedAt < 3_000);
});

test.serial('-z leaves a server that greets in order: no reset, its greeting read', async (t) => {
  const ends: string[] = [];
  const server = createServer((socket) => {
    socket.on('error', ({ message }) => ends.push(message)).on('end', () => ends.push('end'));
    socket.resume().write('220 ready\r\n'.repeat(100));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  for (let run = 0; run < 3; run++)
    t.is((await runCli(t, ['connect', '-z', '127.0.0.1', String(port)])).code, 0);
  t.deepEqual(ends, ['end', 'end', 'end']);
});
