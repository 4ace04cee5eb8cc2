/** What an address is for, looked up in the table of ./address-registry.ts. */
import { registryRows } from './registry.ts';
import { type Block, type Prefix, blockOf, parsePrefix } from './prefix.ts';

/** The registry's word on an address. */
export interface AddressClass {
  readonly name: string;
  /** The block that it comes from, as the registry writes it. */
  readonly block: string;
  readonly rfcs: readonly string[];
  /** The registry's "Globally Reachable"; null where it says N/A or nothing. */
  readonly globallyReachable: boolean | null;
}

interface Entry {
  readonly prefix: Prefix;
  readonly block: Block;
  readonly found: AddressClass;
}

// Longest prefix first, so that the first match is the most specific.
const allEntries: readonly Entry[] = registryRows
  .map(([block, name, rfcs, globallyReachable]) => {
    const prefix = parsePrefix(block) as Prefix;
    return { prefix, block: blockOf(prefix, block), found: { name, block, rfcs, globallyReachable } };
  })
  .toSorted((a, b) => b.prefix.bits - a.prefix.bits);

const entries = {
  4: allEntries.filter(({ prefix }) => prefix.family === 4),
  6: allEntries.filter(({ prefix }) => prefix.family === 6),
};

/** Those that can hold an address, by its first byte: of some fifty blocks a handful has to be looked at. */
const byFirstByte = {
  4: Array.from({ length: 256 }, (_, first) => entries[4].filter((entry) => canHold(entry, first))),
  6: Array.from({ length: 256 }, (_, first) => entries[6].filter((entry) => canHold(entry, first))),
};

function canHold({ prefix: { bits, bytes } }: Entry, first: number): boolean {
  const free = Math.max(0, 8 - bits);
  return (bytes[0] as number) >> free === first >> free;
}

// What is left over when the special blocks are taken out: a prefix in it may still hold some of them.
const leftovers = new Set(['Global Unicast', 'Reserved by IETF']);

/**
 * The most specific registered block that holds the whole of `prefix`. Every single address has one; undefined for a
 * prefix so wide that it holds ordinary and special addresses.
 */
export function classifyAddress(prefix: Prefix): AddressClass | undefined {
  const { family, bits, bytes } = prefix;
  const entry = byFirstByte[family][bytes[0] as number]?.find(({ block }) => block.covers(prefix));
  if (!entry || bits === (family === 4 ? 32 : 128) || !leftovers.has(entry.found.name)) return entry?.found;
  const whole = blockOf(prefix, '');
  const isMixed = entries[family].some((one) => one !== entry && whole.covers(one.prefix));
  return isMixed ? undefined : entry.found;
}
