import { Transform, type TransformCallback } from 'node:stream';

const LF = 0x0a;

/** The longest line that is kept together; a longer one is cut. */
const lineLimitBytes = 64 * 1024;

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
    else this.#timer = setTimeout(action, waitMs);
  }
}

export interface LineLabelOptions {
  /** Default: lineLimitBytes. */
  readonly limitBytes?: number;
  /** Returns the text to show in place of a line. Default: the line's own bytes. */
  readonly show?: (line: Buffer) => string;
}

/**
 * Puts a label before every line, and passes on whole lines only, so that the lines of several clients do not mix.
 * A line over lineLimitBytes becomes several; a last line without a newline gets one.
 */
export class LineLabel extends Transform {
  readonly #label: string;
  readonly #show: (line: Buffer) => string;
  readonly #encoding: BufferEncoding;
  readonly #cutter: LineCutter;

  constructor(label: string, { limitBytes, show }: LineLabelOptions = {}) {
    super();
    // Joined as strings, where Latin-1 keeps every byte: buffers of a few bytes each cost ten times as much.
    this.#encoding = show ? 'utf8' : 'latin1';
    this.#label = show ? label : Buffer.from(label).toString('latin1');
    this.#show = show ?? ((line) => line.toString('latin1'));
    this.#cutter = new LineCutter(limitBytes);
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const lines = this.#cutter.push(chunk);
    done(null, lines.length === 0 ? undefined : this.#labelled(lines));
  }

  override _flush(done: TransformCallback): void {
    const line = this.#cutter.finish();
    done(null, line && this.#labelled([line]));
  }

  #labelled(lines: readonly Buffer[]): Buffer {
    let text = '';
    for (const line of lines) text += `${this.#label}${this.#show(line)}\n`;
    return Buffer.from(text, this.#encoding);
  }
}
