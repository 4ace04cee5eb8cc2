import { isIP } from './ip.ts';

/**
 * IP addresses as bytes, and back to text: the one parser and the one formatter. What counts as an address is
 * decided by ./ip.ts alone. Pure: no I/O, and nothing of node:net.
 */

/** An address taken apart. */
export interface Address {
  readonly family: 4 | 6;
  /** 4 or 16 bytes, in network order. */
  readonly bytes: Uint8Array;
  /** What follows `%` (RFC 4007), without the `%`; undefined when there is none. */
  readonly zone: string | undefined;
}

/** Reads `text`; undefined when isIP says 0. @param family what isIP says, if known */
export function parseAddress(text: string, family = isIP(text)): Address | undefined {
  if (family === 0) return undefined;
  if (family === 4) {
    const bytes = new Uint8Array(4);
    readDotted(text, 0, bytes, 0);
    return { family, bytes, zone: undefined };
  }
  const percent = text.indexOf('%');
  const zone = percent < 0 ? undefined : text.slice(percent + 1);
  return { family, bytes: readGroups(percent < 0 ? text : text.slice(0, percent)), zone };
}

/**
 * The bytes of an IPv6 address whose text is valid. Character by character: `isip --json` reads a million of them.
 */
function readGroups(text: string): Uint8Array {
  const bytes = new Uint8Array(16);
  let written = 0;
  /** Where the bytes after the `::` begin, before they are moved to the end. */
  let gap = -1;
  for (let at = 0; at < text.length;) {
    if (text.charCodeAt(at) === colon) {
      // The first of all, or the second of a `::`.
      if (text.charCodeAt(at + 1) === colon) at++;
      gap = written;
      at++;
      continue;
    }
    let value = 0;
    let end = at;
    for (; end < text.length && text.charCodeAt(end) !== colon; end++) {
      const code = text.charCodeAt(end);
      if (code === dot) break;
      value = value * 16 + hexValue(code);
    }
    if (text.charCodeAt(end) === dot) {
      readDotted(text, at, bytes, written);
      written += 4;
      break;
    }
    bytes[written++] = value >> 8;
    bytes[written++] = value & 255;
    at = end + 1;
  }
  if (gap >= 0 && written < 16) {
    bytes.copyWithin(16 - (written - gap), gap, written);
    bytes.fill(0, gap, 16 - (written - gap));
  }
  return bytes;
}

const colon = 58;
const dot = 46;

/** A hexadecimal digit by its code, of either case. */
function hexValue(code: number): number {
  return code <= 57 ? code - 48 : (code | 32) - 87;
}

/** Reads `1.2.3.4`, which is known to be valid, from `at` on. */
function readDotted(text: string, at: number, bytes: Uint8Array, to: number): void {
  let value = 0;
  for (let i = at; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code !== dot) value = value * 10 + code - 48;
    else {
      bytes[to++] = value;
      value = 0;
    }
  }
  bytes[to] = value;
}

/**
 * The one text form of an address: RFC 5952 for IPv6 (section 4 for the groups, section 5 for the dotted ends),
 * dotted decimal for IPv4. The zone, whose letters' case can matter, is kept as it was.
 */
export function formatAddress(address: Address): string {
  const { bytes } = address;
  if (address.family === 4) return formatDotted(bytes, 0);
  const zone = address.zone === undefined ? '' : `%${address.zone}`;
  const isDotted = wellKnownEnds.some((prefix) => startsWith(bytes, prefix));
  const count = isDotted ? 6 : 8;
  const [from, to] = findZeros(bytes, count);
  let text = '';
  for (let group = 0; group < count; group++) {
    if (group === from) {
      text += group === 0 ? '::' : ':';
      group = to - 1;
    } else {
      text += groupAt(bytes, group).toString(16);
      if (group < 7) text += ':';
    }
  }
  return (isDotted ? text + formatDotted(bytes, 12) : text) + zone;
}

function groupAt(bytes: Uint8Array, group: number): number {
  return ((bytes[2 * group] as number) << 8) | (bytes[2 * group + 1] as number);
}

function formatDotted(bytes: Uint8Array, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

/** Section 4.2: `::` replaces the longest run of two or more zero groups, the first one of equals. */
function findZeros(bytes: Uint8Array, count: number): readonly [from: number, to: number] {
  let best = -1;
  let bestLength = 1;
  for (let group = 0; group < count; group++) {
    let length = 0;
    while (group + length < count && groupAt(bytes, group + length) === 0) length++;
    if (length > bestLength) [best, bestLength] = [group, length];
    group += length;
  }
  return [best, best + bestLength];
}

/** ::ffff:0:0/96, in which a dual-stack socket shows an IPv4 address. Source: RFC 4291 section 2.5.5.2. */
export const mappedPrefix = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255];
export const translatedPrefix = [0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0];
export const nat64Prefix = [0, 100, 255, 155, 0, 0, 0, 0, 0, 0, 0, 0];

