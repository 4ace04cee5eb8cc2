import { writeSync } from 'node:fs';
import { errorCode, TnetError } from '../src/errors.ts';
import { describeError } from '../src/report/sentences.ts';
import { exitCodes } from '../src/exit-codes.ts';
import { isSetupFailure } from '../src/net/connect-failure.ts';

/** What could not be written, to stdout or stderr. The message is a sentence with the system's code. */
export class OutputError extends Error {
  constructor(fd: 1 | 2, cause: unknown) {
    const name = fd === 1 ? 'stdout' : 'stderr';
    super(`${name}: ${describeError(cause)} (${errorCode(cause) ?? 'ERROR'})`, { cause });
  }
}

/**
 * A file descriptor that takes all of every write, in order: 2 ms faster than setting up process.stdout. Nothing
 * has to be closed.
 */
export class Sink {
  readonly #fd: 1 | 2;
  #isGone = false;
  #isStream = false;
  /** For texts, each overwriting the last one: memory of their own would cost as much as to encode them. */
  #room = Buffer.alloc(0);

  constructor(fd: 1 | 2) {
    this.#fd = fd;
  }

  /** Whether the reader has gone (EPIPE): what is written from then on is dropped. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /**
   * Writes all of `data`.
   *
   * @returns nothing when it is done, or a promise when the descriptor had no room and has to be waited for
   * @throws OutputError; EPIPE is not an error
   */
  write(data: string | Uint8Array): Promise<void> | undefined {
    if (this.#isGone || data.length === 0) return undefined;
    const bytes = typeof data === 'string' ? this.#encode(data) : data;
    if (this.#isStream) return this.#writeStream(bytes);
    let done = 0;
    try {
      while (done < bytes.length) done += writeSync(this.#fd, bytes, done);
    } catch (error) {
      if (errorCode(error) === 'EPIPE') this.#isGone = true;
      else if (errorCode(error) === 'EAGAIN') return this.#writeStream(bytes.subarray(done));
      else throw new OutputError(this.#fd, error);
    }
    return undefined;
  }

  #encode(text: string): Uint8Array {
    // UTF-8 takes at most three bytes for a UTF-16 unit.
    if (this.#room.length < 3 * text.length) this.#room = Buffer.allocUnsafeSlow(3 * text.length);
    return this.#room.subarray(0, this.#room.write(text));
  }

  /**
   * A descriptor that another process made non-blocking: the stream waits for room, and once used is used always.
   */
  async #writeStream(data: Uint8Array): Promise<void> {
    // The stream keeps it until it is written; the caller may reuse the memory before that.
    const bytes = Buffer.from(data);
    const stream = this.#fd === 1 ? process.stdout : process.stderr;
    if (!this.#isStream) {
      this.#isStream = true;
      // Each write reports its own failure below; unheard, the event would end the process.
      stream.on('error', () => undefined);
    }
    await new Promise<void>((resolve, reject) => {
      stream.write(bytes, (error) => {
        if (errorCode(error) === 'EPIPE') this.#isGone = true;
        else if (error) {
          reject(new OutputError(this.#fd, error));
          return;
        }
        resolve();
      });
    });
  }
}

const stdout = new Sink(1);
let hasFailed = false;

/**
 * Writes a result, or the next part of one, to stdout: a reader that has gone is ignored, and the first other
 * failure is reported with status 1.
 */
export function writeResult(text: string): void {
  if (hasFailed) return;
  try {
    stdout.write(text)?.catch(fail);
  } catch (error) {
    fail(error);
  }
}

function fail(error: unknown): void {
  if (hasFailed) return;
  hasFailed = true;
  process.stderr.write(`tnet: ${(error as Error).message}\n`);
  process.exitCode = exitCodes.failed;
}

/** The exit status for a failure: see exit-codes.ts. */
export function exitStatus(error: unknown): number {
  if (error instanceof TnetError) return error.exitCode;
  return isSetupFailure(error) ? exitCodes.usage : exitCodes.failed;
}
