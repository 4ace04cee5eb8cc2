import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import { errorCode } from '../../../src/errors.ts';
import { collect, collectUntilClose, payload, sameBytes } from '../../helpers/bytes.ts';
import { closedPort, runCli, startCli } from '../../helpers/cli.ts';
import { connectPeer, startPeerServer } from '../../helpers/peers.ts';
import {
  exchange,
  exchangeMany,
  startEcho,
  startLimited,
  startNamed,
  startProxy,
  waitEnd,
} from '../../helpers/proxy.ts';
import { tempDir } from '../../helpers/temp.ts';

test.serial('several pairs are served by one process, TCP and Unix', async (t) => {
  const path = join(tempDir(t), 's');
  const [first, second] = [await startNamed(t, 'first'), await startNamed(t, 'second')];
  const cli = startCli(t, ['proxy', '-L', `127.0.0.1:0=${first}`, '-L', `${path}=${second}`]);
  await cli.said(/listening on \//);
  t.is((await exchange(t, await cli.address())).bytes.toString(), 'first');
  t.is((await exchange(t, path)).bytes.toString(), 'second');
  cli.child.kill('SIGTERM');
  t.is((await cli.exit).code, 143);
});

for (const [args, message] of [
  [['1', '2', '--latency', 'soon'], /tnet proxy: --latency soon: a time is a number/],
  [['1', '2', '--reject'], /--reject: makes sense only with --max-connections/],
  [['1', '2', '--blackhole', '--latency', '1s'], /--latency: makes no sense with --blackhole/],
  [['1', '2', '--seed', '1'], /--seed: makes sense only with/],
  [['1', '2', '-L', '3=4'], /as LISTEN TARGET or with -L, not both/],
  [['-L', '3'], /-L 3: expected LISTEN=TARGET/],
  [['-L', '3='], /TARGET: no target is given/],
  [['1'], /TARGET: no target is given/],
  [[], /name where to listen/],
  [['--config', 'x', '1', '2'], /not both/],
  [['--config', '/dev/null'], /\/dev\/null: not JSON: /],
  [['--config', '/nonexistent'], /\/nonexistent: the file cannot be read \(ENOENT\)/],
] as const) {
  test.serial(`proxy ${args.join(' ')} is a usage error in one line`, async (t) => {
    const { code, stderr } = await runCli(t, ['proxy', ...args]);
    t.is(code, 2);
    t.regex(stderr, message);
    t.is(stderr.trimEnd().split('\n').length, 1, stderr);
  });
}

test.serial('a target that is down resets its client in less than 100 ms and is named', async (t) => {
  const target = `127.0.0.1:${await closedPort()}`;
  const { cli, address } = await startProxy(t, target);
  // A busy machine makes one late, and not all of them.
  let fastestMs = Infinity;
  for (let tries = 0; tries < 20 && fastestMs >= 100; tries++) {
    const startedAt = performance.now();
    t.is(await waitEnd(t, address), 'ECONNRESET');
    fastestMs = Math.min(fastestMs, performance.now() - startedAt);
  }
  t.true(fastestMs < 100, `${fastestMs} ms`);
  // The line may come after the reset.
  await cli.said(
    new RegExp(`tnet proxy: ${target.replaceAll('.', '\\.')}: connection refused \\(ECONNREFUSED\\)\n`),
  );
});

test.serial('clients beyond the limit wait, or are reset and counted with --reject', async (t) => {
  const target = await startEcho(t);
  const waiting = await startProxy(t, target, '-m', '1');
  const first = await connectPeer(t, waiting.address);
  first.write('a');
  await once(first, 'data');
  const second = await connectPeer(t, waiting.address);
  second.end('b');
  first.end();
  t.is((await collect(second)).toString(), 'b');

  const rejecting = await startProxy(t, target, '-m', '1', '--reject');
  const held = await connectPeer(t, rejecting.address);
  held.write('a');
  await once(held, 'data');
  t.is(await waitEnd(t, rejecting.address), 'ECONNRESET');
  await rejecting.cli.said(/refused 127\.0\.0\.1:\d+: too many connections/);
  rejecting.cli.child.kill('SIGUSR1');
  await rejecting.cli.said(/1 connection \(1 open, 1 refused \(too many connections\)\)/);
});

test.serial(
  'a client that connects more often than its rate allows is reset, and others are served',
  async (t) => {
    const { cli, address } = await startProxy(t, await startNamed(t, 'x'), '--rate', '3/h');
    const ends = [];
    for (let index = 0; index < 5; index++) ends.push(await waitEnd(t, address));
    t.deepEqual(ends, ['end', 'end', 'end', 'ECONNRESET', 'ECONNRESET']);
    await cli.said(/too many new connections\n[^]*too many new connections\n/);
    const port = Number(address.split(':')[1]);
    const other = net.connect({ host: '127.0.0.1', port, localAddress: '127.0.0.9', allowHalfOpen: true });
    t.teardown(() => other.destroy());
    t.is((await collect(other)).toString(), 'x');
  },
);

test.serial('an idle connection and an old one are reset, and both are said', async (t) => {
  const target = await startEcho(t);
  const idle = await startProxy(t, target, '--idle', '200ms');
  t.is(await waitEnd(t, idle.address), 'ECONNRESET');
  await idle.cli.said(/no byte in either direction for 200 ms \(TNET_E_TIMEOUT\)/);
  const old = await startProxy(t, target, '--timeout', '200ms');
  t.is(await waitEnd(t, old.address), 'ECONNRESET');
  await old.cli.said(/open for 200 ms \(TNET_E_TIMEOUT\)/);
});

test.serial(
  'faults act on a connection: reset-after, drop-after, corrupt with a seed, one direction',
  async (t) => {
    const target = await startEcho(t);
    const reset = await startProxy(t, target, '--reset-after', '100ms');
    t.is(await waitEnd(t, reset.address), 'ECONNRESET');
    const drop = await startProxy(t, target, '--drop-after', '10k', '--direction', 'up');
    const { bytes } = await exchange(t, drop.address, payload(50_000));
    t.true(bytes.length <= 10_240);
    const sent = payload(20_000);
    const corrupted = [];
    for (let run = 0; run < 2; run++) {
      const proxy = await startProxy(t, target, '--corrupt', '0.01', '--seed', '7', '--direction', 'down');
      corrupted.push((await exchange(t, proxy.address, sent)).bytes);
    }
    t.is(corrupted[0]!.length, sent.length);
    t.notDeepEqual(corrupted[0], sent);
    sameBytes(t, corrupted[1]!, corrupted[0]!);
  },
);

for (const [title, ...words] of [
  ['fixed'],
  ['exchangeable', '--control', '127.0.0.1:0'],
  ['of one direction', '--latency', '1ms', '--direction', 'up'],
] as const)
  test.serial(
    `--reset-after resets a connection whose client has ended its side: ${title} faults`,
    async (t) => {
      const target = await startPeerServer(t, 'tcp');
      const { address } = await startProxy(t, target.words.join(':'), '--reset-after', '300ms', ...words);
      const client = await connectPeer(t, address);
      client.end('asked');
      const served = await target.accept();
      t.is((await collect(served)).toString(), 'asked');
      t.is(errorCode((await collectUntilClose(client)).error), 'ECONNRESET');
    },
  );

test.serial('latency and bandwidth are never less slow than was asked for', async (t) => {
  const target = await startEcho(t);
  const slow = await startProxy(t, target, '--latency', '150ms', '--direction', 'up');
  const socket = await connectPeer(t, slow.address);
  const times = [];
  for (let round = 0; round < 5; round++) {
    const startedAt = performance.now();
    socket.write('x');
    await once(socket, 'data');
    times.push(performance.now() - startedAt);
  }
  const median = times.sort((a, b) => a - b)[2]!;
  // How much slower a busy machine makes it says nothing: bench/faults.mjs measures that.
  t.true(median >= 149, times.join(' '));
  const narrow = await startProxy(t, target, '--bandwidth', '200k', '--direction', 'down');
  const startedAt = performance.now();
  const sent = payload(200 * 1024);
  sameBytes(t, (await exchange(t, narrow.address, sent)).bytes, sent);
  const took = performance.now() - startedAt;
  t.true(took >= 900, `${took} ms`);
});

test.serial(
  'SIGHUP takes a new file without dropping a connection, and refuses a wrong one whole',
  async (t) => {
    const file = join(tempDir(t), 'proxy.json');
    const [one, two] = [await startNamed(t, 'one'), await startNamed(t, 'two')];
    const echo = await startEcho(t);
    const port = await closedPort();
    const listen = `127.0.0.1:${port}`;
    const write = (...pairs: object[]) => writeFileSync(file, JSON.stringify({ pairs }));
    write({ listen, targets: [echo] });
    const cli = startCli(t, ['proxy', '--config', file]);
    await cli.said(/listening/);
    const held = await connectPeer(t, listen);
    held.write('a');
    await once(held, 'data');

    write({ listen, targets: [one] });
    cli.child.kill('SIGHUP');
    await cli.said(/reloaded, 1 pair/);
    t.is((await exchange(t, listen)).bytes.toString(), 'one');

    write({ listen, targets: [two] }, { listen: '127.0.0.1:0', targets: [two], idle: 'never' });
    cli.child.kill('SIGHUP');
    await cli.said(/proxy\.json: \/pairs\/1\/idle: a time is/);
    t.is((await exchange(t, listen)).bytes.toString(), 'one');

    write({ listen, targets: [two] }, { listen: echo, targets: [two] });
    cli.child.kill('SIGHUP');
    await cli.said(/address already in use.* \(EADDRINUSE\)/);
    t.is((await exchange(t, listen)).bytes.toString(), 'one');

    write({ listen: '127.0.0.1:0', targets: [two] });
    cli.child.kill('SIGHUP');
    await cli.said(/reloaded[^]*reloaded/);
    const added = [...cli.stderr().matchAll(/listening on (.+)\n/g)].at(-1)?.[1];
    t.is((await exchange(t, added!)).bytes.toString(), 'two');
    await t.throwsAsync(connectPeer(t, listen));

    held.end('b');
    t.is((await collect(held)).toString(), 'b');
  },
);

test.serial('SIGTERM lets connections end by themselves, and ends them at the drain limit', async (t) => {
  const target = await startEcho(t);
  const { cli, address } = await startProxy(t, target, '--drain', '20s');
  const held = await connectPeer(t, address);
  held.write('a');
  await once(held, 'data');
  cli.child.kill('SIGTERM');
  await cli.said(/waiting for 1 connection, at most 20 s/);
  await t.throwsAsync(connectPeer(t, address));
  held.end('b');
  t.is((await collect(held)).toString(), 'b');
  t.is((await cli.exit).code, 143);

  const short = await startProxy(t, target, '--drain', '100ms');
  const stuck = await connectPeer(t, short.address);
  stuck.write('a');
  await once(stuck, 'data');
  short.cli.child.kill('SIGTERM');
  await collectUntilClose(stuck);
  stuck.destroy();
  t.is((await short.cli.exit).code, 143);
});

test.serial('with 64 descriptors, 200 clients are served in turn and none is lost', async (t) => {
  const target = await startEcho(t);
  const { address, stderr } = await startLimited(t, 64, ['proxy', '127.0.0.1:0', target]);
  const answers = await exchangeMany(t, address, 200);
  t.deepEqual(
    answers.filter((answer) => answer !== 'same'),
    [],
    stderr(),
  );
});

test.serial('the target is dialled before the client says anything', async (t) => {
  const server = await startPeerServer(t, 'tcp');
  const { address } = await startProxy(t, server.words.join(':'));
  const client = await connectPeer(t, address);
  const upstream = await server.accept();
  upstream.write('220 ready');
  t.is(String((await once(client, 'data'))[0]), '220 ready');
});

test.serial('--metrics serves Prometheus its sums, and its health until it drains', async (t) => {
  const target = await startEcho(t);
  const { cli, address } = await startProxy(t, target, '--metrics', '127.0.0.1:0', '--rate', '2/h');
  const [, url] = await cli.said(/metrics at (http:\S+)/);
  const health = () => fetch(new URL('/healthz', url)).then(({ status }) => status);
  t.is(await health(), 200);
  await exchange(t, address, 'hello');
  const held = await connectPeer(t, address);
  held.write('a');
  await once(held, 'data');
  await waitEnd(t, address);
  const text = await (await fetch(url!)).text();
  for (const line of [
    'tnet_proxy_connections_total 2',
    'tnet_proxy_open_connections 1',
    'tnet_proxy_received_bytes_total 6',
    'tnet_proxy_sent_bytes_total 6',
    'tnet_proxy_refused_total{reason="too many new connections"} 1',
  ]) {
    t.true(text.includes(`${line}\n`), line);
  }
  t.regex(text, /^process_resident_memory_bytes /m);
  cli.child.kill('SIGTERM');
  await cli.said(/waiting for 1 connection/);
  t.is(await health(), 503);
  held.end();
  await collect(held);
  t.is((await cli.exit).code, 143);
});
