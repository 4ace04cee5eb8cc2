import { close, read, writev } from 'node:fs';
import { Readable, Writable } from 'node:stream';
import { errorCode } from '../errors.ts';

/** Bytes read from a file in one call. */
const readBytes = 256 * 1024;

/** How often a write that writes nothing is repeated before it is an error. */
const emptyWritesMost = 5;

/**
 * Reads an open file or device from its current position. Like fs.createReadStream(), for which Node loads
 * fs.promises and readline: a tenth of a short run. It is left open at its end; destroy() closes the descriptor.
 */
export class FileInput extends Readable {
  fd: number | null;
  bytesRead = 0;
  /** What destroy() waits for: the number must not be reused for another file while a thread still reads. */
  #onIdle: (() => void) | undefined;
  #isBusy = false;

  constructor(fd: number) {
    super({ highWaterMark: readBytes, autoDestroy: false });
    this.fd = fd;
  }

  override _read(size: number): void {
    const { fd } = this;
    if (fd === null) return;
    this.#isBusy = true;
    read(fd, Buffer.allocUnsafeSlow(size), 0, size, null, (error, count, buffer) => {
      this.#isBusy = false;
      if (this.destroyed) this.#onIdle?.();
      else if (error) this.destroy(error);
      else if (count === 0) this.push(null);
      else {
        this.bytesRead += count;
        // A copy of a short read, so that the whole buffer is not kept for it.
        this.push(count === size ? buffer : Buffer.from(buffer.subarray(0, count)));
      }
    });
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const { fd } = this;
    this.fd = null;
    const finish = () => {
      if (fd === null) done(error);
      else close(fd, (failure) => done(error ?? failure));
    };
    if (this.#isBusy) this.#onIdle = finish;
    else finish();
  }
}

/**
 * Writes to an open file or device at its current position. Like fs.createWriteStream(), but the descriptor stays
 * open: fs.WriteStream's destroy() closes it whatever autoClose says, and in another thread; by then the number may
 * belong to another file.
 */
export class FileOutput extends Writable {
  readonly fd: number;
  bytesWritten = 0;
  #onIdle: (() => void) | undefined;
  #isBusy = false;

  constructor(fd: number) {
    super();
    this.fd = fd;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#writeAll([chunk], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#writeAll(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  #writeAll(chunks: readonly Buffer[], done: (error?: Error | null) => void, emptyWrites = 0): void {
    this.#isBusy = true;
    writev(this.fd, chunks, (error, count) => {
      this.#isBusy = false;
      const isEmpty = errorCode(error) === 'EAGAIN' || (!error && count === 0);
      const written = error ? 0 : count;
      this.bytesWritten += written;
      const rest = skip(chunks, written);
      const isGivenUp = this.destroyed || emptyWrites === emptyWritesMost;
      if (rest.length > 0 && !isGivenUp && (!error || isEmpty)) {
        this.#writeAll(rest, done, isEmpty ? emptyWrites + 1 : 0);
        return;
      }
      done(error ?? (rest.length > 0 ? new Error('write: not all of it was taken') : null));
      this.#onIdle?.();
    });
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (this.#isBusy) this.#onIdle = () => done(error);
    else done(error);
  }
}

/** What is left of the chunks after their first `count` bytes. */
function skip(chunks: readonly Buffer[], count: number): readonly Buffer[] {
  let left = count;
  for (const [index, chunk] of chunks.entries()) {
    if (left < chunk.length) return [chunk.subarray(left), ...chunks.slice(index + 1)];
    left -= chunk.length;
  }
  return [];
}
