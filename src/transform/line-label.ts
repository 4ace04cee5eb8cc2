import { Transform, type TransformCallback } from 'node:stream';
import { LineCutter } from './line-cutter.ts';

const newline = Buffer.from('\n');

/**
 * Puts a label before every line, and gives on whole lines only, so that the lines of several clients do not mix.
 * A line over lineLimitBytes becomes several; a last line without a newline gets one.
 */
export class LineLabel extends Transform {
  readonly #label: Buffer;
  readonly #rewrite: (line: Buffer) => Buffer;
  readonly #cutter: LineCutter;

  /** `rewrite` changes each line before it is labelled. */
  constructor(label: string, options: { limitBytes?: number; rewrite?: (line: Buffer) => Buffer } = {}) {
    super();
    this.#label = Buffer.from(label);
    this.#rewrite = options.rewrite ?? ((line) => line);
    this.#cutter = new LineCutter(options.limitBytes);
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const lines = this.#cutter.push(chunk);
    done(null, lines.length === 0 ? undefined : Buffer.concat(lines.flatMap((line) => this.#labelled(line))));
  }

  override _flush(done: TransformCallback): void {
    const line = this.#cutter.finish();
    done(null, line && Buffer.concat(this.#labelled(line)));
  }

  #labelled(line: Buffer): Buffer[] {
    return [this.#label, this.#rewrite(line), newline];
  }
}
