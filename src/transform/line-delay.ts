import { Transform, type TransformCallback } from 'node:stream';
import { guarded } from '../net/guard.ts';

const LF = 0x0a;

/**
 * Passes lines on with a pause between each and the next. The first line goes at once, and a last one without its LF
 * is a line too. Source: nc -i, ncat -d.
 */
export class LineDelay extends Transform {
  readonly #delayMs: number;
  #timer: NodeJS.Timeout | undefined;
  /** When the next line may go, on the clock of performance.now(). */
  #nextAt = 0;
  /** Whether the line that is passing has begun in an earlier chunk. */
  #isInLine = false;

  /** @param delayMs the pause in milliseconds. */
  constructor(delayMs: number) {
    super();
    this.#delayMs = delayMs;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (chunk.length === 0) {
      done();
      return;
    }
    const newline = chunk.indexOf(LF);
    const end = newline < 0 ? chunk.length : newline + 1;
    this.#whenDue(() => {
      this.push(chunk.subarray(0, end));
      this.#isInLine = newline < 0;
      this.#nextAt = performance.now() + this.#delayMs;
      this._transform(chunk.subarray(end), 'binary', done);
    });
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    done(error);
  }

  #whenDue(action: () => void): void {
    const waitMs = this.#isInLine ? 0 : this.#nextAt - performance.now();
    if (waitMs <= 0) action();
    else this.#timer = setTimeout(guarded(action), waitMs);
  }
}
