import { isIP } from './ip.ts';

/**
 * IP addresses as bytes, and back to text: the one parser and the one formatter. What is an address at all is decided
 * by ./ip.ts alone. Pure: no I/O, and nothing of node:net.
 */

/** An address taken apart. */
export interface Address {
  readonly family: 4 | 6;
  /** 4 or 16 bytes, in network order. */
  readonly bytes: Uint8Array;
  /** What follows `%` (RFC 4007), without the `%`; undefined when there is none. */
  readonly zone: string | undefined;
}

/** Reads `text`; undefined when isIP says 0. */
export function parseAddress(text: string): Address | undefined {
  const family = isIP(text);
  if (family === 0) return undefined;
  if (family === 4) return { family, bytes: Uint8Array.from(text.split('.'), Number), zone: undefined };
  const percent = text.indexOf('%');
  const zone = percent < 0 ? undefined : text.slice(percent + 1);
  return { family, bytes: readGroups(percent < 0 ? text : text.slice(0, percent)), zone };
}

function readGroups(text: string): Uint8Array {
  const [head = '', tail] = text.split('::');
  const front = groupBytes(head);
  const back = tail === undefined ? [] : groupBytes(tail);
  const bytes = new Uint8Array(16);
  bytes.set(front);
  bytes.set(back, 16 - back.length);
  return bytes;
}

function groupBytes(text: string): number[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 255];
  });
}

/**
 * The one text form of an address: RFC 5952 for IPv6 (section 4 for the groups, section 5 for the dotted ends),
 * dotted decimal for IPv4. The zone, whose letters' case can matter, is kept as it was.
 */
export function formatAddress(address: Address): string {
  if (address.family === 4) return address.bytes.join('.');
  const zone = address.zone === undefined ? '' : `%${address.zone}`;
  const dotted = wellKnownEnds.some((prefix) => startsWith(address.bytes, prefix));
  const groups: string[] = [];
  for (let i = 0; i < (dotted ? 12 : 16); i += 2) {
    groups.push((((address.bytes[i] as number) << 8) | (address.bytes[i + 1] as number)).toString(16));
  }
  if (dotted) groups.push(address.bytes.slice(12).join('.'));
  return elideZeros(groups) + zone;
}

/** Section 4.2: `::` stands for the longest run of two or more zero groups, the first one of equals. */
function elideZeros(groups: readonly string[]): string {
  let best = 0;
  let bestLength = 1;
  for (let i = 0; i < groups.length; i++) {
    let length = 0;
    while (groups[i + length] === '0') length++;
    if (length > bestLength) [best, bestLength] = [i, length];
    i += length;
  }
  if (bestLength < 2) return groups.join(':');
  return `${groups.slice(0, best).join(':')}::${groups.slice(best + bestLength).join(':')}`;
}

/** ::ffff:0:0/96, as which a dual-stack socket shows an IPv4 address. Source: RFC 4291 section 2.5.5.2. */
export const mappedPrefix = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255];
export const translatedPrefix = [0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0];
export const nat64Prefix = [0, 100, 255, 155, 0, 0, 0, 0, 0, 0, 0, 0];

// RFC 5952 section 5 wants a dotted end where the prefix alone tells that an IPv4 address follows: RFC 4291 (mapped),
// RFC 2765 (translated), RFC 6052 (NAT64). The deprecated ::/96 cannot be told from ::1, so it keeps its groups.
const wellKnownEnds = [mappedPrefix, translatedPrefix, nat64Prefix];

/** Whether an address begins with whole bytes. */
export function startsWith(bytes: Uint8Array, prefix: readonly number[]): boolean {
  return prefix.every((byte, i) => bytes[i] === byte);
}

/** The 4 or 16 bytes that an address is on the wire; undefined for what is none, and for one with a zone. */
export function ipToBytes(text: string): Buffer | undefined {
  const address = parseAddress(text);
  return address?.zone === undefined && address ? Buffer.from(address.bytes) : undefined;
}

/** The text of an address of 4 or 16 bytes: see formatAddress(). */
export function bytesToIp(bytes: Uint8Array): string {
  return formatAddress({ family: bytes.length === 4 ? 4 : 6, bytes, zone: undefined });
}

/**
 * An IPv4 address that a dual-stack socket shows as `::ffff:127.0.0.1` as the IPv4 address it is. Everything else, a
 * text that is no address too, stays as it is.
 */
export function unmapAddress(text: string): string {
  // Most texts have no colon, and need no more than this look.
  const address = text.includes(':') ? parseAddress(text) : undefined;
  return address && startsWith(address.bytes, mappedPrefix) ? bytesToIp(address.bytes.subarray(12)) : text;
}

/** An address as it can be compared: canonical, without its zone, and unmapped. What is no address stays as it is. */
export function plainAddress(text: string): string {
  const address = parseAddress(unmapAddress(text));
  return address ? formatAddress({ ...address, zone: undefined }) : text;
}

function nibbles(byte: number): string[] {
  return [(byte >> 4).toString(16), (byte & 15).toString(16)];
}

/**
 * The name under which DNS keeps what the address is called: in-addr.arpa (RFC 1035 section 3.5), ip6.arpa (RFC 3596
 * section 2.5).
 *
 * @param bits of a prefix: the name of its zone, or undefined when the prefix ends inside a label
 */
export function reverseName({ family, bytes }: Address, bits = bytes.length * 8): string | undefined {
  const labelBits = family === 4 ? 8 : 4;
  if (bits % labelBits !== 0) return undefined;
  const labels = family === 4 ? Array.from(bytes, String) : Array.from(bytes, nibbles).flat();
  const kept = labels.slice(0, bits / labelBits).reverse();
  return [...kept, family === 4 ? 'in-addr' : 'ip6', 'arpa'].join('.');
}

/** An IPv4 address that an IPv6 address carries, and by which convention. */
export interface Embedded {
  readonly kind: 'mapped' | 'translated' | 'nat64' | '6to4' | 'teredo' | 'compatible';
  readonly address: Address;
}

/** The IPv4 address within an IPv6 one, where a well-known prefix says that there is one. */
export function embeddedIPv4(address: Address): Embedded | undefined {
  const { family, bytes } = address;
  if (family === 4) return undefined;
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
  return startsWith(bytes, new Array<number>(12).fill(0)) && low > 1 ? found('compatible', 12) : undefined;
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
