import { IAC } from './codes.ts';

const CR = 13;
const LF = 10;
const NUL = 0;
const CR_BYTE = Buffer.from([CR]);
const EMPTY = Buffer.alloc(0);

/**
 * How the end of a line is shown to the program: as it came (`crlf`), or CR LF made one LF (`lf`), or one CR (`cr`), as
 * the return key of a terminal is.
 */
export type TelnetNewline = 'crlf' | 'lf' | 'cr';

/** What a lone LF of the program is: the end of a line, or as on a terminal the same column of the next one. */
export type TelnetLineFeed = 'newline' | 'down';

/**
 * Undoes the end-of-line rule of the network virtual terminal (RFC 854 "The NVT printer and keyboard"): CR NUL is a
 * bare carriage return, CR LF a new line. A CR before any other byte breaks the rule and is passed on as it is.
 */
export class NvtDecoder {
  readonly #newline: TelnetNewline;
  /** A CR was the last byte of the data; in `lf` form it is held back until the next byte tells what it is. */
  #isAfterCr = false;

  constructor(newline: TelnetNewline) {
    this.#newline = newline;
  }

  /** How many bytes are held back: 0 or 1. */
  get bufferedBytes(): number {
    return this.#isAfterCr && this.#newline === 'lf' ? 1 : 0;
  }

  /** Decodes data of the NVT; the result may be a view of `bytes`, and is empty when all of it is held back. */
  decode(bytes: Buffer): Buffer {
    if (!this.#isAfterCr && !bytes.includes(CR)) return bytes;
    const out = Buffer.allocUnsafe(bytes.length + 1);
    let length = 0;
    for (const byte of bytes) {
      const isAfterCr = this.#isAfterCr;
      this.#isAfterCr = byte === CR;
      if (this.#newline === 'lf') {
        if (isAfterCr && byte !== LF) out[length++] = CR;
        if (byte === CR) continue;
      }
      const isDropped = isAfterCr && (byte === NUL || (byte === LF && this.#newline === 'cr'));
      if (!isDropped) out[length++] = byte;
    }
    return out.subarray(0, length);
  }

  /** Gives back a held CR: at the end of the stream, or when BINARY begins and the rule ends. */
  flush(): Buffer {
    const held = this.bufferedBytes > 0 ? CR_BYTE : EMPTY;
    this.#isAfterCr = false;
    return held;
  }
}

/** Doubles every IAC, which is all that data in BINARY mode needs (RFC 856). The result may be `bytes` itself. */
export function escapeIac(bytes: Buffer): Buffer {
  if (!bytes.includes(IAC)) return bytes;
  const out = Buffer.allocUnsafe(bytes.length * 2);
  let length = 0;
  for (const byte of bytes) {
    out[length++] = byte;
    if (byte === IAC) out[length++] = IAC;
  }
  return out.subarray(0, length);
}

/**
 * Puts data into the form of the network virtual terminal (RFC 854): IAC doubled, a lone LF made CR LF, a lone CR
 * made CR NUL, CR LF left alone, wherever the chunks are cut. A CR at the end of a chunk is held back until the next
 * byte or `flush()`, since only that tells CR LF from CR NUL.
 */
export class NvtEncoder {
  readonly #lineFeed: TelnetLineFeed;
  /** A CR of the program that is not sent yet. */
  #isCrHeld = false;

  constructor(lineFeed: TelnetLineFeed = 'newline') {
    this.#lineFeed = lineFeed;
  }

  /** How many bytes are held back: 0 or 1. */
  get bufferedBytes(): number {
    return this.#isCrHeld ? 1 : 0;
  }

  /** Encodes data for a peer without BINARY. */
  encode(bytes: Buffer): Buffer {
    const isNewline = this.#lineFeed === 'newline';
    if (!this.#isCrHeld && !bytes.includes(CR) && !(isNewline && bytes.includes(LF))) return escapeIac(bytes);
    const out = Buffer.allocUnsafe(bytes.length * 2 + 2);
    let length = 0;
    for (const byte of bytes) {
      if (this.#isCrHeld || (isNewline && byte === LF)) {
        out[length++] = CR;
        if (byte !== LF) out[length++] = NUL;
      }
      this.#isCrHeld = byte === CR;
      if (byte === CR) continue;
      out[length++] = byte;
      if (byte === IAC) out[length++] = IAC;
    }
    return out.subarray(0, length);
  }

  /** Encodes data for a peer that takes BINARY; a CR held from before goes out bare, as BINARY has no CR NUL. */
  encodeBinary(bytes: Buffer): Buffer {
    if (!this.#isCrHeld || bytes.length === 0) return escapeIac(bytes);
    this.#isCrHeld = false;
    return Buffer.concat([CR_BYTE, escapeIac(bytes)]);
  }

  /** Sends a held CR on its own: CR NUL, or CR for a peer that takes BINARY. */
  flush(mode: 'nvt' | 'binary'): Buffer {
    if (!this.#isCrHeld) return EMPTY;
    this.#isCrHeld = false;
    return mode === 'binary' ? CR_BYTE : Buffer.from([CR, NUL]);
  }
}
