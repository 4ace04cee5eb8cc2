/** Prefixes in CIDR notation. */
import { TnetError } from '../errors.ts';
import { type Address, mappedPrefix, parseAddress, startsWith } from './address.ts';

/** An address or a whole block of them, as it was written. */
export interface Prefix extends Address {
  /** The address in front, without its zone. Bits after the prefix may be set: they do not count. */
  readonly text: string;
  /** 0 to 32, or 0 to 128; all of them for a single address. */
  readonly bits: number;
}

/**
 * Reads `ADDRESS/BITS`; undefined for anything else. BITS is decimal without leading zeros; a netmask is not
 * allowed.
 */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.lastIndexOf('/');
  if (slash < 0) return undefined;
  const address = wholeAddress(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (!address || !/^(?:0|[1-9]\d{0,2})$/.test(digits)) return undefined;
  const bits = Number(digits);
  return bits <= address.bits ? { ...address, bits } : undefined;
}

/**
 * The prefix that is one address alone; undefined when `text` is not an address. @param family what isIP says, if
 * known
 */
export function wholeAddress(text: string, family?: 0 | 4 | 6): Prefix | undefined {
  const address = parseAddress(text, family);
  if (!address) return undefined;
  const { bytes, zone } = address;
  const plain = zone === undefined ? text : text.slice(0, text.indexOf('%'));
  return { family: address.family, bytes, zone, text: plain, bits: bytes.length * 8 };
}

/** `::ffff:10.0.0.0/104` as the block of IPv4 addresses that it is, 10.0.0.0/8; any other prefix as it is. */
export function unmapPrefix(prefix: Prefix): Prefix {
  const { family, bytes, bits } = prefix;
  if (family === 4 || bits < 96 || !startsWith(bytes, mappedPrefix)) return prefix;
  const inner = bytes.subarray(12);
  return { family: 4, bytes: inner, zone: undefined, text: inner.join('.'), bits: bits - 96 };
}

/** A set of addresses: one CIDR block. */
export interface Block {
  /** As it was written. */
  readonly text: string;
  readonly prefix: Prefix;
  /** Whether the block holds the whole of `inner`; its zone does not matter. */
  readonly covers: (inner: Prefix) => boolean;
}

/**
 * Reads a CIDR block, or an address as the block of itself alone.
 *
 * @throws TnetError TNET_E_ADDRESS: `text` is neither an address nor a prefix, or has a zone
 */
export function parseBlock(text: string): Block {
  const prefix = parsePrefix(text) ?? wholeAddress(text);
  if (!prefix) {
    throw new TnetError('TNET_E_ADDRESS', 'not a CIDR block such as 10.0.0.0/8 or fc00::/7', {
      subject: text,
    });
  }
  if (prefix.zone !== undefined) {
    throw new TnetError('TNET_E_ADDRESS', 'a CIDR block cannot have a zone', { subject: text });
  }
  return blockOf(prefix, text);
}

/**
 * The block of a prefix. An IPv4 block holds the IPv4-mapped IPv6 forms of its addresses as well, as a dual-stack
 * socket needs it; an IPv6 block holds no IPv4 address.
 */
export function blockOf(prefix: Prefix, text: string): Block {
  const { family, bytes, bits } = prefix;
  return {
    text,
    prefix,
    covers(inner) {
      const same = family === 4 ? unmapPrefix(inner) : inner;
      return same.family === family && same.bits >= bits && shareBits(bytes, same.bytes, bits);
    },
  };
}

/** Whether two addresses begin with the same bits. */
function shareBits(one: Uint8Array, other: Uint8Array, bits: number): boolean {
  const whole = bits >> 3;
  for (let i = 0; i < whole; i++) if (one[i] !== other[i]) return false;
  const rest = bits & 7;
  return rest === 0 || ((one[whole] ?? 0) ^ (other[whole] ?? 0)) >> (8 - rest) === 0;
}
