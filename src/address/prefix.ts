/**
 * Prefixes in CIDR notation. The arithmetic is Node's own net.BlockList: nothing to install, and 0.1 µs a look-up.
 */
import { BlockList } from 'node:net';
import { TnetError } from '../errors.ts';
import { isIP } from './ip.ts';

/** An address or a whole block of them, as it was written. */
export interface Prefix {
  readonly family: 4 | 6;
  /** The address in front, without its zone. Bits behind the prefix may be set: they do not count. */
  readonly text: string;
  /** What follows `%`; undefined when there is none. */
  readonly zone: string | undefined;
  /** 0 to 32, or 0 to 128; all of them for a single address. */
  readonly bits: number;
}

/** Reads `ADDRESS/BITS`; undefined when it is none. BITS is decimal without leading zeros; a netmask is no BITS. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.lastIndexOf('/');
  if (slash < 0) return undefined;
  const address = wholeAddress(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (!address || !/^(?:0|[1-9]\d{0,2})$/.test(digits)) return undefined;
  const bits = Number(digits);
  return bits <= address.bits ? { ...address, bits } : undefined;
}

/** The prefix that is one address alone; undefined when `text` is no address. */
export function wholeAddress(text: string): Prefix | undefined {
  const family = isIP(text);
  if (family === 0) return undefined;
  if (family === 4) return { family, text, zone: undefined, bits: 32 };
  const percent = text.indexOf('%');
  if (percent < 0) return { family, text, zone: undefined, bits: 128 };
  return { family, text: text.slice(0, percent), zone: text.slice(percent + 1), bits: 128 };
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
    throw new TnetError('TNET_E_ADDRESS', 'a CIDR block takes no zone', { subject: text });
  }
  return blockOf(prefix, text);
}

/**
 * The block of a prefix. An IPv4 block holds the IPv4-mapped IPv6 forms of its addresses as well, as a dual-stack
 * socket needs it; an IPv6 block holds no IPv4 address.
 */
export function blockOf(prefix: Prefix, text: string): Block {
  const list = new BlockList();
  list.addSubnet(prefix.text, prefix.bits, typeName(prefix));
  return {
    text,
    prefix,
    covers(inner) {
      if (inner.family < prefix.family) return false;
      const innerBits = inner.family === prefix.family ? inner.bits : inner.bits - 96;
      return innerBits >= prefix.bits && list.check(inner.text, typeName(inner));
    },
  };
}

function typeName({ family }: Prefix): 'ipv4' | 'ipv6' {
  return family === 4 ? 'ipv4' : 'ipv6';
}