// RFC 5952 section 5 wants a dotted end where the prefix alone tells that an IPv4 address follows: RFC 4291 (mapped),
// RFC 2765 (translated), RFC 6052 (NAT64). The deprecated ::/96 cannot be told from ::1, so it keeps its groups.
const wellKnownEnds = [mappedPrefix, translatedPrefix, nat64Prefix];

/** Whether an address begins with whole bytes. */
export function startsWith(bytes: Uint8Array, prefix: readonly number[]): boolean {
  for (let i = 0; i < prefix.length; i++) if (bytes[i] !== prefix[i]) return false;
  return true;
}

/** The 4 or 16 bytes of an address on the wire; undefined if it is not an address, or has a zone. */
export function ipToBytes(text: string): Buffer | undefined {
  const address = parseAddress(text);
  return address?.zone === undefined && address ? Buffer.from(address.bytes) : undefined;
}

/** The text of an address of 4 or 16 bytes: see formatAddress(). */
export function bytesToIp(bytes: Uint8Array): string {
  return formatAddress({ family: bytes.length === 4 ? 4 : 6, bytes, zone: undefined });
}

/**
 * Turns `::ffff:127.0.0.1`, as a dual-stack socket shows an IPv4 address, into that IPv4 address. Everything else,
 * including text that is not an address, stays as it is.
 */
export function unmapAddress(text: string): string {
  // Most texts have no colon, and need no more than this check.
  const address = text.includes(':') ? parseAddress(text) : undefined;
  return address && startsWith(address.bytes, mappedPrefix) ? bytesToIp(address.bytes.subarray(12)) : text;
}

/**
 * An address as it can be compared: canonical, without its zone, and unmapped. Anything that is not an address
 * stays as it is.
 */
export function plainAddress(text: string): string {
  const address = parseAddress(unmapAddress(text));
  return address ? formatAddress({ ...address, zone: undefined }) : text;
}

/** Each byte as labels: one in in-addr.arpa, and two in ip6.arpa, its low half first. Made when first asked for. */
const byteLabels: Partial<Record<4 | 6, readonly string[]>> = {};

function makeLabels(family: 4 | 6): readonly string[] {
  const half = (digit: number) => `${digit.toString(16)}.`;
  return Array.from({ length: 256 }, (_, byte) =>
    family === 4 ? `${byte}.` : half(byte & 15) + half(byte >> 4),
  );
}

/**
 * The name under which DNS keeps the address's host name: in-addr.arpa (RFC 1035 section 3.5), ip6.arpa (RFC 3596
 * section 2.5).
 *
 * @param bits of a prefix: the name of its zone, or undefined when the prefix ends inside a label
 */
export function reverseName({ family, bytes }: Address, bits = bytes.length * 8): string | undefined {
  const labelBits = family === 4 ? 8 : 4;
  if (bits % labelBits !== 0) return undefined;
  const labels = (byteLabels[family] ??= makeLabels(family));
  let name = bits % 8 === 0 ? '' : `${((bytes[bits >> 3] as number) >> 4).toString(16)}.`;
  for (let at = (bits >> 3) - 1; at >= 0; at--) name += labels[bytes[at] as number] as string;
  return `${name}${family === 4 ? 'in-addr' : 'ip6'}.arpa`;
}

/** An IPv4 address that an IPv6 address carries, and by which convention. */
export interface Embedded {
  readonly kind: 'mapped' | 'translated' | 'nat64' | '6to4' | 'teredo' | 'compatible';
  readonly address: Address;
}

/** The IPv4 address within an IPv6 one, if a well-known prefix says that there is one. */
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
 * every other one. Source: RFC 1122 section 3.2.1.3, RFC 3927, RFC 4291 section 2.5. Connecting to an unspecified
 * address connects to loopback (Linux).
 */
export function findNearKind(text: string): NearAddress | undefined {
  const address = parseAddress(text);
  if (!address) return undefined;
  const { family, bytes } = embeddedIPv4(address)?.address ?? address;
  const [a = 0, b = 0] = bytes;
  if (family === 4) {
    if (a === 127) return 'loopback';
    if (a === 0) return 'unspecified';
    return a === 169 && b === 254 ? 'link-local' : undefined;
  }
  if (a === 0xfe && (b & 0xc0) === 0x80) return 'link-local';
  const plain = plainAddress(text);
  return plain === '::1' ? 'loopback' : plain === '::' ? 'unspecified' : undefined;
}
