const LF = 0x0a;

/** The longest line that is kept together; a longer one is cut. */
export const lineLimitBytes = 64 * 1024;

/**
 * Cuts bytes into lines, whatever the chunks. A line over the limit comes out in pieces, so that a peer that never
 * sends a newline costs no more memory than that.
 */
export class LineCutter {
  readonly #limitBytes: number;
  readonly #parts: Buffer[] = [];
  #heldBytes = 0;

  constructor(limitBytes: number = lineLimitBytes) {
    this.#limitBytes = limitBytes;
  }

  /** The lines that are whole now, without their newline, and the pieces of those that are too long. */
  push(chunk: Buffer): Buffer[] {
    const lines: Buffer[] = [];
    let start = 0;
    while (start < chunk.length) {
      const limit = start + this.#limitBytes - this.#heldBytes;
      const newline = chunk.indexOf(LF, start);
      const end = newline < 0 ? chunk.length : newline;
      if (end > limit) {
        lines.push(this.#complete(chunk.subarray(start, limit)));
        start = limit;
      } else if (newline >= 0) {
        lines.push(this.#complete(chunk.subarray(start, end)));
        start = newline + 1;
      } else {
        this.#parts.push(chunk.subarray(start));
        this.#heldBytes += chunk.length - start;
        start = chunk.length;
      }
    }
    return lines;
  }

  /** The last line, when it has no newline. */
  finish(): Buffer | undefined {
    return this.#heldBytes === 0 ? undefined : this.#complete(Buffer.alloc(0));
  }

  #complete(tail: Buffer): Buffer {
    if (this.#heldBytes === 0) return tail;
    const line = Buffer.concat([...this.#parts.splice(0), tail]);
    this.#heldBytes = 0;
    return line;
  }
}
