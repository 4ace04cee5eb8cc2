import { violation } from '../protocol-error.ts';

/** Reads the length-prefixed vectors of TLS (RFC 8446 section 3.4) and refuses to go past the end. */
export class ByteReader {
  readonly #bytes: Buffer;
  #index = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Whether there are bytes left. */
  hasMore(): boolean {
    return this.#index < this.#bytes.length;
  }

  /** A number of one to three bytes. */
  readNumber(size: 1 | 2 | 3): number {
    return this.readBytes(size).readUIntBE(0, size);
  }

  /** So many bytes, as a view. */
  readBytes(count: number): Buffer {
    const end = this.#index + count;
    if (end > this.#bytes.length) throw malformed();
    const bytes = this.#bytes.subarray(this.#index, end);
    this.#index = end;
    return bytes;
  }

  /** A vector whose length is a number of `size` bytes before it. */
  readVector(size: 1 | 2): ByteReader {
    return new ByteReader(this.readBytes(this.readNumber(size)));
  }

  /** Everything that is left. */
  readRest(): Buffer {
    return this.readBytes(this.#bytes.length - this.#index);
  }
}

/** The one error of a hello that contradicts itself. */
export function malformed(): Error {
  return violation('tls', 'malformed-hello', 'The TLS ClientHello contradicts its own lengths.');
}
