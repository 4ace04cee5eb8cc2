import { explainFault } from './fault.ts';
import { isIP } from './ip.ts';

/**
 * Why a host is no address though the C library would take it for one, as a sentence; undefined when it is no such form.
 * `127.1`, `0177.0.0.1`, `0x7f.1` and `2130706433` are all 127.0.0.1 to getaddrinfo(), and whoever reads them in a list
 * or a log sees something else. The resolver makes plain digits of those of other scripts (RFC 5895), so that they are
 * such forms too. The reason is the one that `isip --explain` gives.
 */
export function explainNumericForm(host: string): string | undefined {
  if (isIP(host) !== 0) return undefined;
  const plain = host.normalize('NFKC').replaceAll(/[\u3002\uff0e\uff61]/g, '.');
  if (!/^(0x[0-9a-f]*|\d+)(\.(0x[0-9a-f]*|\d+))*\.?$/i.test(plain)) return undefined;
  return `${host} is not an IP address: ${explainFault(host)?.text ?? 'it only looks like one'}`;
}
