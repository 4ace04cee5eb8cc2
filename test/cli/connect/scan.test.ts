import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { closedPort, runCli, startCli, type CliOptions } from '../../helpers/cli.ts';
import { makeNamespace, silentAddress, testInNamespace, type NetworkNamespace } from '../../helpers/netns.ts';
import { tempDir } from '../../helpers/temp.ts';

const inNamespace = testInNamespace();

interface Checked {
  readonly event: string;
  readonly address: string;
  readonly state: string;
  readonly code?: string;
  readonly durationMs: number;
}

/** What `connect -z --json` finds, in the order of the addresses. */
async function check(
  t: ExecutionContext,
  words: readonly string[],
  options: CliOptions,
): Promise<readonly Checked[]> {
  const { stderr } = await runCli(t, ['connect', '-z', '--json', ...words], '', options);
  const events = stderr
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Checked);
  return events
    .filter(({ event }) => event === 'checked')
    .sort((one, other) => (one.address < other.address ? -1 : 1));
}

/** A server in the namespace on this port of all its addresses, which greets. */
async function serveInside(t: ExecutionContext, { inside }: NetworkNamespace, port: number): Promise<void> {
  const script = `require('net').createServer((s) => s.on('error', () => 0).end('hello')).listen(${port}, '::', () => console.log('up'))`;
  const [command, ...words] = inside;
  const server = spawn(command!, [...words, process.execPath, '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => server.kill('SIGKILL'));
  await once(server.stdout, 'data');
}

/** Each with what is found there. */
const table: readonly (readonly [address: string, found: string])[] = [
  ['127.0.0.1:4000', 'open'],
  ['127.0.0.1:4001', 'closed ECONNREFUSED'],
  ['[::1]:4000', 'open'],
  ['[::1]:4001', 'closed ECONNREFUSED'],
  ['[0:0:0:0:0:0:0:1]:4000', 'open'],
  ['[fe80::1%lo]:4000', 'failed ENETUNREACH'],
  ['localhost:4000', 'open'],
  ['localhost:4001', 'closed ECONNREFUSED'],
  ['server:4000', 'open'],
  ['server:4001', 'closed ECONNREFUSED'],
  ['10.9.9.2:80', 'silent TNET_E_TIMEOUT'],
  ['10.77.1.1:80', 'failed ENETUNREACH'],
  ['10.8.1.1:80', 'failed EACCES'],
  ['10.7.1.1:80', 'failed EHOSTUNREACH'],
  ['10.6.1.1:80', 'failed EINVAL'],
  ['255.255.255.255:80', 'failed ENETUNREACH'],
];
const routes = [
  ['route', 'add', 'prohibit', '10.8.0.0/16'],
  ['route', 'add', 'unreachable', '10.7.0.0/16'],
  ['route', 'add', 'blackhole', '10.6.0.0/16'],
];

inNamespace('a check finds the same with and without the addon, and as the dialer does', async (t) => {
  const namespace = makeNamespace(t, [...silentAddress, ...routes], '127.0.0.1 server\n');
  await serveInside(t, namespace, 4000);
  const path = join(tempDir(t), 'none');
  // Of a name that nobody has, each system's resolver says something of its own.
  const others = ['[::ffff:127.0.0.1]:4001', 'nobody.invalid:1-3'];
  const words = ['-w', '3s', ...table.map(([address]) => address), path, ...others];
  const { inside } = namespace;
  const ways: readonly (readonly [words: readonly string[], options: CliOptions])[] = [
    [words, { inside }],
    [words, { inside, env: { TNET_NATIVE: '0' } }],
    // With -vv each attempt is told, so that all goes through the dialer.
    [['-vv', ...words], { inside }],
  ];
  const found = await Promise.all(ways.map(([args, options]) => check(t, args, options)));
  const plain = found.map((events) =>
    // What a server says is heard with -v alone.
    events.map((event) => ({ ...event, time: undefined, durationMs: undefined, banner: undefined })),
  );
  t.deepEqual(plain[1], plain[0]);
  t.deepEqual(plain[2], plain[0]);
  const states = new Map(
    plain[0]!.map(({ address, state, code }) => [address, [state, code].join(' ').trim()]),
  );
  for (const [address, state] of [...table, [path, 'failed ENOENT'] as const])
    t.is(states.get(address), state, address);
});

for (const native of ['1', '0']) {
  const env = { ...(native === '0' && { TNET_NATIVE: '0' }) };

  test.serial(
    `the time of a port is its own, not that of those beside it, TNET_NATIVE=${native}`,
    async (t) => {
      const startedAt = performance.now();
      const found = await check(t, ['127.0.7.2', '1-3000'], { env });
      const wallMs = performance.now() - startedAt;
      t.is(found.length, 3000);
      // Side by side, as many times as long as there are ports at once: 256.
      const sumMs = found.reduce((sum, { durationMs }) => sum + durationMs, 0);
      t.true(sumMs < 40 * wallMs, `${sumMs} ms in ${wallMs} ms`);
      t.true(found.every(({ durationMs }) => durationMs >= 0));
    },
  );

  test.serial(
    `names and failures of many ports are said as those of one, TNET_NATIVE=${native}`,
    async (t) => {
      const closed = await closedPort();
      const [one] = await check(t, ['127.0.0.1', String(closed)], { env });
      const many = await check(t, ['-4', 'localhost', `${closed},1-600`], { env });
      const same = many.find((event) => event.address === `localhost:${closed}`);
      t.deepEqual(
        { ...same, time: 0, durationMs: 0, address: '', host: '' },
        { ...one, time: 0, durationMs: 0, address: '', host: '' },
      );
      t.is(many.length, 601);
    },
  );

  inNamespace(`--any ends with the first port that is open, TNET_NATIVE=${native}`, async (t) => {
    const namespace = makeNamespace(t, silentAddress);
    await serveInside(t, namespace, 4000);
    const words = ['connect', '-z', '--any', '-w', '120s', '10.9.9.2:1-50', '127.0.0.1:4000'];
    const { code } = await runCli(t, words, '', { inside: namespace.inside, env });
    t.is(code, 0);
  });

  inNamespace(`a check that waits for silent ports ends by a signal, TNET_NATIVE=${native}`, async (t) => {
    const namespace = makeNamespace(t, silentAddress);
    const words = ['connect', '-z', '--json', '-w', '120s', '127.0.0.1:1', '10.9.9.2:1-500'];
    const run = startCli(t, words, { inside: namespace.inside, env });
    await run.said(/"closed"/);
    run.child.kill('SIGINT');
    t.is((await run.exit).signal, 'SIGINT');
    t.is(run.stderr().trim().split('\n').length, 1);
  });

  inNamespace(
    `a port that is connected to itself is closed, and free again, TNET_NATIVE=${native}`,
    async (t) => {
      const namespace = makeNamespace(t, []);
      const [command, ...rest] = namespace.inside;
      // One port to go out from, which is the target's: the system has no other to give.
      execFileSync(command!, [...rest, 'sysctl', '-qw', 'net.ipv4.ip_local_port_range=40000 40000']);
      for (let run = 0; run < 2; run++) {
        const [found, ...others] = await check(t, ['127.0.0.1:40000'], { inside: namespace.inside, env });
        t.deepEqual([found?.state, found?.code, others], ['closed', 'ECONNREFUSED', []]);
      }
    },
  );
}
