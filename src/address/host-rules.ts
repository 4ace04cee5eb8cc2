import { explainFault } from './fault.ts';
import { isIP } from './ip.ts';
import { TnetError, hideUserInfo } from '../errors.ts';
import { formatEndpoint, type Endpoint } from './endpoint.ts';

/**
 * Why a host is not an address though the C library would take it for one, as a sentence; undefined when it has no
 * such form. `127.1`, `0177.0.0.1`, `0x7f.1` and `2130706433` are all 127.0.0.1 to getaddrinfo(), and a reader of a
 * list or a log sees something else. The resolver turns digits of other scripts into plain ones (RFC 5895), so they
 * are such forms too. The reason is the one that `isip --explain` gives.
 */
export function explainNumericForm(host: string): string | undefined {
  if (isIP(host) !== 0) return undefined;
  const plain = host.normalize('NFKC').replaceAll(/[\u3002\uff0e\uff61]/g, '.');
  if (!/^(0x[0-9a-f]*|\d+)(\.(0x[0-9a-f]*|\d+))*\.?$/i.test(plain)) return undefined;
  return `${host} is not an IP address: ${explainFault(host)?.text ?? 'it only looks like one'}`;
}

/**
 * For `-n`: a host must be an IP address, because DNS may not be asked.
 *
 * @throws TnetError TNET_E_ADDRESS
 */
export function requireNumericHost(endpoint: Endpoint): void {
  const host = 'host' in endpoint ? endpoint.host : undefined;
  if (host === undefined || isIP(host) !== 0) return;
  throw new TnetError('TNET_E_ADDRESS', 'not an IP address, and -n forbids DNS', { subject: host });
}

/**
 * Forbids a host that looks like an address to getaddrinfo() alone: see explainNumericForm().
 *
 * @throws TnetError TNET_E_ADDRESS
 */
export function refuseNumericForm(host: string, subject = host): void {
  const reason = explainNumericForm(host);
  if (reason !== undefined) throw new TnetError('TNET_E_ADDRESS', reason, { subject });
}

export type Family = 4 | 6;

/** The loopback address that localhost and a missing host mean in each family. */
export const loopbacks = { 4: '127.0.0.1', 6: '::1' } as const satisfies Record<Family, string>;

/**
 * Makes sure that a host can have the family that -4 or -6 asks for.
 *
 * @throws TnetError TNET_E_USAGE for an address of the other one
 */
export function requireFamily(host: string | undefined, family: Family | undefined): void {
  const found = host === undefined ? 0 : isIP(host);
  if (family === undefined || found === 0 || found === family) return;
  const message = `-${family} asks for IPv${family}, and this is an IPv${found} address`;
  throw new TnetError('TNET_E_USAGE', message, { subject: host as string });
}

/** Why flags about IP addresses and names mean nothing for an end. */
const withoutAddress: Readonly<Partial<Record<string, string>>> = {
  unix: 'a Unix socket has no IP address',
  'unix-dgram': 'a Unix socket has no IP address',
  'unix-seqpacket': 'a Unix socket has no IP address',
  vsock: 'it has no IP address',
  fd: 'it is open already',
  stdio: 'it has no IP address',
};

/**
 * Refuses flags about IP addresses and names when no end has any: they would be ignored.
 *
 * @param ends any of them; without one nothing is refused
 * @param flags by their names, those that are given
 * @throws TnetError TNET_E_USAGE
 */
export function refuseAddressFlags(
  ends: Iterable<Endpoint | { readonly kind: 'srv' }>,
  flags: Readonly<Record<string, unknown>>,
): void {
  const flag = Object.keys(flags).find((name) => flags[name] !== undefined && flags[name] !== false);
  if (flag === undefined) return;
  let first: Endpoint | undefined;
  for (const end of ends) {
    if (end.kind === 'srv' || withoutAddress[end.kind] === undefined) return;
    first ??= end;
  }
  if (!first) return;
  const reason = withoutAddress[first.kind] ?? '';
  throw new TnetError('TNET_E_USAGE', `${flag} does not go with ${formatEndpoint(first)}: ${reason}`);
}

/**
 * The endpoint to bind under -4 or -6: localhost, or a name under it, is the loopback address of that family.
 *
 * @throws TnetError TNET_E_USAGE for an address of the other one
 */
export function toFamily(endpoint: Endpoint, family: Family | undefined): Endpoint {
  if (family === undefined || !('host' in endpoint) || endpoint.host === undefined) return endpoint;
  requireFamily(endpoint.host, family);
  return isLoopbackName(endpoint.host) ? { ...endpoint, host: loopbacks[family] } : endpoint;
}

/**
 * @throws TnetError TNET_E_ADDRESS for a source that is not an IP address, TNET_E_USAGE for one of the other family
 */
export function requireSource(source: string | undefined, family: Family | undefined): void {
  if (source === undefined) return;
  if (isIP(source) === 0) {
    refuseNumericForm(source, hideUserInfo(source));
    throw new TnetError('TNET_E_ADDRESS', '-s takes an IP address', { subject: hideUserInfo(source) });
  }
  requireFamily(source, family);
}

/** Whether a name means this machine whatever DNS says: localhost, and all names under it. Source: RFC 6761, 6.3. */
export function isLoopbackName(host: string): boolean {
  return /^(?:.*\.)?localhost\.?$/i.test(host);
}

/** Whether the addresses of a host have to be looked up: it is a name, and not a loopback name. */
export function isForeignName(host = 'localhost'): boolean {
  return isIP(host) === 0 && !isLoopbackName(host);
}
