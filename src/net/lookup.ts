import type { LookupAddress, promises, SrvRecord } from 'node:dns';
import { isLoopbackName } from '../address/host-rules.ts';

/** What a name is looked up for. */
export interface LookupQuestion {
  /** Only addresses of this family: 4 or 6. Default 0, both. */
  readonly family?: number | undefined;
  /** dns.lookup's hints. */
  readonly hints?: number | undefined;
}

const loopback: readonly LookupAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];

/**
 * The addresses of localhost and of the names under it. DNS must not be asked for them, and a hosts file often has
 * only one of the two, so a server on the other would not be found.
 */
export function loopbackAddresses(family = 0): LookupAddress[] {
  return loopback.filter((one) => family === 0 || one.family === family);
}

/**
 * The addresses of a name, in the system's order: hosts file, DNS, and what else the system asks. The one way in which
 * every part of tnet looks names up.
 *
 * @throws the resolver's error: ENOTFOUND, EAI_AGAIN, …
 */
export async function lookupAll(
  host: string,
  { family = 0, hints }: LookupQuestion = {},
): Promise<LookupAddress[]> {
  if (isLoopbackName(host)) return loopbackAddresses(family);
  // node:dns is loaded when there is a name to look up, as node:net does it.
  return process.getBuiltinModule('node:dns').promises.lookup(host, { all: true, family, hints });
}

/**
 * The first address of a name.
 *
 * @throws as lookupAll() does
 */
export async function lookupFirst(host: string, question: LookupQuestion = {}): Promise<LookupAddress> {
  const [first] = await lookupAll(host, question);
  if (first) return first;
  throw Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), {
    code: 'ENOTFOUND',
    syscall: 'getaddrinfo',
  });
}

/** A host name as a certificate and SNI have it: without the dot at its end. Source: RFC 6066, 3. */
export function withoutRootDot(host: string): string {
  return host.length > 1 && host.endsWith('.') ? host.slice(0, -1) : host;
}

/** The addresses of a name, and for how long they may be kept. */
export interface ResolvedAddresses {
  readonly addresses: readonly { readonly address: string; readonly family: 4 | 6 }[];
  /**
   * The smallest time to live of the records, in milliseconds; undefined when the answer is not from DNS. It may come
   * later than the addresses, and never rejects.
   */
  readonly ttlMs: Promise<number | undefined>;
}

export interface ResolveOptions {
  /** The name server to ask, as `address:port`. Default: the system's. */
  readonly server?: string | undefined;
  /** Only addresses of this family. Default: both. */
  readonly family?: 4 | 6 | undefined;
}

/** How long DNS may take to tell the time to live of addresses that are known already. */
const ttlQueryMs = 1_000;

/**
 * Looks a name up as everything else here does (see lookupAll()), and asks DNS for its time to live in parallel:
 * there is no waiting for a name server when the hosts file has the name. With `server`, only that name server is
 * asked.
 *
 * @throws the resolver's error: ENOTFOUND, ENODATA, ETIMEOUT, …
 */
export async function resolveAddresses(
  name: string,
  { server, family }: ResolveOptions = {},
): Promise<ResolvedAddresses> {
  if (server !== undefined && !isLoopbackName(name)) return askServer(name, server, family);
  const found = await lookupAll(name, { family });
  const addresses = found.map(({ address, family: kind }) => ({ address, family: kind as 4 | 6 }));
  return { addresses, ttlMs: isLoopbackName(name) ? Promise.resolve(undefined) : findTtl(name, addresses) };
}

async function askServer(
  name: string,
  server: string,
  family: 4 | 6 | undefined,
): Promise<ResolvedAddresses> {
  const { promises: dns } = process.getBuiltinModule('node:dns');
  const resolver = new dns.Resolver();
  resolver.setServers([server]);
  const { records, failure } = await askRecords(resolver, name, family);
  if (records.length > 0) return { addresses: records, ttlMs: Promise.resolve(leastTtlMs(records)) };
  if (failure) throw failure;
  throw Object.assign(new Error(`queryA ENODATA ${name}`), { code: 'ENODATA' });
}

/** Undefined when the addresses are not from DNS: then nothing says how long they are valid. */
async function findTtl(name: string, addresses: ResolvedAddresses['addresses']): Promise<number | undefined> {
  const { promises: dns } = process.getBuiltinModule('node:dns');
  const resolver = new dns.Resolver({ timeout: ttlQueryMs, tries: 1 });
  const { records } = await askRecords(resolver, name, undefined);
  const used = records.filter((record) => addresses.some(({ address }) => address === record.address));
  return used.length > 0 ? leastTtlMs(used) : undefined;
}

interface AddressRecord {
  readonly address: string;
  readonly family: 4 | 6;
  /** In seconds. */
  readonly ttl: number;
}

async function askRecords(
  resolver: promises.Resolver,
  name: string,
  family: 4 | 6 | undefined,
): Promise<{ readonly records: readonly AddressRecord[]; readonly failure: Error | undefined }> {
  const asked = await Promise.allSettled([
    family === 6 ? [] : resolver.resolve4(name, { ttl: true }),
    family === 4 ? [] : resolver.resolve6(name, { ttl: true }),
  ]);
  const [v4, v6] = asked.map((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  const records = [
    ...(v4 ?? []).map((record) => ({ ...record, family: 4 as const })),
    ...(v6 ?? []).map((record) => ({ ...record, family: 6 as const })),
  ];
  return {
    records,
    failure: asked.find((answer) => answer.status === 'rejected')?.reason as Error | undefined,
  };
}

function leastTtlMs(records: readonly AddressRecord[]): number {
  return Math.min(...records.map(({ ttl }) => ttl)) * 1000;
}

/**
 * Looks the SRV records of a service up: `_http._tcp.example.com`. Only those of the best priority; Node does not
 * report their time to live.
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
