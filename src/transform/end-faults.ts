import { Transform, type TransformCallback } from 'node:stream';
import { guarded } from '../net/guard.ts';

/** Lets a number of bytes pass, calls `onLimit` once when they have been passed on, and takes nothing more. */
export class ByteLimit extends Transform {
  #leftBytes: number;
  readonly #onLimit: () => void;

  constructor(limitBytes: number, onLimit: () => void) {
    super();
    this.#leftBytes = limitBytes;
    this.#onLimit = onLimit;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const passed = chunk.subarray(0, this.#leftBytes);
    this.#leftBytes -= passed.length;
    if (passed.length > 0) this.push(passed);
    if (this.#leftBytes > 0) return done();
    // `done` is never called: what comes next waits at the sender.
    setImmediate(guarded(this.#onLimit));
  }
}

/** Takes every byte and the end, and passes nothing on: the line is dead, and neither side notices. */
export class Blackhole extends Transform {
  override _transform(_chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    done();
  }

  /** Never done: the other side waits for an end that does not come. */
  override _flush(): void {
    return undefined;
  }
}

/** Passes bytes on at once and the end later. */
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
