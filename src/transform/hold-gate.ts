import { Transform, type TransformCallback } from 'node:stream';

/** Passes bytes on, or holds them back while it is closed: what comes then waits in the streams before it. */
export class HoldGate extends Transform {
  #isClosed = false;
  #waiting: (() => void) | undefined;

  close(): void {
    this.#isClosed = true;
  }

  open(): void {
    this.#isClosed = false;
    const go = this.#waiting;
    this.#waiting = undefined;
    go?.();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#whenOpen(() => done(null, chunk));
  }

  override _flush(done: TransformCallback): void {
    this.#whenOpen(done);
  }

  #whenOpen(action: () => void): void {
    if (this.#isClosed) this.#waiting = action;
    else action();
  }
}
