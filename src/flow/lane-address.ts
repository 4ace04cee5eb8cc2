import { networkInterfaces } from 'node:os';

/**
 * An address of an express lane as node:net writes it.
 *
 * @param family 4 or 6
 * @param words the address in 32-bit words, one or four, then the number of its zone (link-local ones), 0 for none
 */
export function formatLaneAddress(family: number, words: readonly number[]): string {
  const [first = 0] = words;
  if (family === 4) return formatIPv4(first);
  const groups = words.slice(0, 4).flatMap((word) => [Math.floor(word / 65_536), word % 65_536]);
  // An IPv4 client of a dual-stack listener.
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${formatIPv4(words[3] ?? 0)}`;
  }
  const [zone = 0] = words.slice(4);
  const address = compressIPv6(groups.map((group) => group.toString(16)));
  return zone === 0 ? address : `${address}%${findZone(zone)}`;
}

function formatIPv4(word: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(word / 2 ** shift) % 256).join('.');
}

function findZone(scopeId: number): string {
  const interfaces = Object.entries(networkInterfaces());
  const [found] = interfaces.filter(([, addresses]) =>
    addresses?.some((one) => one.family === 'IPv6' && one.scopeid === scopeId),
  );
  return found?.[0] ?? String(scopeId);
}

/** Source: RFC 5952, 4.2: the longest run of two or more zero groups, the first of equals. */
function compressIPv6(groups: readonly string[]): string {
  const text = groups.join(':');
  const runs = text.match(/\b0(?::0)+\b/g) ?? [];
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), '');
  if (longest === '') return text;
  const at = text.search(new RegExp(`\\b${longest}\\b`));
  const [before, after] = [text.slice(0, at), text.slice(at + longest.length)];
  return `${before.replace(/:$/, '')}::${after.replace(/^:/, '')}`;
}
