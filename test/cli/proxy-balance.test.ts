import { once } from 'node:events';
import net from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { errorCode } from '../../src/errors.ts';
import { closedPort, runCli, startCli } from '../helpers/cli.ts';
import { startDns, type Zone } from '../helpers/dns.ts';
import { exchange, startNamed } from '../helpers/proxy.ts';

async function names(t: ExecutionContext, address: string, count: number): Promise<string> {
  let told = '';
  for (let index = 0; index < count; index++) told += (await exchange(t, address)).bytes.toString();
  return told;
}

/** A server with a name on an address of its own, on the port of the others. */
async function startAt(t: ExecutionContext, host: string, port: number, name: string): Promise<net.Server> {
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.resume();
    socket.end(name);
  });
  t.teardown(() => server.close());
  server.listen(port, host);
  await once(server, 'listening');
  return server;
}

test.serial('clients take turns among targets, and one that is down is passed over and named', async (t) => {
  const down = `127.0.0.1:${await closedPort()}`;
  const cli = startCli(t, ['proxy', '0', await startNamed(t, 'a'), down, await startNamed(t, 'b')]);
  const told = await names(t, await cli.address(), 9);
  t.is(told.length, 9, 'every client is served');
  t.regex(told, /^[ab]+$/);
  t.true(told.includes('a') && told.includes('b'));
  await cli.said(new RegExp(`${down}: connection refused`));
  await cli.said(new RegExp(`${down}: down, left out`));
  cli.child.kill('SIGTERM');
  await cli.exit;
  // Repeats within a second are one line with their number.
  const failures = [...cli.stderr().matchAll(/connection refused.*?(?: \(and (\d+) more within 1 s\))?\n/g)];
  t.is(
    failures.reduce((sum, [, more]) => sum + Number(more ?? 1), 0),
    3,
  );
});

test.serial('checks take a target out before a client meets it, and bring it back', async (t) => {
  const port = await closedPort();
  const second = `127.0.0.1:${port}`;
  const flags = ['--balance', 'first', '--health', '50ms', '--health-fall', '2', '--health-rise', '1'];
  const cli = startCli(t, ['proxy', '0', second, await startNamed(t, 'b'), ...flags]);
  const address = await cli.address();
  await cli.said(new RegExp(`${second}: down`));
  t.is(await names(t, address, 2), 'bb');
  const server = await startAt(t, '127.0.0.1', port, 'a');
  await cli.said(new RegExp(`${second}: up`));
  t.is(await names(t, address, 2), 'aa');
  server.close();
  await cli.said(/up\n[^]*down/);
  t.is(await names(t, address, 2), 'bb');
  t.false(cli.stderr().includes('refused'), 'no client met it');
});

test.serial(
  'a name is looked up anew when its time to live is over, and a service by its records',
  async (t) => {
    const port = await closedPort();
    await startAt(t, '127.0.0.2', port, 'a');
    await startAt(t, '127.0.0.3', port, 'b');
    const zone: Zone = {
      'web.test': { a: ['127.0.0.2'], ttl: 1 },
      '_web._tcp.test': {
        srv: [
          { name: 'one.test', port },
          { name: 'two.test', port },
          { name: 'spare.test', port: 1, priority: 9 },
        ],
      },
      'one.test': { a: ['127.0.0.2'], ttl: 60 },
      'two.test': { a: ['127.0.0.3'], ttl: 60 },
    };
    const dns = await startDns(t, zone);
    const byName = startCli(t, ['proxy', '0', `web.test:${port}`, '--dns-server', dns.address]);
    const address = await byName.address();
    t.is(await names(t, address, 2), 'aa');
    zone['web.test'] = { a: ['127.0.0.3'], ttl: 1 };
    let told = '';
    for (const until = Date.now() + 5_000; told !== 'b' && Date.now() < until;)
      told = await names(t, address, 1);
    t.is(told, 'b');

    const byService = startCli(t, ['proxy', '0', 'srv://_web._tcp.test', '--dns-server', dns.address]);
    t.deepEqual((await names(t, await byService.address(), 4)).split('').sort(), ['a', 'a', 'b', 'b']);
  },
);

test.serial('a name that nobody knows resets its clients and is named', async (t) => {
  const dns = await startDns(t, {});
  const cli = startCli(t, ['proxy', '0', 'no.test:1', '--dns-server', dns.address]);
  const { error } = await exchange(t, await cli.address());
  t.is(errorCode(error), 'ECONNRESET');
  await cli.said(/no\.test:1: host name not found \(ENOTFOUND\)/);
});

for (const [flags, message] of [
  [['--balance', 'best'], /--balance best: One of round-robin, least, first, hash is needed/],
  [['--eject', '1s'], /--eject: makes sense only with several targets/],
  [['--health-rise', '1', '--balance', 'least'], /--health-rise: makes sense only with --health/],
  [['--dns-server', 'name'], /--dns-server name: name: /],
] as const) {
  test.serial(`proxy ${flags.join(' ')} is a usage error`, async (t) => {
    const { code, stderr } = await runCli(t, ['proxy', '0', '1', ...flags]);
    t.is(code, 2);
    t.regex(stderr, message);
  });
}
