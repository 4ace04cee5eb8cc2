import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { errorCode } from '../../../src/errors.ts';
import { collect } from '../../helpers/bytes.ts';
import { createAuthority } from '../../helpers/certificates.ts';
import { closedPort, runCli, startCli, tnetPath } from '../../helpers/cli.ts';
import { startDns, type Zone } from '../../helpers/dns.ts';
import { countFailures } from '../../helpers/lines.ts';
import { makeNamespace, silentAddress, testInNamespace } from '../../helpers/netns.ts';
import { exchange, startNamed } from '../../helpers/proxy.ts';

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
  t.is(countFailures(cli.stderr(), 'connection refused'), 3);
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
  t.notRegex(cli.stderr(), new RegExp(`${second}: connection refused`), 'no client met it');
});

test.serial(
  'a name is looked up again when its time to live is over, and a service by its records',
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
  [['--balance', 'best'], /--balance best: expected one of round-robin, least, first, hash/],
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

/** A server in a process of its own, which can be stopped and killed; it says its name to each client. */
async function startProcess(
  t: ExecutionContext,
  name: string,
): Promise<{ child: ChildProcess; address: string }> {
  const script = `
    const server = require('net').createServer((socket) => socket.on('error', () => 0).resume().end('${name}'));
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(server.address().port));`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, address: `127.0.0.1:${port.toString().trim()}` };
}

test.serial(
  'checks take a killed target out, and one that is stopped once its backlog is full',
  async (t) => {
    const [first, second, third] = await Promise.all(['a', 'b', 'c'].map((name) => startProcess(t, name)));
    const flags = ['--balance', 'first', '--health', '100ms', '--health-fall', '2', '--health-rise', '1'];
    const targets = [first!.address, second!.address, third!.address];
    const cli = startCli(t, ['proxy', '0', ...targets, ...flags]);
    const address = await cli.address();
    t.is(await names(t, address, 1), 'a');
    first!.child.kill('SIGKILL');
    await cli.said(new RegExp(`${first!.address}: down`));
    t.is(await names(t, address, 2), 'bb');
    second!.child.kill('SIGSTOP');
    await cli.said(new RegExp(`${second!.address}: down`));
    t.is(await names(t, address, 2), 'cc');
    second!.child.kill('SIGCONT');
    await cli.said(new RegExp(`${second!.address}: up`));
    t.is(await names(t, address, 2), 'bb');
  },
);

