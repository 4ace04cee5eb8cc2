/**
 * Writes values in DER, the encoding of X.509. Each function gives the bytes of one whole value: tag, length, content.
 * Source: ITU-T X.690, sections 8 and 10.
 */

/** Tags of the universal class, with the bit for "constructed" where it belongs. */
const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  identifier: 0x06,
  utf8: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

function encode(tag: number, content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([tag]), encodeLength(content.length), content]);
}

/** One byte up to 127; else the number of bytes that follow, and those. */
function encodeLength(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const bytes = toBase256(length);
  return Buffer.from([0x80 | bytes.length, ...bytes]);
}

function toBase256(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return bytes;
}

export const derTrue = encode(tags.boolean, Buffer.from([0xff]));

/** @param bytes a positive number, its first bit 0 and its first byte not 0. */
export function derInteger(bytes: Uint8Array): Buffer {
  return encode(tags.integer, bytes);
}

/** Whole bytes only. */
export function derBitString(bytes: Uint8Array): Buffer {
  return encode(tags.bitString, Buffer.concat([Buffer.from([0]), bytes]));
}

export function derOctetString(bytes: Uint8Array): Buffer {
  return encode(tags.octetString, bytes);
}

/** @param dotted an object identifier, such as 2.5.4.3. */
export function derIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return encode(tags.identifier, Buffer.from([first * 40 + second, ...rest.flatMap(toBase128)]));
}

/** Seven bits a byte, the first bit set on all but the last. */
function toBase128(value: number): number[] {
  const bytes = [value % 128];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) {
    bytes.unshift(0x80 | (rest % 128));
  }
  return bytes;
}

export function derText(text: string): Buffer {
  return encode(tags.utf8, Buffer.from(text, 'utf8'));
}

/** In whole seconds. UTCTime until 2049, GeneralizedTime after. Source: RFC 5280 section 4.1.2.5. */
export function derTime(date: Date): Buffer {
  const digits = `${date
    .toISOString()
    .replace(/\..*|\D/g, '')
    .slice(0, 14)}Z`;
  return date.getUTCFullYear() < 2050
    ? encode(tags.utcTime, Buffer.from(digits.slice(2), 'latin1'))
    : encode(tags.generalizedTime, Buffer.from(digits, 'latin1'));
}

export function derSequence(...values: readonly Uint8Array[]): Buffer {
  return encode(tags.sequence, Buffer.concat(values));
}

/** A set of one, which needs no order. */
export function derSetOf(value: Uint8Array): Buffer {
  return encode(tags.set, value);
}

/** A value under a tag of the context: `[3] EXPLICIT`. */
export function derExplicit(tag: number, value: Uint8Array): Buffer {
  return encode(0xa0 | tag, value);
}

/** Bytes under a tag of the context in place of their own: `[7] IMPLICIT OCTET STRING`. */
export function derImplicit(tag: number, content: Uint8Array): Buffer {
  return encode(0x80 | tag, content);
}
