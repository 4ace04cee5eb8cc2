import { TnetError } from '../errors.ts';
import { isIP } from './ip.ts';
import { explainNumericForm } from './numeric-form.ts';
import type { Endpoint } from './endpoint.ts';

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
