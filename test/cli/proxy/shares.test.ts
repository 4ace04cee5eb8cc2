import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { createProxy } from '../../../commands/proxy/library.ts';
import { errorCode } from '../../../src/errors.ts';
import { collectUntilClose } from '../../helpers/bytes.ts';
import { closedPort, runCli, startCli, type Cli } from '../../helpers/cli.ts';
import { connectPeer, startPeerServer } from '../../helpers/peers.ts';
import { startProgram, waitForPort } from '../../helpers/processes.ts';
import { findProgram, testWith } from '../../helpers/programs.ts';
import { exchange, startNamed } from '../../helpers/proxy.ts';
import { tempDir } from '../../helpers/temp.ts';

const ways = [
  { way: 'the express lane', env: { TNET_EXPRESS: '', TNET_NATIVE: '' } },
  { way: 'the native engine', env: { TNET_EXPRESS: '0', TNET_NATIVE: '' } },
  { way: 'Node streams', env: { TNET_NATIVE: '0' } },
] as const;

/** The names that so many clients are told, one after the other. */
async function names(t: ExecutionContext, address: string, count: number): Promise<string> {
  let told = '';
  for (let index = 0; index < count; index++) {
    const socket = await connectPeer(t, address);
    socket.once('end', () => socket.end());
    told += (await collectUntilClose(socket)).bytes.toString();
  }
  return told;
}

const countOf = (told: string, name: string) => told.split(name).length - 1;

/** A server with a name on a port that was free, until it is closed. */
async function startAt(t: ExecutionContext, port: number, name: string): Promise<net.Server> {
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined).resume();
    socket.end(name);
  });
  t.teardown(() => server.close());
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** A server that keeps its clients until they end. */
async function startKeeper(t: ExecutionContext, name: string): Promise<string> {
  const { words } = await startPeerServer(t, 'tcp', (socket) => {
    socket.resume().write(name);
    socket.on('end', () => socket.end());
  });
  return words.join(':');
}

/** A client that stays, and the name that it is told. */
async function stay(
  t: ExecutionContext,
  address: string,
): Promise<{ socket: net.Socket; told: Promise<string> }> {
  const socket = await connectPeer(t, address);
  const told = once(socket, 'data').then(([bytes]) => String(bytes));
  told.catch(() => undefined);
  return { socket, told };
}

async function startHaproxy(t: ExecutionContext, servers: readonly string[]): Promise<string> {
  const port = await closedPort();
  const file = join(tempDir(t), 'haproxy.cfg');
  const lines = [
    'global',
    '  nbthread 1',
    'defaults',
    '  mode tcp',
    '  timeout connect 5s',
    '  timeout client 20s',
    '  timeout server 20s',
    'listen tnet',
    `  bind 127.0.0.1:${port}`,
    '  balance roundrobin',
    ...servers.map((server, index) => `  server s${index} ${server}`),
    '',
  ];
  writeFileSync(file, lines.join('\n'));
  await waitForPort(port, startProgram(t, findProgram('haproxy') ?? '', ['-f', file, '-db']));
  return `127.0.0.1:${port}`;
}

testWith('haproxy')('weights share the clients out as those of haproxy do', async (t) => {
  const weights = { a: 5, b: 3, c: 1 };
  const servers = await Promise.all(
    Object.entries(weights).map(async ([name, weight]) => ({ weight, target: await startNamed(t, name) })),
  );
  const haproxy = await startHaproxy(
    t,
    servers.map(({ target, weight }) => `${target} weight ${weight}`),
  );
  const cli = startCli(t, [
    'proxy',
    '0',
    ...servers.map(({ target, weight }) => `${target},weight=${weight}`),
  ]);
  const [ours, theirs] = [await names(t, await cli.address(), 36), await names(t, haproxy, 36)];
  for (const [name, weight] of Object.entries(weights)) {
    t.is(countOf(ours, name), weight * 4);
    t.true(Math.abs(countOf(theirs, name) - weight * 4) <= 1, theirs);
  }
});

