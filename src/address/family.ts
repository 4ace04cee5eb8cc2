import { TnetError } from '../errors.ts';
import { isIP } from './ip.ts';
import type { Endpoint } from './endpoint.ts';
import { refuseNumericForm } from './numeric.ts';
import { hideUserInfo } from './user-info.ts';

export type Family = 4 | 6;

/** The loopback address that localhost and a missing host are in a family. */
export const loopbacks = { 4: '127.0.0.1', 6: '::1' } as const satisfies Record<Family, string>;

/**
 * Makes sure that a host can be of the family that -4 or -6 asks for.
 *
 * @throws TnetError TNET_E_USAGE for an address of the other one
 */
export function requireFamily(host: string | undefined, family: Family | undefined): void {
  const found = host === undefined ? 0 : isIP(host);
  if (family === undefined || found === 0 || found === family) return;
  const message = `-${family} asks for IPv${family}, and this is an IPv${found} address`;
  throw new TnetError('TNET_E_USAGE', message, { subject: host as string });
}

/**
 * The endpoint to bind under -4 or -6: localhost is the loopback address of that family.
 *
 * @throws TnetError TNET_E_USAGE for an address of the other one
 */
export function toFamily(endpoint: Endpoint, family: Family | undefined): Endpoint {
  if (family === undefined || !('host' in endpoint) || endpoint.host === undefined) return endpoint;
  requireFamily(endpoint.host, family);
  return endpoint.host === 'localhost' ? { ...endpoint, host: loopbacks[family] } : endpoint;
}

/** @throws TnetError TNET_E_ADDRESS for a source that is no IP address, TNET_E_USAGE for one of the other family */
export function requireSource(source: string | undefined, family: Family | undefined): void {
  if (source === undefined) return;
  if (isIP(source) === 0) {
    refuseNumericForm(source, hideUserInfo(source));
    throw new TnetError('TNET_E_ADDRESS', '-s takes an IP address', { subject: hideUserInfo(source) });
  }
  requireFamily(source, family);
}
