import { Transform, type TransformCallback } from 'node:stream';
import { guarded } from '../net/guard.ts';

/** Lets so many bytes pass, calls `onLimit` once when they have been handed on, and takes nothing more. */
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
    // `done` is never called: what comes now waits with the sender.
    setImmediate(guarded(this.#onLimit));
  }
}