for (const { way, env } of ways) {
  test.serial(`clients are shared out by weight, by ${way}`, async (t) => {
    const [a, b] = [await startNamed(t, 'a'), await startNamed(t, 'b')];
    const cli = startCli(t, ['proxy', '-vv', '0', `${a},weight=3`, b], { env });
    t.is(await names(t, await cli.address(), 8), 'aabaaaba');
    await cli.said(/express lane/);
    t.is(/no express lane/.test(cli.stderr()), way !== 'the express lane');
  });

  test.serial(`a backup serves only while every other target is down, by ${way}`, async (t) => {
    const [first, second] = [await closedPort(), await closedPort()];
    const servers = [await startAt(t, first, 'a'), await startAt(t, second, 'b')];
    const targets = [`127.0.0.1:${first}`, `127.0.0.1:${second}`, `${await startNamed(t, 'c')},backup`];
    const flags = ['--health', '50ms', '--health-fall', '1', '--health-rise', '1'];
    const cli = startCli(t, ['proxy', '0', ...targets, ...flags], { env });
    const address = await cli.address();
    t.is(await names(t, address, 4), 'abab');
    servers[0]!.close();
    await cli.said(new RegExp(`${targets[0]!}: down, left out: connection refused`));
    t.is(await names(t, address, 3), 'bbb');
    servers[1]!.close();
    await cli.said(new RegExp(`${targets[1]!}: down`));
    t.is(await names(t, address, 3), 'ccc');
    await startAt(t, first, 'a');
    await cli.said(new RegExp(`${targets[0]!}: up`));
    t.is(await names(t, address, 3), 'aaa');
  });

  test.serial(`a backup takes the client whom no other target accepts, by ${way}`, async (t) => {
    const down = `127.0.0.1:${await closedPort()}`;
    const cli = startCli(t, ['proxy', '0', `${await startNamed(t, 'b')},backup`, down], { env });
    t.is(await names(t, await cli.address(), 2), 'bb');
    await cli.said(new RegExp(`${down}: connection refused`));
  });

  test.serial(
    `a full target is passed over, and taken again once a client has left, by ${way}`,
    async (t) => {
      const targets = [`${await startKeeper(t, 'a')},max=1`, await startKeeper(t, 'b')];
      const cli = startCli(t, ['proxy', '--balance', 'first', '0', ...targets], { env });
      const address = await cli.address();
      const first = await stay(t, address);
      t.is(await first.told, 'a');
      t.is(await (await stay(t, address)).told, 'b');
      t.is(await (await stay(t, address)).told, 'b');
      first.socket.end();
      await once(first.socket, 'end');
      // The proxy may hear of the end after the client has.
      let told = '';
      while (told !== 'a') {
        const next = await stay(t, address);
        told = await next.told;
        next.socket.destroy();
      }
      t.pass();
    },
  );

  test.serial(`clients wait in their order while every target is full, by ${way}`, async (t) => {
    const targets = [`${await startKeeper(t, 'a')},max=1`, `${await startKeeper(t, 'b')},max=1`];
    const spare = `${await startNamed(t, 'c')},backup`;
    const cli = startCli(t, ['proxy', '--json', '0', ...targets, spare], { env });
    const address = await addressOf(cli);
    const one = await stay(t, address);
    t.is(await one.told, 'a');
    const two = await stay(t, address);
    t.is(await two.told, 'b');
    const order: string[] = [];
    const waiting = [];
    for (const [index, name] of ['third', 'fourth', 'fifth'].entries()) {
      const { socket, told } = await stay(t, address);
      await cli.said(new RegExp(`"event":"accepted","id":${index + 3}\\b`));
      waiting.push({ socket, told: told.then((from) => order.push(`${name} ${from}`)) });
    }
    t.deepEqual(order, []);
    two.socket.end();
    await waiting[0]!.told;
    one.socket.end();
    await waiting[1]!.told;
    waiting[0]!.socket.end();
    await waiting[2]!.told;
    t.deepEqual(order, ['third b', 'fourth a', 'fifth b']);
  });

  test.serial(`many clients at once are all served, and never more than may be, by ${way}`, async (t) => {
    let served = 0;
    let most = 0;
    const serve = (socket: net.Socket) => {
      most = Math.max(most, ++served);
      setTimeout(() => {
        served--;
        socket.resume().end('a');
      }, 2);
    };
    const { words } = await startPeerServer(t, 'tcp', serve);
    const cli = startCli(t, ['proxy', '0', `${words.join(':')},max=3`], { env });
    const address = await cli.address();
    const told = await Promise.all(Array.from({ length: 60 }, () => names(t, address, 1)));
    t.is(told.join(''), 'a'.repeat(60));
    t.is(most, 3);
  });

  test.serial(`a client for whom there is no room within -w is reset, by ${way}`, async (t) => {
    const target = await startKeeper(t, 'a');
    const cli = startCli(t, ['proxy', '-w', '1s', '0', `${target},max=1`], { env });
    const address = await cli.address();
    const first = await stay(t, address);
    t.is(await first.told, 'a');
    const second = await connectPeer(t, address);
    const [error] = (await once(second, 'error')) as [Error];
    t.is(errorCode(error), 'ECONNRESET');
    await cli.said(new RegExp(`${target}: no target had room for another connection within 1 s`));
    first.socket.destroy();
  });

  test.serial(`a target that is back gets few clients at first with --slow-start, by ${way}`, async (t) => {
    const port = await closedPort();
    const target = `127.0.0.1:${port}`;
    const health = ['--health', '50ms', '--health-fall', '1', '--health-rise', '1'];
    const other = await startNamed(t, 'b');
    const cli = startCli(t, ['proxy', '0', target, other, ...health, '--slow-start', '1h'], { env });
    const address = await cli.address();
    await cli.said(new RegExp(`${target}: down`));
    await startAt(t, port, 'a');
    await cli.said(new RegExp(`${target}: up`));
    t.true(countOf(await names(t, address, 20), 'a') <= 1);
  });
}

