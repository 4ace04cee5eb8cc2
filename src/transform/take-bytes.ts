import { Transform, type TransformCallback } from 'node:stream';

/** Lets so many bytes through, and drops what follows. */
export class TakeBytes extends Transform {
  readonly #limitBytes: number;
  readonly #onFull: () => void;
  #takenBytes = 0;

  /** @param onFull called once, a tick after the last byte was passed on */
  constructor(limitBytes: number, onFull: () => void) {
    super();
    this.#limitBytes = limitBytes;
    this.#onFull = onFull;
  }

  /** How many bytes have been let through. */
  get takenBytes(): number {
    return this.#takenBytes;
  }

  get isFull(): boolean {
    return this.#takenBytes === this.#limitBytes;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (this.isFull) {
      done();
      return;
    }
    const part = chunk.subarray(0, this.#limitBytes - this.#takenBytes);
    this.#takenBytes += part.length;
    if (this.#takenBytes === this.#limitBytes) process.nextTick(this.#onFull);
    done(null, part);
  }
}
