import type { Writable } from 'node:stream';

/**
 * Takes the bytes of a recording, in their order. A failure is told once; from then on writes do nothing, and what is
 * recorded goes on without it.
 */
export class RecordSink {
  readonly #stream: Writable;
  #hasFailed = false;

  constructor(stream: Writable, onError: (error: Error) => void) {
    this.#stream = stream;
    // Every connection waits for itself.
    stream.setMaxListeners(0);
    stream.on('error', (error) => {
      if (this.#hasFailed) return;
      this.#hasFailed = true;
      stream.emit('drain');
      onError(error);
    });
  }

  /** Writes, and calls `done` when the next bytes may come. */
  write(bytes: Buffer, done: () => void): void {
    if (bytes.length === 0 || this.#hasFailed || this.#stream.write(bytes)) done();
    else this.#stream.once('drain', done);
  }

  /** Waits until everything has been written, or has failed. */
  flush(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#hasFailed) resolve();
      else this.#stream.write(Buffer.alloc(0), () => resolve());
    });
  }
}