async function addressOf(cli: Cli): Promise<string> {
  return (await cli.said(/"event":"listening".*?"address":"([^"]+)"/))[1]!;
}

test.serial('a client that waits gets the next target when the one with room refuses it', async (t) => {
  const keeper = await startKeeper(t, 'a');
  const down = `127.0.0.1:${await closedPort()}`;
  const cli = startCli(t, ['proxy', '0', '--balance', 'least', `${keeper},max=1`, down]);
  const address = await cli.address();
  const first = await stay(t, address);
  t.is(await first.told, 'a');
  const second = await stay(t, address);
  await cli.said(new RegExp(`${down}: connection refused`));
  first.socket.end();
  t.is(await second.told, 'a');
});

test.serial('a client that waits is given a target that comes up meanwhile', async (t) => {
  const keeper = await startKeeper(t, 'a');
  const port = await closedPort();
  const health = ['--health', '50ms', '--health-fall', '1', '--health-rise', '1'];
  const cli = startCli(t, ['proxy', '0', `${keeper},max=1`, `127.0.0.1:${port}`, ...health]);
  const address = await cli.address();
  await cli.said(/down, left out/);
  const first = await stay(t, address);
  t.is(await first.told, 'a');
  const second = await stay(t, address);
  await startAt(t, port, 'b');
  t.is(await second.told, 'b');
});

test.serial('a client that still waits is cut off when the proxy ends', async (t) => {
  const target = await startKeeper(t, 'a');
  const cli = startCli(t, ['proxy', '--json', '--drain', '100ms', '0', `${target},max=1`]);
  const address = await addressOf(cli);
  const first = await stay(t, address);
  await first.told;
  const second = await connectPeer(t, address);
  await cli.said(/"event":"accepted","id":2\b/);
  const isOver = new Promise((resolve) => second.resume().once('end', resolve).once('error', resolve));
  first.socket.on('error', () => undefined);
  cli.child.kill('SIGTERM');
  await isOver;
  await cli.exit;
  t.regex(cli.stderr(), /"event":"ended","id":2,.*"reason":"aborted"/);
});

