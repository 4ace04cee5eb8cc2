import {
  type Address,
  mappedPrefix,
  nat64Prefix,
  parseAddress,
  plainAddress,
  startsWith,
  translatedPrefix,
} from './address.ts';

/** An IPv4 address that an IPv6 address carries, and by which convention. */
export interface Embedded {
  readonly kind: 'mapped' | 'translated' | 'nat64' | '6to4' | 'teredo' | 'compatible';
  readonly address: Address;
}

/** The IPv4 address within an IPv6 one, where a well-known prefix says that there is one. */
export function embeddedIPv4(address: Address): Embedded | undefined {
  const { family, bytes } = address;
  if (family === 4) return undefined;
  // Most addresses begin with none of the prefixes below.
  if (bytes[0] !== 0 && (bytes[0] !== 0x20 || (bytes[1] as number) > 2)) return undefined;
  const found = (kind: Embedded['kind'], at: number, mask = 0): Embedded => ({
    kind,
    address: { family: 4, bytes: bytes.slice(at, at + 4).map((byte) => byte ^ mask), zone: undefined },
  });
  if (startsWith(bytes, mappedPrefix)) return found('mapped', 12);
  if (startsWith(bytes, translatedPrefix)) return found('translated', 12);
  if (startsWith(bytes, nat64Prefix)) return found('nat64', 12);
  if (startsWith(bytes, [0x20, 0x02])) return found('6to4', 2);
  // RFC 4380 section 4: the client's address is written with every bit flipped.
  if (startsWith(bytes, [0x20, 0x01, 0, 0])) return found('teredo', 12, 255);
  const low = bytes.subarray(12).reduce((value, byte) => value * 256 + byte, 0);
  return startsWith(bytes, compatiblePrefix) && low > 1 ? found('compatible', 12) : undefined;
}

const compatiblePrefix: readonly number[] = new Array<number>(12).fill(0);

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
