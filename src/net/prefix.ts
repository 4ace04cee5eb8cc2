/**
 * Prefixes in CIDR notation. The arithmetic is Node's own net.BlockList, the same that access lists are built on, so
 * that `tnet isip --in` tells what a listener with that list would do.
 */
import { BlockList } from 'node:net';
import { TnetError } from '../errors.ts';
import { type Address, formatAddress, parseAddress } from './address.ts';

/** `10.0.0.0/8`, taken apart. Bits behind the prefix may be set: they do not count. */
export interface Prefix {
  readonly address: Address;
  /** 0 to 32, or 0 to 128. */
  readonly bits: number;
}

/** Reads `ADDRESS/BITS`; undefined when it is none. BITS is decimal without leading zeros; a netmask is no BITS. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.lastIndexOf('/');
  const address = parseAddress(text.slice(0, Math.max(slash, 0)));
  const digits = text.slice(slash + 1);
  if (!address || !/^(?:0|[1-9]\d{0,2})$/.test(digits)) return undefined;
  const bits = Number(digits);
  return bits <= address.bytes.length * 8 ? { address, bits } : undefined;
}

/** A set of addresses: one CIDR block. */
export interface Block {
  /** As it was written. */
  readonly text: string;
  /** Whether the block holds the whole of `inner`; an address is a prefix of all its bits. */
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
  if (prefix.address.zone !== undefined) {
    throw new TnetError('TNET_E_ADDRESS', 'a CIDR block takes no zone', { subject: text });
  }
  return blockOf(prefix, text);
}

/**
 * The block of a prefix. An IPv4 block holds the IPv4-mapped IPv6 forms of its addresses as well, as a dual-stack
 * socket needs it; an IPv6 block holds no IPv4 address.
 */
export function blockOf({ address, bits }: Prefix, text: string): Block {
  const list = new BlockList();
  list.addSubnet(plainText(address), bits, familyName(address));
  return {
    text,
    covers(inner) {
      if (inner.address.family < address.family) return false;
      const innerBits = inner.address.family === address.family ? inner.bits : inner.bits - 96;
      return innerBits >= bits && list.check(plainText(inner.address), familyName(inner.address));
    },
  };
}

/** The prefix that is one address alone; undefined when `text` is no address. */
export function wholeAddress(text: string): Prefix | undefined {
  const address = parseAddress(text);
  return address && { address, bits: address.bytes.length * 8 };
}

function plainText(address: Address): string {
  return formatAddress({ ...address, zone: undefined });
}

function familyName({ family }: Address): 'ipv4' | 'ipv6' {
  return family === 4 ? 'ipv4' : 'ipv6';
}