testInNamespace()(
  'a silent target costs its first client a moment, and is left out when its time is over',
  async (t) => {
    const { inside } = makeNamespace(t, silentAddress);
    const [command, ...words] = inside;
    const script = `
    const net = require('net');
    net.createServer((s) => s.on('error', () => 0).resume().end('b')).listen(4000, '127.0.0.1');
    const ask = () => new Promise((done) => {
      const from = performance.now();
      let text = '';
      net.connect(9000, '127.0.0.1').on('data', (bytes) => (text += bytes)).on('error', () => 0)
        .on('close', () => done([text, performance.now() - from]));
    });
    const { spawn } = require('child_process');
    const flags = ['--balance', 'first', '-w', '2s', '-v'];
    const proxy = spawn(process.execPath, [${JSON.stringify(tnetPath)}, 'proxy', '9000', '10.9.9.2:4000', '127.0.0.1:4000', ...flags], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    const until = (pattern) => new Promise((done) => proxy.stderr.on('data', () => pattern.test(said) && done()));
    proxy.stderr.on('data', (bytes) => (said += bytes));
    (async () => {
      await until(/listening/);
      const out = until(/left out/);
      const answers = [await ask(), await ask(), await ask()];
      await out;
      answers.push(await ask());
      console.log(JSON.stringify({ answers, said }));
      proxy.kill('SIGKILL');
      process.exit();
    })();`;
    const child = spawn(command!, [...words, process.execPath, '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.teardown(() => child.kill('SIGKILL'));
    const { answers, said } = JSON.parse((await collect(child.stdout)).toString()) as {
      answers: [string, number][];
      said: string;
    };
    t.deepEqual(
      answers.map(([text]) => text),
      ['b', 'b', 'b', 'b'],
    );
    const [first, ...others] = answers.map(([, tookMs]) => tookMs);
    t.true(first! >= 200 && first! < 1_900, `${first} ms`);
    // Those after it do not wait beside it: it is in doubt.
    t.true(others.every((tookMs) => tookMs < 1_900) && Math.min(...others) < 200, others.join(' '));
    t.is(said.match(/no answer from 10\.9\.9\.2:4000 within/g)?.length, 1, said);
    t.regex(said, /10\.9\.9\.2:4000: down, left out/);
  },
);

testInNamespace()('a name of the hosts file is not held up by a name server that is dead', async (t) => {
  const { inside } = makeNamespace(t, silentAddress, '127.0.0.1 here.test\n');
  const [command, ...words] = inside;
  writeFileSync(`/etc/netns/${words[2]!}/resolv.conf`, 'nameserver 10.9.9.2\n');
  const script = `
    const net = require('net');
    net.createServer((s) => s.on('error', () => 0).resume().end('b')).listen(4000, '127.0.0.1');
    const { spawn } = require('child_process');
    const targets = ['here.test:4000', 'nowhere.test:4000'];
    const proxy = spawn(process.execPath, [${JSON.stringify(tnetPath)}, 'proxy', '9000', ...targets], { stdio: ['ignore', 'ignore', 'pipe'] });
    proxy.stderr.once('data', () => {
      const from = performance.now();
      net.connect(9000, '127.0.0.1').on('data', (bytes) => {
        console.log(String(bytes), performance.now() - from);
        proxy.kill('SIGKILL');
        process.exit();
      });
    });`;
  const child = spawn(command!, [...words, process.execPath, '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const [text, tookMs] = (await collect(child.stdout)).toString().split(' ');
  t.is(text, 'b');
  t.true(Number(tookMs) < 3_000, `${tookMs} ms`);
});

const authority = createAuthority();
test.after.always(() => authority.remove());

for (const [what, issue] of [
  ['expired', () => authority.issue('expired', 'IP:127.0.0.1', -1)],
  ['not valid yet', () => authority.issueFuture('future', 'IP:127.0.0.1')],
] as const) {
  test.serial(`with --tls-out --health a target whose certificate is ${what} is down`, async (t) => {
    const good = authority.issue('good', 'IP:127.0.0.1');
    const serve = async ({ cert, key }: typeof good, name: string) => {
      const server = tls.createServer({ cert, key }, (socket) =>
        socket.on('error', () => undefined).end(name),
      );
      t.teardown(() => server.close());
      server.on('tlsClientError', () => undefined).listen(0, '127.0.0.1');
      await once(server, 'listening');
      return `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
    };
    const bad = await serve(issue(), 'a');
    const flags = ['--balance', 'first', '--health', '100ms', '--health-fall', '1'];
    const trust = ['--tls-out', '--tls-ca', authority.caFile];
    const cli = startCli(t, ['proxy', '0', bad, await serve(good, 'b'), ...flags, ...trust]);
    const address = await cli.address();
    await cli.said(new RegExp(`${bad}: down`));
    t.is(await names(t, address, 2), 'bb');
    // Without checks it is a client that meets it, and the next target takes it.
    const plain = startCli(t, ['proxy', '0', bad, await serve(good, 'b'), '--balance', 'first', ...trust]);
    t.is(await names(t, await plain.address(), 1), 'b');
    await plain.said(
      new RegExp(`${bad}: the certificate .*${what === 'expired' ? 'expired' : 'not valid until'}`),
    );
  });
}

test.serial('checks see a target that greets without resetting it', async (t) => {
  const ends: string[] = [];
  const greeter = net.createServer((socket) => {
    socket.on('error', (error) => ends.push(errorCode(error)!)).on('end', () => ends.push('end'));
    socket.resume().write('220 ready\r\n'.repeat(100));
  });
  greeter.listen(0, '127.0.0.1');
  await once(greeter, 'listening');
  t.teardown(() => greeter.close());
  const target = `127.0.0.1:${(greeter.address() as net.AddressInfo).port}`;
  const cli = startCli(t, ['proxy', '0', target, '--health', '50ms']);
  await cli.address();
  while (ends.length < 5) await once(greeter, 'connection');
  t.deepEqual([...new Set(ends)], ['end']);
});
