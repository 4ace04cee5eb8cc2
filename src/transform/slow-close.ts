import { Transform, type TransformCallback } from 'node:stream';
import { guarded } from '../net/guard.ts';

/** Hands bytes on at once and the end later. */
export class SlowClose extends Transform {
  readonly #delayMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(delayMs: number) {
    super();
    this.#delayMs = delayMs;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    done(null, chunk);
  }

  override _flush(done: TransformCallback): void {
    this.#timer = setTimeout(guarded(done), this.#delayMs);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    done(error);
  }
}
