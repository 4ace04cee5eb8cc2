import { Transform, type TransformCallback } from 'node:stream';
import { drawWithin, type Random } from './random.ts';
import { guarded } from '../net/guard.ts';

export interface SliceOptions {
  /** Bytes of a piece, and how far one may differ from it. */
  readonly sizeBytes: { readonly mean: number; readonly spread: number };
  /** Milliseconds between two pieces. 0: each goes as soon as the one before it has been given to the system. */
  readonly delayMs: number;
  readonly random: Random;
}

/**
 * Cuts the stream into small pieces, each written on its own. Where it is cut depends on the place in the stream and
 * not on the chunks it comes in (beside their own borders), so that the same seed cuts at the same bytes.
 */
export class Slice extends Transform {
  readonly #options: SliceOptions;
  /** Bytes until the next cut. */
  #left: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SliceOptions) {
    super();
    this.#options = options;
    this.#left = this.#drawSize();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#cut(chunk, 0, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    done(error);
  }

  #drawSize(): number {
    return Math.max(1, Math.round(drawWithin(this.#options.sizeBytes, this.#options.random)));
  }

  #cut(chunk: Buffer, from: number, done: TransformCallback): void {
    const piece = chunk.subarray(from, from + this.#left);
    this.#left -= piece.length;
    if (this.#left === 0) this.#left = this.#drawSize();
    this.push(piece);
    const next = from + piece.length;
    const go = () => {
      if (this.destroyed) return;
      if (next < chunk.length) this.#cut(chunk, next, done);
      else done();
    };
    const { delayMs } = this.#options;
    if (delayMs > 0) this.#timer = setTimeout(guarded(go), delayMs);
    else setImmediate(guarded(go));
  }
}
