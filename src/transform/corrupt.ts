import type { Random } from './random.ts';

/**
 * Replaces bytes with other ones. Which ones, and with what, depends only on the seed and the position in the
 * stream.
 */
export class ByteCorruption {
  readonly #share: number;
  readonly #random: Random;
  /** How many bytes pass before the next one is replaced. */
  #untouched: number;

  /** @param share how likely each byte is to be replaced, from 0 to 1 */
  constructor(share: number, random: Random) {
    this.#share = share;
    this.#random = random;
    this.#untouched = this.#drawUntouched();
  }

  /** The next bytes of the stream: the same buffer where none of them is replaced. */
  apply(chunk: Buffer): Buffer {
    if (this.#untouched >= chunk.length) {
      this.#untouched -= chunk.length;
      return chunk;
    }
    const changed = Buffer.from(chunk);
    let at = this.#untouched;
    while (at < changed.length) {
      changed[at] = (changed[at] ?? 0) ^ (1 + Math.floor(this.#random() * 255));
      at += 1 + this.#drawUntouched();
    }
    this.#untouched = at - changed.length;
    return changed;
  }

  /** The gap between two replaced bytes is geometrically distributed. */
  #drawUntouched(): number {
    if (this.#share <= 0) return Infinity;
    if (this.#share >= 1) return 0;
    return Math.floor(Math.log(1 - this.#random()) / Math.log(1 - this.#share));
  }
}
