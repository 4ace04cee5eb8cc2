/**
 * Control characters, and what turns the direction of writing or breaks lines without being a newline: in a terminal
 * each of them can forge what others have said. Source: Unicode 16, Cc, Bidi_Control, Zl and Zp.
 */
const controls = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/**
 * A line of text that is safe to show: control characters as `\x1b` or `\u{202e}`, bytes that are no UTF-8 as `\xff`,
 * a backslash as it is. A tab stays, and a CR at the end is dropped, as a telnet client's.
 */
export function escapeControls(line: Buffer): Buffer {
  const isCrLast = line.length > 0 && line[line.length - 1] === 0x0d;
  const bytes = isCrLast ? line.subarray(0, -1) : line;
  return Buffer.from(
    decode(bytes).replace(controls, (text) => (text === '\t' ? text : escapeCharacter(text))),
  );
}

function escapeCharacter(text: string): string {
  const code = text.codePointAt(0) ?? 0;
  return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** UTF-8 as text; every byte that is not part of any becomes its escape. */
function decode(bytes: Buffer): string {
  try {
    return strict.decode(bytes);
  } catch {
    return decodeByCharacter(bytes);
  }
}

function decodeByCharacter(bytes: Buffer): string {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = characterLength(bytes, at);
    const byte = bytes[at] ?? 0;
    parts.push(length === 0 ? `\\x${byte.toString(16)}` : bytes.toString('utf8', at, at + length));
    at += Math.max(length, 1);
  }
  return parts.join('');
}

/** How many bytes the UTF-8 character at `at` has; 0 when there is none. */
function characterLength(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  try {
    strict.decode(bytes.subarray(at, at + length));
    return length;
  } catch {
    return 0;
  }
}
