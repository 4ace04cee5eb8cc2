import { Transform, type TransformCallback } from 'node:stream';
import { LineCutter } from './line-cutter.ts';

export interface LineLabelOptions {
  /** Default: lineLimitBytes. */
  readonly limitBytes?: number;
  /** Gives the text to show in the place of a line. Default: the line's own bytes. */
  readonly show?: (line: Buffer) => string;
}

/**
 * Puts a label before every line, and gives on whole lines only, so that the lines of several clients do not mix.
 * A line over lineLimitBytes becomes several; a last line without a newline gets one.
 */
export class LineLabel extends Transform {
  readonly #label: string;
  readonly #show: (line: Buffer) => string;
  readonly #encoding: BufferEncoding;
  readonly #cutter: LineCutter;

  constructor(label: string, { limitBytes, show }: LineLabelOptions = {}) {
    super();
    // Joined as strings, of which Latin-1 keeps every byte: buffers of a few bytes each cost ten times as much.
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
