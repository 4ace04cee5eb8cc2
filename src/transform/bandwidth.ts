import { Transform, type TransformCallback } from 'node:stream';
import { guarded } from '../net/guard.ts';

/** How late a timer may be and still have its lateness made good: beyond it the line counts as idle. */
const makeGoodMs = 20;

/** How many pieces a second are sent: the smaller the pieces, the smoother the line. */
const piecesPerSecond = 100;

/** A line that carries so many bytes a second: n bytes leave it n / rate seconds after they came, and no sooner. */
export class Bandwidth extends Transform {
  readonly #bytesPerMs: number;
  readonly #pieceBytes: number;
  /** When the line has carried what it was given, on performance.now()'s clock. */
  #freeAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(bytesPerSecond: number) {
    super();
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#pieceBytes = Math.max(1, Math.ceil(bytesPerSecond / piecesPerSecond));
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#carry(chunk, 0, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    done(error);
  }

  #carry(chunk: Buffer, from: number, done: TransformCallback): void {
    if (from >= chunk.length) return done();
    const piece = chunk.subarray(from, from + this.#pieceBytes);
    const now = performance.now();
    this.#freeAt = Math.max(this.#freeAt, now - makeGoodMs) + piece.length / this.#bytesPerMs;
    const send = () => {
      this.push(piece);
      this.#carry(chunk, from + piece.length, done);
    };
    const waitMs = this.#freeAt - now;
    if (waitMs < 1) setImmediate(guarded(() => this.destroyed || send()));
    else this.#timer = setTimeout(guarded(send), waitMs);
  }
}
