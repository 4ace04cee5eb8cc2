/**
 * Control characters, characters that change the writing direction or break lines without being a newline, and lone
 * surrogates: in a terminal each of them can forge what others have said. Source: Unicode 16, Cc, Bidi_Control, Zl,
 * Zp and Cs.
 */
const controls = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|[\ud800-\udfff]/gu;

/** Text from outside as it is safe to show in a line: each control as `\x1b` or `\u{202e}`, a backslash as it is. */
export function escapeText(text: string): string {
  return text.replace(controls, (found) => escapeCode(found.codePointAt(0) ?? 0));
}

/** The same for output of JSON.stringify(), which keeps its value: each control as `\u001b`. */
export function escapeJson(json: string): string {
  return json.replace(controls, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/**
 * A line of bytes as text that is safe to show: see escapeText(). Bytes that are not UTF-8 are shown as `\xff`. A
 * tab stays, and a CR at the end, as from a telnet client, is dropped. Looks at each byte once, whatever the bytes
 * are.
 */
export function showLine(line: Buffer): string {
  const isCrLast = line.length > 0 && line[line.length - 1] === 0x0d;
  const end = isCrLast ? line.length - 1 : line.length;
  // Bytes are collected and decoded once: decoding small pieces costs many times as much.
  let shown = nothing;
  let length = 0;
  /** Where the bytes begin that are shown as they are and have not been taken yet. */
  let plainFrom = 0;
  for (let at = 0; at < end;) {
    const first = line[at] ?? 0;
    // Most bytes are decided here.
    if (first >= 0x20 && first < 0x7f) {
      at++;
      continue;
    }
    // No character of several bytes begins with one of these.
    const isAlone = first < 0xc2 || first > 0xf4;
    const characterBytes = isAlone ? (first < 0x80 ? 1 : 0) : characterLength(line, at, end);
    const code = isAlone || characterBytes === 0 ? first : decode(line, at, characterBytes);
    const next = at + (characterBytes || 1);
    if (characterBytes === 0 || (code !== tab && isControl(code))) {
      if (shown === nothing) shown = Buffer.allocUnsafe(end * escapeGrowth);
      while (plainFrom < at) shown[length++] = line[plainFrom++] ?? 0;
      if (code <= 0xff) {
        shown[length] = 0x5c;
        shown[length + 1] = 0x78;
        shown[length + 2] = hexDigits[code >> 4] ?? 0;
        shown[length + 3] = hexDigits[code & 15] ?? 0;
        length += escapeGrowth;
      } else length += shown.write(escapeCode(code), length);
      plainFrom = next;
    }
    at = next;
  }
  if (shown === nothing) return line.toString('utf8', 0, end);
  while (plainFrom < end) shown[length++] = line[plainFrom++] ?? 0;
  return shown.toString('utf8', 0, length);
}

const nothing = Buffer.alloc(0);
/** The digits' bytes, by their value. */
export const hexDigits = Buffer.from('0123456789abcdef');

/** The most bytes that one byte is shown as: `\xff`. A longer escape represents two or three. */
const escapeGrowth = 4;

const tab = 0x09;

function isControl(code: number): boolean {
  if (code >= 0x20 && code < 0x7f) return false;
  if (code < 0xa0) return true;
  if (code < 0x061c || code > 0x2069) return false;
  return (
    code === 0x061c ||
    code === 0x200e ||
    code === 0x200f ||
    (code >= 0x2028 && code <= 0x202e) ||
    code >= 0x2066
  );
}

function escapeCode(code: number): string {
  return code <= 0xff ? (escapes[code] ?? '') : `\\u{${code.toString(16)}}`;
}

const escapes = Array.from({ length: 256 }, (_, code) => `\\x${code.toString(16).padStart(2, '0')}`);

/** How many bytes the UTF-8 character at `at` has; 0 when there is none. Source: RFC 3629 section 4. */
function characterLength(bytes: Buffer, at: number, end: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + length > end) return 0;
  const second = bytes[at + 1] ?? 0;
  // The second byte rules out longer forms than needed, surrogates, and what is above U+10FFFF.
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  for (let index = 2; index < length; index++) if (((bytes[at + index] ?? 0) & 0xc0) !== 0x80) return 0;
  return length;
}

function decode(bytes: Buffer, at: number, length: number): number {
  const first = bytes[at] ?? 0;
  if (length === 1) return first;
  let code = first & (0xff >> (length + 1));
  for (let index = 1; index < length; index++) code = (code << 6) | ((bytes[at + index] ?? 0) & 0x3f);
  return code;
}
