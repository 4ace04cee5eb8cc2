import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { runChaos, startChaosServer, type Greeting } from '../helpers/chaos.ts';
import { createAuthority } from '../helpers/certificates.ts';
import { startCli, type Cli } from '../helpers/cli.ts';
import { countSockets, waitForSockets } from '../helpers/descriptors.ts';
import { tempDir } from '../helpers/temp.ts';

const authority = createAuthority();
const server = authority.issue('server', 'DNS:localhost,IP:127.0.0.1');
test.after.always(() => authority.remove());

interface Way {
  readonly name: string;
  readonly flags?: (t: ExecutionContext) => readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly greeting?: Greeting;
  readonly secureClients?: boolean;
  readonly secureServer?: boolean;
  readonly scale?: number;
}

const ways: readonly Way[] = [
  { name: 'the express lane', env: { TNET_EXPRESS: '' } },
  { name: 'the native engine', env: { TNET_EXPRESS: '0' } },
  { name: 'Node streams', env: { TNET_NATIVE: '0' } },
  { name: '--tap', flags: () => ['--tap'], scale: 0.05 },
  { name: '-o', flags: (t) => ['-o', join(tempDir(t), 'r.json'), '--format', 'json'], scale: 0.2 },
  { name: '--latency', flags: () => ['--latency', '2ms'] },
  {
    name: '--tls-in',
    flags: () => ['--tls-in', '--tls-cert', server.certFile, '--tls-key', server.keyFile],
    secureClients: true,
  },
  { name: '--tls-out', flags: () => ['--tls-out', '--tls-ca', authority.caFile], secureServer: true },
  { name: '--socks', flags: () => ['--socks'], greeting: 'socks' },
  { name: '--http-connect', flags: () => ['--http-connect'], greeting: 'http-connect' },
  { name: '--workers', flags: () => ['--workers', '2'] },
];

/** The numbers of the connections that an event names. */
const idsOf = (cli: Cli, event: string) =>
  [...cli.stderr().matchAll(new RegExp(`"event":"${event}","id":(\\d+)`, 'g'))].map(([, id]) => Number(id));

for (const { name, flags, env, greeting, secureClients, secureServer, scale } of ways) {
  test.serial(
    `random ends, stalls and resets: every byte is right and every connection ends, with ${name}`,
    async (t) => {
      const seed = 1;
      const target = await startChaosServer({ seed, scale, secure: secureServer ? server : undefined });
      t.teardown(() => target.close());
      const targets = greeting ? [] : [`127.0.0.1:${target.port}`];
      const args = ['proxy', '--json', '127.0.0.1:0', ...targets, ...(flags?.(t) ?? [])];
      const cli = startCli(t, args, { env });
      cli.stdout.resume();
      const [, port] = await cli.said(/"event":"listening","address":"127\.0\.0\.1:(\d+)"/);
      await cli.said(/"event":"lane"/);
      const before = countSockets(cli.child.pid!);
      const address = { host: '127.0.0.1', port: Number(port) };
      const connections = 100;
      const options = { seed, scale, connections, concurrency: 40, address, greeting, secureClients };
      const { faults, tally } = await runChaos(options, target);
      t.deepEqual(faults, []);
      t.log(tally);
      t.true((await waitForSockets(cli.child.pid!, before)) <= before);
      cli.child.kill('SIGTERM');
      t.is((await cli.exit).code, 143);
      const accepted = idsOf(cli, 'accepted').toSorted((a, b) => a - b);
      t.is(accepted.length, connections);
      t.deepEqual(
        idsOf(cli, 'ended').toSorted((a, b) => a - b),
        accepted,
      );
    },
  );
}
