import { isLoopbackName } from '../address/host-rules.ts';
import type { LookupAddress } from 'node:dns';

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
 * The addresses of localhost and of the names under it. They are not for DNS to answer, and a hosts file often has one of
 * the two only, so a server on the other would not be found.
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
