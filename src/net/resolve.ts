import type { SrvRecord } from 'node:dns';
import { errorCode } from '../errors.ts';

/** The addresses of a name, and for how long they may be kept. */
export interface ResolvedAddresses {
  readonly addresses: readonly { readonly address: string; readonly family: 4 | 6 }[];
  /** The smallest time to live of the records, in milliseconds; undefined when the answer is not from DNS. */
  readonly ttlMs: number | undefined;
}

export interface ResolveOptions {
  /** The name server to ask, as `address:port`. Default: the system's. */
  readonly server?: string | undefined;
  /** Only addresses of this family. Default: both. */
  readonly family?: 4 | 6 | undefined;
}

/**
 * Looks a name up in DNS, with its time to live. A name that DNS does not know is looked up the system's way
 * (/etc/hosts and the like), unless a name server was named.
 *
 * @throws the resolver's error: ENOTFOUND, ENODATA, ETIMEOUT, …
 */
export async function resolveAddresses(
  name: string,
  { server, family }: ResolveOptions = {},
): Promise<ResolvedAddresses> {
  const { promises: dns } = process.getBuiltinModule('node:dns');
  const resolver = new dns.Resolver();
  if (server !== undefined) resolver.setServers([server]);
  const asked = await Promise.allSettled([
    family === 6 ? [] : resolver.resolve4(name, { ttl: true }),
    family === 4 ? [] : resolver.resolve6(name, { ttl: true }),
  ]);
  const [v4, v6] = asked.map((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  const records = [
    ...(v4 ?? []).map((record) => ({ ...record, family: 4 as const })),
    ...(v6 ?? []).map((record) => ({ ...record, family: 6 as const })),
  ];
  if (records.length > 0) {
    const ttlMs = Math.min(...records.map(({ ttl }) => ttl)) * 1000;
    return { addresses: records.map(({ address, family: kind }) => ({ address, family: kind })), ttlMs };
  }
  if (server === undefined) {
    const found = await dns.lookup(name, { all: true, family: family ?? 0 });
    const addresses = found.map(({ address, family: kind }) => ({ address, family: kind as 4 | 6 }));
    return { addresses, ttlMs: undefined };
  }
  const failed = asked.find((answer) => answer.status === 'rejected');
  throw failed?.reason ?? Object.assign(new Error(`queryA ENODATA ${name}`), { code: 'ENODATA' });
}

/**
 * Looks the SRV records of a service up: `_http._tcp.example.com`. Of the best priority only; Node does not tell
 * their time to live.
 *
 * @throws the resolver's error
 */
export async function resolveService(name: string, { server }: ResolveOptions = {}): Promise<SrvRecord[]> {
  const { promises: dns } = process.getBuiltinModule('node:dns');
  const resolver = new dns.Resolver();
  if (server !== undefined) resolver.setServers([server]);
  const records = await resolver.resolveSrv(name);
  const best = Math.min(...records.map(({ priority }) => priority));
  return records.filter(({ priority }) => priority === best);
}

/** Whether a lookup failed because the name is not there, and not because nobody answered. */
export function isNameUnknown(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'ENOTFOUND' || code === 'ENODATA';
}