test.serial('the sessions of UDP clients count as connections', async (t) => {
  const { createSocket } = await import('node:dgram');
  const open = async (name: string) => {
    const socket = createSocket('udp4');
    t.teardown(() => socket.close());
    socket.on('message', (_, { port }) => socket.send(name, port, '127.0.0.1'));
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    return socket;
  };
  const [a, b] = [await open('a'), await open('b')];
  const targets = [`udp://127.0.0.1:${a.address().port},max=1`, `udp://127.0.0.1:${b.address().port}`];
  const cli = startCli(t, ['proxy', 'udp://127.0.0.1:0', ...targets, '--balance', 'first']);
  const port = await cli.port();
  const told = [];
  for (let count = 0; count < 3; count++) {
    const client = createSocket('udp4');
    t.teardown(() => client.close());
    client.send('x', port, '127.0.0.1');
    told.push(String((await once(client, 'message'))[0]));
  }
  t.deepEqual(told, ['a', 'b', 'b']);
});

test.serial('with --workers each process goes by the weights and keeps off the backups', async (t) => {
  const [a, b] = [await startNamed(t, 'a'), await startNamed(t, 'b')];
  const cli = startCli(t, ['proxy', '--workers', '2', '0', a, `${b},backup`]);
  t.is(await names(t, await cli.address(), 8), 'aaaaaaaa');
});

test.serial(
  '-L, --route, a configuration file and the library take the settings of targets too',
  async (t) => {
    const [a, b] = [await startNamed(t, 'a'), await startNamed(t, 'b')];
    const pair = startCli(t, ['proxy', '-L', `0=${a},weight=2,${b}`]);
    t.is(await names(t, await pair.address(), 6), 'abaaba');
    const file = join(tempDir(t), 'pairs.json');
    writeFileSync(file, JSON.stringify({ pairs: [{ listen: '0', targets: [a, `${b},weight=2`] }] }));
    const config = startCli(t, ['proxy', '--config', file]);
    t.is(await names(t, await config.address(), 6), 'babbab');
    await using proxy = await createProxy({ listen: '0', targets: [`${a},backup`, b] });
    t.is(await names(t, proxy.addresses[0]!, 2), 'bb');
    const routed = startCli(t, ['proxy', '0', b, '--route', `proto:ssh=${b},backup,${a}`]);
    const { bytes } = await exchange(t, await routed.address(), 'SSH-2.0-test\r\n');
    t.is(String(bytes), 'a');
  },
);

for (const [words, message] of [
  ['h:1,weight=2', /TARGET: weight makes sense only with several targets/],
  ['h:1,backup', /TARGET: backup makes sense only with several targets/],
  ['h:1,backup h:2,backup', /TARGET: at least one target must not be a backup/],
  ['--balance first h:1,weight=2 h:2', /TARGET: weight makes no sense with --balance first/],
  ['--balance first --slow-start 1s h:1 h:2', /--slow-start: makes no sense with --balance first/],
  ['--slow-start 1s h:1', /--slow-start: makes sense only with several targets/],
  ['h:1,weight=0 h:2', /TARGET: h:1,weight=0: weight=0: expected a whole number from 1 to 256/],
  ['h:1,wight=2 h:2', /TARGET: h:1,wight=2: unknown setting wight=2: expected weight=N, max=N or backup/],
  ['h:1 --route proto:ssh=h:2,backup', /--route: backup makes sense only with several targets/],
] as const) {
  test.serial(`proxy 0 ${words} is a usage error`, async (t) => {
    const { code, stderr } = await runCli(t, ['proxy', '0', ...words.split(' ')]);
    t.is(code, 2);
    t.regex(stderr, message);
  });
}
