import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { Authority, Pair } from './certificates.ts';
import { runChaos, startChaosServer, type ChaosReport, type Greeting } from './chaos.ts';
import { startCli, type Cli } from './cli.ts';
import { countSockets, waitForSockets } from './descriptors.ts';
import { tempDir } from './temp.ts';

/** A way of a proxy to carry bytes. */
export interface ChaosWay {
  readonly name: string;
  readonly flags?: (t: ExecutionContext) => readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly greeting?: Greeting;
  readonly secureClients?: boolean;
  readonly secureServer?: Pair;
  readonly scale?: number;
}

/** Every way, with certificates for those with TLS. */
export const chaosWays = (authority: Authority, server: Pair): readonly ChaosWay[] => [
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
  { name: '--tls-out', flags: () => ['--tls-out', '--tls-ca', authority.caFile], secureServer: server },
  { name: '--socks', flags: () => ['--socks'], greeting: 'socks' },
  { name: '--http-connect', flags: () => ['--http-connect'], greeting: 'http-connect' },
  { name: '--workers', flags: () => ['--workers', '2'] },
];

/** The numbers of the connections that an event names. */
const idsOf = (cli: Cli, event: string) =>
  [...cli.stderr().matchAll(new RegExp(`"event":"${event}","id":(\\d+)`, 'g'))].map(([, id]) => Number(id));

/** Runs chaos through a proxy, and holds it to what it owes every connection. */
export async function expectChaos(
  t: ExecutionContext,
  { flags, env, greeting, secureClients, secureServer, scale }: ChaosWay,
  { seed, connections }: { readonly seed: number; readonly connections: number },
): Promise<ChaosReport['tally']> {
  const target = await startChaosServer({ seed, scale, secure: secureServer });
  t.teardown(() => target.close());
  const targets = greeting ? [] : [`127.0.0.1:${target.port}`];
  const args = ['proxy', '--json', '127.0.0.1:0', ...targets, ...(flags?.(t) ?? [])];
  const cli = startCli(t, args, { env });
  cli.stdout.resume();
  const [, port] = await cli.said(/"event":"listening","address":"127\.0\.0\.1:(\d+)"/);
  await cli.said(/"event":"lane"/);
  const before = countSockets(cli.child.pid!);
  const address = { host: '127.0.0.1', port: Number(port) };
  const options = { seed, scale, connections, concurrency: 40, address, greeting, secureClients };
  const { faults, tally } = await runChaos(options, target);
  t.deepEqual(faults, []);
  t.true((await waitForSockets(cli.child.pid!, before)) <= before);
  cli.child.kill('SIGTERM');
  t.is((await cli.exit).code, 143);
  const accepted = idsOf(cli, 'accepted').toSorted((a, b) => a - b);
  t.is(accepted.length, connections);
  t.deepEqual(
    idsOf(cli, 'ended').toSorted((a, b) => a - b),
    accepted,
  );
  return tally;
}
