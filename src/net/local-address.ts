import { networkInterfaces } from 'node:os';
import { embeddedIPv4, formatAddress, parseAddress } from '../address/address.ts';

/**
 * An address as it can be compared: canonical, without its zone, and an IPv4 address that a dual-stack socket shows as
 * `::ffff:127.0.0.1` as the IPv4 address it is. What is no address stays as it is.
 */
export function plainAddress(text: string): string {
  const address = parseAddress(text);
  if (!address) return text;
  const embedded = embeddedIPv4(address);
  return formatAddress(embedded?.kind === 'mapped' ? embedded.address : { ...address, zone: undefined });
}

/** What only this machine, or only its link, can mean by an address. */
export type NearAddress = 'loopback' | 'link-local' | 'unspecified';

/**
 * Which of them an address is, in any form that carries an IPv4 address too (mapped, NAT64, 6to4, …); undefined for
 * every other one. Source: RFC 1122 section 3.2.1.3, RFC 3927, RFC 4291 section 2.5. To connect to an unspecified
 * address is to connect to loopback (Linux).
 */
export function findNearKind(text: string): NearAddress | undefined {
  const address = parseAddress(text);
  if (!address) return undefined;
  const [a = 0, b = 0] = (embeddedIPv4(address)?.address ?? address).bytes;
  if (embeddedIPv4(address) || address.family === 4) {
    if (a === 127) return 'loopback';
    if (a === 0) return 'unspecified';
    return a === 169 && b === 254 ? 'link-local' : undefined;
  }
  if (a === 0xfe && (b & 0xc0) === 0x80) return 'link-local';
  const plain = plainAddress(text);
  return plain === '::1' ? 'loopback' : plain === '::' ? 'unspecified' : undefined;
}

/** Whether to connect to an address is to connect to this machine. */
export function isOfThisMachine(text: string): boolean {
  const kind = findNearKind(text);
  if (kind === 'loopback' || kind === 'unspecified') return true;
  const plain = plainAddress(text);
  return Object.values(networkInterfaces())
    .flat()
    .some((one) => one !== undefined && plainAddress(one.address) === plain);
}
