import { networkInterfaces } from 'node:os';
import { formatAddress } from '../address/address.ts';

/**
 * Formats an address of an express lane.
 *
 * @param family 4 or 6
 * @param words the address in 32-bit words, one or four, then the number of its zone (link-local ones), 0 for none
 */
export function formatLaneAddress(family: number, words: readonly number[]): string {
  if (family === 4) {
    const [word = 0] = words;
    return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
  }
  const bytes = Buffer.alloc(16);
  for (let i = 0; i < 4; i++) bytes.writeUInt32BE(words[i] ?? 0, i * 4);
  const [, , , , scopeId = 0] = words;
  const zone = scopeId === 0 ? undefined : findZone(scopeId);
  return formatAddress({ family: 6, bytes, zone });
}

function findZone(scopeId: number): string {
  const interfaces = Object.entries(networkInterfaces());
  const [found] = interfaces.filter(([, addresses]) =>
    addresses?.some((one) => one.family === 'IPv6' && one.scopeid === scopeId),
  );
  return found?.[0] ?? String(scopeId);
}
