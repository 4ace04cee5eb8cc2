import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { collect } from '../../helpers/bytes.ts';
import { closedPort, runCli, tnetPath } from '../../helpers/cli.ts';
import { makeNamespace, silentAddress, testInNamespace, type NetworkNamespace } from '../../helpers/netns.ts';

const inNamespace = testInNamespace();

/** Starts Node with these words in a namespace. */
function startInside(t: ExecutionContext, { inside }: NetworkNamespace, words: readonly string[]) {
  const [command, ...rest] = inside;
  const child = spawn(command!, [...rest, process.execPath, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const exit = once(child, 'close').then(([code]) => code as number);
  const said = async (pattern: RegExp) => {
    while (!pattern.test(text)) {
      const ended = await Promise.race([once(child.stderr, 'data').then(() => undefined), exit]);
      if (ended !== undefined && !pattern.test(text)) throw new Error(`it ended without saying it:\n${text}`);
    }
  };
  return { child, stdout: collect(child.stdout), stderr: () => text, exit, said };
}

/** A server in the namespace. */
async function serveInside(
  t: ExecutionContext,
  namespace: NetworkNamespace,
  port: number,
  host = '::',
): Promise<void> {
  const script = `require('net').createServer((s) => s.on('error', () => 0).end()).listen(${port}, '${host}', () => console.error('up'))`;
  await startInside(t, namespace, ['-e', script]).said(/up/);
}

/** Changes the namespace's hosts file, in place: what is mounted over /etc/hosts is this very file. */
function writeHosts({ inside }: NetworkNamespace, text: string): void {
  writeFileSync(`/etc/netns/${inside[3]!}/hosts`, text);
}

for (const words of [['late.test:4000'], ['late.test', '4000,4001']]) {
  inNamespace(`--wait finds a name that appears while it waits: ${words.join(' ')}`, async (t) => {
    const namespace = makeNamespace(t, []);
    await serveInside(t, namespace, 4000);
    await serveInside(t, namespace, 4001);
    const run = startInside(t, namespace, [tnetPath, 'connect', '-zv', '--wait', '30s', ...words]);
    await run.said(/retry 2/);
    writeHosts(namespace, '127.0.0.1 late.test\n');
    t.is(await run.exit, 0, run.stderr());
  });
}

inNamespace('--wait before a command takes the address that a name has by then', async (t) => {
  const namespace = makeNamespace(t, [], '127.0.0.2 moving.test\n');
  await serveInside(t, namespace, 4000, '127.0.0.3');
  const words = ['connect', '-v', '--wait', '30s', 'moving.test', '4000', '--', 'echo', 'ran'];
  const run = startInside(t, namespace, [tnetPath, ...words]);
  await run.said(/retry 2/);
  writeHosts(namespace, '127.0.0.3 moving.test\n');
  t.is(await run.exit, 0, run.stderr());
  t.is((await run.stdout).toString(), 'ran\n');
});

for (const [kind, code] of [
  ['prohibit', 'EACCES'],
  ['blackhole', 'EINVAL'],
  ['unreachable', 'EHOSTUNREACH'],
  ['throw', 'ENETUNREACH'],
] as const) {
  inNamespace(
    `a ${kind} route (${code}) is a failure of the network, and --wait goes on until it is gone`,
    async (t) => {
      const namespace = makeNamespace(t, [...silentAddress, ['route', 'add', kind, '10.78.0.1/32']]);
      await serveInside(t, namespace, 4000);
      const words = ['10.78.0.1', '4000'];
      const once = startInside(t, namespace, [tnetPath, 'connect', ...words]);
      t.is(await once.exit, 1);
      t.true(once.stderr().endsWith(`(${code})\n`), once.stderr());
      const waiting = startInside(t, namespace, [tnetPath, 'connect', '-v', '--wait', '30s', ...words]);
      await waiting.said(/retry 2/);
      const [, , , name = ''] = namespace.inside;
      execFileSync('ip', ['-n', name, 'route', 'delete', kind, '10.78.0.1/32']);
      execFileSync('ip', ['-n', name, 'address', 'add', '10.78.0.1/32', 'dev', 'lo']);
      t.is(await waiting.exit, 0, waiting.stderr());
    },
  );
}

inNamespace('of several addresses the one that refuses decides status and message', async (t) => {
  const hosts = '10.78.0.1 two.test\n127.0.0.1 two.test\n';
  const namespace = makeNamespace(t, [...silentAddress, ['route', 'add', 'prohibit', '10.78.0.1/32']], hosts);
  const run = startInside(t, namespace, [tnetPath, 'connect', 'two.test', '4000']);
  t.is(await run.exit, 1);
  t.regex(run.stderr(), /: connection refused: 127\.0\.0\.1:4000; .*: 10\.78\.0\.1:4000 \(ECONNREFUSED\)\n$/);
});

test.serial('a -s address that is not of this machine ends --wait at once, with status 2', async (t) => {
  const words = ['-s', '192.0.2.1', '127.0.0.1', String(await closedPort())];
  const { code, stderr } = await runCli(t, ['connect', '--wait', '30s', ...words]);
  t.is(code, 2);
  t.regex(stderr, /EADDRNOTAVAIL/);
});

for (const flags of ['-z', '-z --wait 300ms', '-w 5s']) {
  test.serial(`a connection to itself is a refusal: connect ${flags}`, async (t) => {
    const port = String(await closedPort());
    const words = [...flags.split(' '), '-s', '127.0.0.1', '-p', port, '127.0.0.1', port];
    const { code, stderr } = await runCli(t, ['connect', '-v', ...words]);
    t.is(code, flags.includes('--wait') ? 124 : 1);
    t.regex(stderr, /connected to itself|ECONNREFUSED/);
  });
}

for (const engine of ['1', '0']) {
  inNamespace(`a proxy's dial that meets itself refuses its client, TNET_EXPRESS=${engine}`, async (t) => {
    const namespace = makeNamespace(t, []);
    const [command, ...rest] = namespace.inside;
    // One port to go out from, which is the target's: the system has no other to give.
    execFileSync(command!, [...rest, 'sysctl', '-qw', 'net.ipv4.ip_local_port_range=40000 40000']);
    const proxy = startInside(t, namespace, [
      '-e',
      `process.env.TNET_EXPRESS = '${engine}'; process.argv.splice(1, 0, 'tnet'); import(${JSON.stringify(tnetPath)});`,
      'proxy',
      '127.0.0.1:9000',
      '127.0.0.1:40000',
    ]);
    await proxy.said(/listening/);
    const client = `require('net').connect({ port: 9000, host: '127.0.0.1', localAddress: '127.0.0.1', localPort: 39999 }).on('error', (e) => console.error(e.code)).on('end', () => console.error('end'))`;
    const run = startInside(t, namespace, ['-e', client]);
    await run.exit;
    t.is(run.stderr(), 'ECONNRESET\n');
    await proxy.said(/127\.0\.0\.1:40000: connection refused/);
    t.pass();
  });
}

for (const name of ['localhost.', 'app.localhost', 'LOCALHOST']) {
  inNamespace(`${name} is loopback for connect, listen and echo, whatever the system says`, async (t) => {
    // Nobody answers, and the hosts file has no name.
    const namespace = makeNamespace(t, [], '');
    await serveInside(t, namespace, 4000);
    const check = startInside(t, namespace, [tnetPath, 'connect', '-z', '--json', name, '4000']);
    t.is(await check.exit, 0, check.stderr());
    for (const command of ['listen', 'echo']) {
      const server = startInside(t, namespace, [tnetPath, command, `${name}:0`]);
      await server.said(/listening on/);
      t.regex(server.stderr(), /listening on 127\.0\.0\.1:/);
      server.child.kill('SIGKILL');
    }
  });
}
