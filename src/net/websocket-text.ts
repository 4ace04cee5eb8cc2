import { isUtf8 } from 'node:buffer';
import { TnetError } from '../errors.ts';

const lineFeed = 0x0a;

/** Lines of a stream as text messages, and messages as lines. */
export class TextLines {
  readonly #maxBytes: number;
  #parts: Buffer[] = [];
  #bytes = 0;

  /** @param maxBytes the most bytes of a line */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** A message as a line: it ends with a line feed, be it its own or one that is added. */
  static toLine(message: Buffer): Buffer {
    return message.at(-1) === lineFeed ? message : Buffer.concat([message, Buffer.from([lineFeed])]);
  }

  /**
   * The messages that a chunk completes: lines without their line feed.
   *
   * @throws TnetError TNET_E_WEBSOCKET for a line that is not UTF-8, or too long
   */
  add(chunk: Buffer): readonly Buffer[] {
    const lines: Buffer[] = [];
    let from = 0;
    for (let at = chunk.indexOf(lineFeed); at >= 0; at = chunk.indexOf(lineFeed, from)) {
      this.#keep(chunk.subarray(from, at));
      lines.push(this.#finishLine());
      from = at + 1;
    }
    this.#keep(chunk.subarray(from));
    return lines;
  }

  /** The last line, if it has no line feed. @throws as add() does */
  finish(): readonly Buffer[] {
    return this.#bytes > 0 ? [this.#finishLine()] : [];
  }

  #keep(part: Buffer): void {
    if (part.length === 0) return;
    this.#bytes += part.length;
    if (this.#bytes > this.#maxBytes)
      throw new TnetError('TNET_E_WEBSOCKET', 'a line is longer than --ws-max allows for a text message');
    this.#parts.push(part);
  }

  #finishLine(): Buffer {
    const [first] = this.#parts;
    const line = first && this.#parts.length === 1 ? first : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#bytes = 0;
    if (isUtf8(line)) return line;
    throw new TnetError('TNET_E_WEBSOCKET', 'a line is not UTF-8, which a text message has to be');
  }
}
