/** Standard input as batches of whole lines, in a fixed amount of memory. */
import { read } from 'node:fs';
import { errorCode } from '../../src/errors.ts';

/** Lines as bytes: every one ends in a newline, except perhaps the last of the input. Valid until the next batch. */
export interface LineBatch {
  readonly bytes: Buffer;
  readonly end: number;
  readonly start: number;
  /** The batch is the beginning of one line that is longer than the buffer; its rest is skipped. */
  readonly isCut: boolean;
}

/** Takes a batch; a promise makes the reader wait. */
export type TakeBatch = (batch: LineBatch) => Promise<void> | undefined;

const NEWLINE = 10;

/** Cuts bytes that arrive in any pieces into batches of whole lines: fill `space`, then tell how much by `filled`. */
export class LineBatcher {
  readonly #take: TakeBatch;
  readonly #buffer: Buffer;
  #held = 0;
  #isSkipping = false;

  /** @param bufferBytes also the longest line that is passed on whole */
  constructor(take: TakeBatch, bufferBytes = 256 * 1024) {
    this.#take = take;
    this.#buffer = Buffer.allocUnsafe(bufferBytes);
  }

  /** Where the next bytes go. Never empty. */
  get space(): Buffer {
    return this.#buffer.subarray(this.#held);
  }

  /** `count` bytes have been put into `space`. */
  async filled(count: number): Promise<void> {
    const bytes = this.#buffer;
    const end = this.#held + count;
    let start = 0;
    if (this.#isSkipping) {
      start = bytes.subarray(0, end).indexOf(NEWLINE) + 1;
      if (start === 0) return;
      this.#isSkipping = false;
    }
    let wholeEnd = bytes.subarray(0, end).lastIndexOf(NEWLINE) + 1;
    if (wholeEnd > start) {
      await this.#take({ bytes, start, end: wholeEnd, isCut: false });
    } else if (end - start === bytes.length) {
      this.#isSkipping = true;
      wholeEnd = end;
      await this.#take({ bytes, start, end, isCut: true });
    } else {
      wholeEnd = start;
    }
    bytes.copyWithin(0, wholeEnd, end);
    this.#held = end - wholeEnd;
  }

  /** The input has ended: a last line without a newline counts. */
  async ended(): Promise<void> {
    if (this.#held > 0) await this.#take({ bytes: this.#buffer, start: 0, end: this.#held, isCut: false });
    this.#held = 0;
  }
}

/**
 * Reads standard input to its end.
 *
 * @param isWanted asked before each read; false stops early
 * @throws the system's error, with its `code`
 */
export async function readStdin(take: TakeBatch, isWanted: () => boolean): Promise<void> {
  const batcher = new LineBatcher(take);
  try {
    while (isWanted()) {
      const count = await readSome(batcher.space);
      if (count === 0) break;
      await batcher.filled(count);
    }
  } catch (error) {
    // Another process made the descriptor non-blocking: the stream knows how to wait for it.
    if (errorCode(error) !== 'EAGAIN') throw error;
    await readStream(batcher, isWanted);
  }
  if (isWanted()) await batcher.ended();
}

function readSome(space: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    read(0, space, 0, space.length, null, (error, count) => {
      // Windows reports the end of a pipe or console as an error.
      if (error && errorCode(error) !== 'EOF') reject(error);
      else resolve(error ? 0 : count);
    });
  });
}

async function readStream(batcher: LineBatcher, isWanted: () => boolean): Promise<void> {
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    for (let used = 0; used < chunk.length;) {
      if (!isWanted()) return;
      const count = chunk.copy(batcher.space, 0, used);
      used += count;
      await batcher.filled(count);
    }
  }
}
