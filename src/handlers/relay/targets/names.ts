import { formatTargetEndpoint, type Endpoint } from '../../../address/endpoint.ts';
import { isIP } from '../../../address/ip.ts';
import { resolveAddresses, resolveService } from '../../../net/lookup.ts';
import { defaultResolveMs, type BalanceValues, type PairValues } from '../pair.ts';
import { isDatagramTarget, type Target } from './target.ts';

/** A target with an address that can be dialled without a name server. */
export interface ResolvedTarget {
  readonly name: string;
  readonly endpoint: Endpoint;
  /** The name that was looked up. */
  readonly host: string | undefined;
}

export interface Resolution {
  readonly targets: readonly ResolvedTarget[];
  /** How long the targets are valid, in milliseconds; Infinity when there was no name to look up. Never rejects. */
  readonly refreshMs: Promise<number>;
}

/** Records with a shorter time to live are kept for this long. */
const leastMs = 1_000;

/** The names of targets behind a proxy are looked up by the proxy, unless --resolve or --dns-server says how to. */
type ResolveValues = BalanceValues & Pick<PairValues, 'via'>;

/**
 * What a target's name currently resolves to: each address of a host, and each host of a service, is a target.
 *
 * @throws the resolver's error
 */
export async function resolveTarget(
  target: Target,
  values: ResolveValues,
  family?: 4 | 6,
): Promise<Resolution> {
  if (target.kind === 'srv')
    return resolveSrv(target.name, isDatagramTarget(target) ? 'udp' : 'tcp', values, family);
  const isForProxy =
    values.via !== undefined && values.resolve === undefined && values.dnsServer === undefined;
  if (
    isForProxy ||
    (target.kind !== 'tcp' && target.kind !== 'udp') ||
    isIP(target.host ?? 'localhost') !== 0
  ) {
    return {
      targets: [{ name: formatTargetEndpoint(target), endpoint: target, host: undefined }],
      refreshMs: Promise.resolve(Infinity),
    };
  }
  return resolveHost(
    { kind: target.kind, host: target.host ?? 'localhost', port: target.port },
    values,
    family,
  );
}

interface HostTarget {
  readonly kind: 'tcp' | 'udp';
  readonly host: string;
  readonly port: number;
}

async function resolveHost(
  { kind, host, port }: HostTarget,
  { dnsServer: server, resolve = defaultResolveMs }: BalanceValues,
  family?: 4 | 6,
): Promise<Resolution> {
  const { addresses, ttlMs } = await resolveAddresses(host, { server, family });
  return {
    targets: addresses.map(({ address }) => {
      const endpoint = { kind, host: address, port };
      return { name: formatTargetEndpoint(endpoint), endpoint, host };
    }),
    refreshMs: ttlMs.then((known = resolve) => Math.max(leastMs, known)),
  };
}

async function resolveSrv(
  name: string,
  kind: 'tcp' | 'udp',
  values: BalanceValues,
  family?: 4 | 6,
): Promise<Resolution> {
  const { dnsServer: server, resolve = defaultResolveMs } = values;
  const records = await resolveService(name, { server });
  const hosts = await Promise.all(
    records.map((record) => resolveHost({ kind, host: record.name, port: record.port }, values, family)),
  );
  return {
    targets: hosts.flatMap(({ targets }) => targets),
    refreshMs: Promise.all(hosts.map(({ refreshMs }) => refreshMs)).then((all) => Math.min(resolve, ...all)),
  };
}
