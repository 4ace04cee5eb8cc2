const V4_BYTES = 4;
const V6_BYTES = 16;
const v4Part = /^(?:0|[1-9]\d{0,2})$/;
const v6Group = /^[0-9a-fA-F]{1,4}$/;

function v4ToBytes(text: string): Buffer | undefined {
  const parts = text.split('.');
  if (parts.length !== V4_BYTES || !parts.every((part) => v4Part.test(part) && Number(part) <= 255)) {
    return undefined;
  }
  return Buffer.from(parts.map(Number));
}

/** The 16-bit groups of one side of a `::`, or undefined when they cannot be read. */
function readGroups(text: string): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (v6Group.test(part)) {
      groups.push(parseInt(part, 16));
      continue;
    }
    const dotted = index === parts.length - 1 ? v4ToBytes(part) : undefined;
    if (!dotted) return undefined;
    groups.push(dotted.readUInt16BE(0), dotted.readUInt16BE(2));
  }
  return groups;
}

function v6ToBytes(text: string): Buffer | undefined {
  const sides = text.split('::');
  if (sides.length > 2) return undefined;
  const head = readGroups(sides[0] ?? '');
  const tail = sides.length === 2 ? readGroups(sides[1] ?? '') : [];
  if (!head || !tail) return undefined;
  // A dotted quad may stand at the very end only.
  if (sides.length === 2 && sides[0]?.includes('.')) return undefined;
  const missing = V6_BYTES / 2 - head.length - tail.length;
  if (sides.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  const bytes = Buffer.alloc(V6_BYTES);
  groups.forEach((group, index) => bytes.writeUInt16BE(group, index * 2));
  return bytes;
}

/**
 * The 4 or 16 bytes of an IP address in text (RFC 4291 section 2.2 for IPv6; dotted decimal without leading zeros
 * for IPv4), or undefined when `text` is none. A zone (`%eth0`) has no bytes on the wire and is not accepted.
 */
export function ipToBytes(text: string): Buffer | undefined {
  return text.includes(':') ? v6ToBytes(text) : v4ToBytes(text);
}

/** The first longest run of two or more zero groups, as [start, length]; length 0 when there is none. */
function longestZeroRun(groups: readonly number[]): [number, number] {
  let best: [number, number] = [0, 0];
  let start = 0;
  for (let index = 0; index <= groups.length; index += 1) {
    if (groups[index] === 0) continue;
    if (index - start > Math.max(best[1], 1)) best = [start, index - start];
    start = index + 1;
  }
  return best;
}

/**
 * The text of an address of 4 or 16 bytes; IPv6 in the one form of RFC 5952 (lower case, the first longest run of
 * zeros shortened, IPv4-mapped addresses with a dotted quad).
 */
export function bytesToIp(bytes: Buffer): string {
  if (bytes.length === V4_BYTES) return bytes.join('.');
  const groups = Array.from({ length: V6_BYTES / 2 }, (_, index) => bytes.readUInt16BE(index * 2));
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${bytes.subarray(12).join('.')}`;
  }
  const [start, length] = longestZeroRun(groups);
  const write = (part: number[]) => part.map((group) => group.toString(16)).join(':');
  if (length === 0) return write(groups);
  return `${write(groups.slice(0, start))}::${write(groups.slice(start + length))}`;
}
