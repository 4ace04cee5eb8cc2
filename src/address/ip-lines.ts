/**
 * isIP for whole batches of lines, on bytes: a list of a million addresses is answered without making a string of
 * any of them. Gives the answers of ./ip.ts for every line (a property test compares the two). No I/O.
 */

const NEWLINE = 10;
const CARRIAGE_RETURN = 13;
const PERCENT = 37;
const HYPHEN = 45;
const DOT = 46;
const ZERO = 48;
const COLON = 58;

/** 1 = hexadecimal digit, 2 = allowed in a zone, 3 = both; indexed by byte. */
const byteClass = new Uint8Array(256);
for (const char of '0123456789abcdefABCDEF') byteClass[char.charCodeAt(0)] = 3;
for (const char of 'ghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ') byteClass[char.charCodeAt(0)] = 2;
for (const code of [HYPHEN, DOT, COLON]) byteClass[code] = 2;

function isQuad(bytes: Uint8Array, start: number, end: number): boolean {
  let value = -1;
  let dots = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number;
    if (byte === DOT) {
      if (value < 0) return false;
      dots++;
      value = -1;
      continue;
    }
    const digit = byte - ZERO;
    // A number that begins with 0 ends there: 01 is not valid to net.isIP.
    if (digit < 0 || digit > 9 || value === 0) return false;
    value = value < 0 ? digit : value * 10 + digit;
    if (value > 255) return false;
  }
  return dots === 3 && value >= 0;
}

function isZone(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (((byteClass[bytes[i] as number] as number) & 2) === 0) return false;
  return end > start;
}

function isGroups(bytes: Uint8Array, start: number, end: number): boolean {
  let groups = 0;
  let digits = 0;
  let elided = false;
  let i = start;
  if (bytes[i] === COLON) {
    if (bytes[i + 1] !== COLON || end - start < 2) return false;
    elided = true;
    i += 2;
  }
  let afterColon = false;
  for (; i < end; i++) {
    const byte = bytes[i] as number;
    if (((byteClass[byte] as number) & 1) !== 0) {
      if (++digits > 4) return false;
      afterColon = false;
    } else if (byte === COLON) {
      if (digits === 0) {
        if (elided) return false;
        elided = true;
        afterColon = false;
      } else {
        groups++;
        digits = 0;
        afterColon = true;
      }
    } else if (byte === PERCENT) {
      if (!isZone(bytes, i + 1, end)) return false;
      break;
    } else if (byte === DOT) {
      let quadEnd = i;
      while (quadEnd < end && bytes[quadEnd] !== PERCENT) quadEnd++;
      if (!isQuad(bytes, i - digits, quadEnd)) return false;
      if (quadEnd < end && !isZone(bytes, quadEnd + 1, end)) return false;
      groups++;
      break;
    } else {
      return false;
    }
  }
  if (digits > 0) groups++;
  if (afterColon) return false;
  return elided ? groups <= 7 : groups === 8;
}

/** The IP version of the text in `bytes[start..end)`: 4, 6, or 0 when it is not an address. */
export function familyOfBytes(bytes: Uint8Array, start: number, end: number): 0 | 4 | 6 {
  // The first mark decides: a dot within 4 bytes can only be IPv4, a colon within 5 only IPv6.
  for (let i = start; i < end && i < start + 5; i++) {
    if (bytes[i] === DOT) return isQuad(bytes, start, end) ? 4 : 0;
    if (bytes[i] === COLON) return isGroups(bytes, start, end) ? 6 : 0;
  }
  return 0;
}

/** What {@link answerLines} did. */
export interface LineAnswers {
  /** Bytes written to `output`: two a line. */
  readonly written: number;
  /** Lines answered with 4 or 6. */
  readonly yes: number;
}

/**
 * Writes `4\n`, `6\n` or `0\n` to `output` for every line of `bytes`. One newline, and one carriage return
 * before it, do not belong to a line; a last line without a newline counts, an empty rest does not.
 *
 * @param output at least twice as many bytes
 * @param only 4 or 6: the other family is answered 0, too
 */
export function answerLines(bytes: Uint8Array, output: Uint8Array, only?: 4 | 6): LineAnswers {
  const end = bytes.length;
  let written = 0;
  let yes = 0;
  for (let lineStart = 0; lineStart < end;) {
    let newline = lineStart;
    while (newline < end && bytes[newline] !== NEWLINE) newline++;
    const family = familyOfBytes(bytes, lineStart, lineEnd(bytes, lineStart, newline, end));
    const answer = only === undefined || family === only ? family : 0;
    if (answer !== 0) yes++;
    output[written++] = ZERO + answer;
    output[written++] = NEWLINE;
    lineStart = newline + 1;
  }
  return { written, yes };
}

/** Where the text of the line ends whose newline is at `newline` (`end` when it has none). */
export function lineEnd(bytes: Uint8Array, start: number, newline: number, end: number): number {
  return newline < end && newline > start && bytes[newline - 1] === CARRIAGE_RETURN ? newline - 1 : newline;
}
