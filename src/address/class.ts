import { type Block, type Prefix, blockOf, parsePrefix } from './prefix.ts';

/**
 * What blocks of addresses are for, as data.
 *
 * Source: the IANA IPv4 and IPv6 Special-Purpose Address Registries (iana.org/assignments/iana-ipv4-special-registry
 * and iana-ipv6-special-registry; RFC 6890, RFC 8190), both last updated on 2025-10-09. Names and RFCs are the
 * registries' own. The registries leave out multicast and ordinary addresses: those rows come from the IPv4 and IPv6
 * address space and multicast registries, and are marked so below.
 */

/** The day on which both special-purpose registries were last updated when this table was written. */
export const registryDate = '2025-10-09';

/**
 * One block: its prefix, name, defining RFCs, and whether it is "Globally Reachable": null where the registry says N/A
 * or nothing, as it does for tunnels, withdrawn blocks and multicast.
 */
export type RegistryRow = readonly [
  block: string,
  name: string,
  rfcs: readonly string[],
  globallyReachable: boolean | null,
];

/** Every block, in the registries' order; the longest prefix that covers an address is its class. */
export const registryRows: readonly RegistryRow[] = [
  // IPv4 special-purpose
  ['0.0.0.0/8', '"This network"', ['RFC 791'], false],
  ['0.0.0.0/32', '"This host on this network"', ['RFC 1122'], false],
  ['10.0.0.0/8', 'Private-Use', ['RFC 1918'], false],
  ['100.64.0.0/10', 'Shared Address Space', ['RFC 6598'], false],
  ['127.0.0.0/8', 'Loopback', ['RFC 1122'], false],
  ['169.254.0.0/16', 'Link Local', ['RFC 3927'], false],
  ['172.16.0.0/12', 'Private-Use', ['RFC 1918'], false],
  ['192.0.0.0/24', 'IETF Protocol Assignments', ['RFC 6890'], false],
  ['192.0.0.0/29', 'IPv4 Service Continuity Prefix', ['RFC 7335'], false],
  ['192.0.0.8/32', 'IPv4 dummy address', ['RFC 7600'], false],
  ['192.0.0.9/32', 'Port Control Protocol Anycast', ['RFC 7723'], true],
  ['192.0.0.10/32', 'Traversal Using Relays around NAT Anycast', ['RFC 8155'], true],
  ['192.0.0.170/32', 'NAT64/DNS64 Discovery', ['RFC 8880', 'RFC 7050'], false],
  ['192.0.0.171/32', 'NAT64/DNS64 Discovery', ['RFC 8880', 'RFC 7050'], false],
  ['192.0.2.0/24', 'Documentation (TEST-NET-1)', ['RFC 5737'], false],
  ['192.31.196.0/24', 'AS112-v4', ['RFC 7535'], true],
  ['192.52.193.0/24', 'AMT', ['RFC 7450'], true],
  ['192.88.99.0/24', 'Deprecated (6to4 Relay Anycast)', ['RFC 7526'], null],
  ['192.88.99.2/32', '6a44-relay anycast address', ['RFC 6751'], false],
  ['192.168.0.0/16', 'Private-Use', ['RFC 1918'], false],
  ['192.175.48.0/24', 'Direct Delegation AS112 Service', ['RFC 7534'], true],
  ['198.18.0.0/15', 'Benchmarking', ['RFC 2544'], false],
  ['198.51.100.0/24', 'Documentation (TEST-NET-2)', ['RFC 5737'], false],
  ['203.0.113.0/24', 'Documentation (TEST-NET-3)', ['RFC 5737'], false],
  ['240.0.0.0/4', 'Reserved', ['RFC 1112'], false],
  ['255.255.255.255/32', 'Limited Broadcast', ['RFC 8190', 'RFC 919'], false],

  // IPv6 special-purpose
  ['::1/128', 'Loopback Address', ['RFC 4291'], false],
  ['::/128', 'Unspecified Address', ['RFC 4291'], false],
  ['::ffff:0:0/96', 'IPv4-mapped Address', ['RFC 4291'], false],
  ['64:ff9b::/96', 'IPv4-IPv6 Translat.', ['RFC 6052'], true],
  ['64:ff9b:1::/48', 'IPv4-IPv6 Translat.', ['RFC 8215'], false],
  ['100::/64', 'Discard-Only Address Block', ['RFC 6666'], false],
  ['100:0:0:1::/64', 'Dummy IPv6 Prefix', ['RFC 9780'], false],
  ['2001::/23', 'IETF Protocol Assignments', ['RFC 2928'], false],
  ['2001::/32', 'TEREDO', ['RFC 4380', 'RFC 8190'], null],
  ['2001:1::1/128', 'Port Control Protocol Anycast', ['RFC 7723'], true],
  ['2001:1::2/128', 'Traversal Using Relays around NAT Anycast', ['RFC 8155'], true],
  ['2001:1::3/128', 'DNS-SD Service Registration Protocol Anycast', ['RFC 9665'], true],
  ['2001:2::/48', 'Benchmarking', ['RFC 5180'], false],
  ['2001:3::/32', 'AMT', ['RFC 7450'], true],
  ['2001:4:112::/48', 'AS112-v6', ['RFC 7535'], true],
  ['2001:10::/28', 'Deprecated (previously ORCHID)', ['RFC 4843'], null],
  ['2001:20::/28', 'ORCHIDv2', ['RFC 7343'], true],
  ['2001:30::/28', 'Drone Remote ID Protocol Entity Tags (DETs) Prefix', ['RFC 9374'], true],
  ['2001:db8::/32', 'Documentation', ['RFC 3849'], false],
  ['2002::/16', '6to4', ['RFC 3056'], null],
  ['2620:4f:8000::/48', 'Direct Delegation AS112 Service', ['RFC 7534'], true],
  ['3fff::/20', 'Documentation', ['RFC 9637'], false],
  ['5f00::/16', 'Segment Routing (SRv6) SIDs', ['RFC 9602'], false],
  ['fc00::/7', 'Unique-Local', ['RFC 4193', 'RFC 8190'], false],
  ['fe80::/10', 'Link-Local Unicast', ['RFC 4291'], false],

  // Not in the special-purpose registries: multicast, and the address space that the rows above are taken from
  ['224.0.0.0/4', 'Multicast', ['RFC 5771'], null],
  ['0.0.0.0/0', 'Global Unicast', ['RFC 791'], true],
  ['ff00::/8', 'Multicast', ['RFC 4291'], null],
  ['fec0::/10', 'Deprecated (previously Site-Local Unicast)', ['RFC 3879'], false],
  ['2000::/3', 'Global Unicast', ['RFC 4291'], true],
  ['::/0', 'Reserved by IETF', ['RFC 4291'], false],
];

/** The registry's entry for an address. */
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

/**
 * The blocks that can hold an address, by its first byte: of some fifty blocks only a handful have to be checked.
 */
const byFirstByte = {
  4: Array.from({ length: 256 }, (_, first) => entries[4].filter((entry) => canHold(entry, first))),
  6: Array.from({ length: 256 }, (_, first) => entries[6].filter((entry) => canHold(entry, first))),
};

function canHold({ prefix: { bits, bytes } }: Entry, first: number): boolean {
  const free = Math.max(0, 8 - bits);
  return (bytes[0] as number) >> free === first >> free;
}

function findEntry(prefix: Prefix): Entry | undefined {
  const { family, bytes } = prefix;
  return byFirstByte[family][bytes[0] as number]?.find(({ block }) => block.covers(prefix));
}

/**
 * The class of all addresses that begin with these two bytes, where there is one for all and it has been asked for: one
 * more than its number among allEntries, else 0. An array of them would be sparse, which is slow to look into.
 */
const byStart = { 4: new Uint8Array(65_536), 6: new Uint8Array(65_536) };

/** Whether no registered block ends within the addresses that begin with these two bytes. */
function isClassOf(start: number, family: 4 | 6): boolean {
  return !byFirstByte[family][start >> 8]?.some(
    ({ prefix: { bits, bytes } }) => bits > 16 && bytes[1] === (start & 255) && bytes[0] === start >> 8,
  );
}

// What is left over when the special blocks are taken out: a prefix in it may still hold some of them.
const leftovers = new Set(['Global Unicast', 'Reserved by IETF']);

/**
 * The most specific registered block that holds the whole of `prefix`. Every single address has one; undefined for a
 * prefix so wide that it holds ordinary and special addresses.
 */
export function classifyAddress(prefix: Prefix): AddressClass | undefined {
  const { family, bits, bytes } = prefix;
  const isAddress = bits === (family === 4 ? 32 : 128);
  const start = ((bytes[0] as number) << 8) | (bytes[1] as number);
  const known = isAddress ? byStart[family][start] : 0;
  if (known) return allEntries[known - 1]?.found;
  const entry = findEntry(prefix);
  if (isAddress && entry && isClassOf(start, family)) byStart[family][start] = allEntries.indexOf(entry) + 1;
  if (!entry || isAddress || !leftovers.has(entry.found.name)) return entry?.found;
  const whole = blockOf(prefix, '');
  const isMixed = entries[family].some((one) => one !== entry && whole.covers(one.prefix));
  return isMixed ? undefined : entry.found;
}
