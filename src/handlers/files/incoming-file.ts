import { createHash, type Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';

/** Bytes that wait for the file: more of them, and the sender waits. */
const waitingMost = 4 * 1024 * 1024;
const readBytes = 256 * 1024;

/**
 * The hash of the first bytes of a file, to be continued. `onProgress` is called with each part.
 *
 * @throws the system's error, or an Error when there are fewer
 */
export async function hashPrefix(file: FileHandle, bytes: number, onProgress: () => void): Promise<Hash> {
  const hash = createHash('sha256');
  const buffers = [Buffer.allocUnsafeSlow(readBytes), Buffer.allocUnsafeSlow(readBytes)] as const;
  const read = (at: number, into: Buffer) =>
    file
      .read(into, 0, Math.min(readBytes, bytes - at), at)
      .then(({ bytesRead }) => into.subarray(0, bytesRead));
  let [current, other] = buffers as readonly [Buffer, Buffer];
  let reading = bytes > 0 ? read(0, current) : undefined;
  for (let at = 0; reading;) {
    const chunk = await reading;
    if (chunk.length === 0) throw new Error('the file has become shorter');
    at += chunk.length;
    [current, other] = [other, current];
    // The next part is read while this one is hashed.
    reading = at < bytes ? read(at, current) : undefined;
    hash.update(chunk);
    onProgress();
  }
  return hash;
}

/** A file that is being received: written from one place on, and hashed as it comes. */
export class IncomingFile {
  readonly #file: FileHandle;
  #at = 0;
  #hash = createHash('sha256');
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> | undefined;
  #failure: Error | undefined;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** How far the file has come, counting what still waits to be written. */
  get bytes(): number {
    return this.#at;
  }

  /** Goes on after the bytes that are there, whose hash is given; without one, from the beginning. */
  async startAt(bytes: number, hash?: Hash): Promise<void> {
    await this.#file.truncate(bytes);
    this.#at = bytes;
    this.#hash = hash ?? createHash('sha256');
  }

  /** Settles when more can be taken. @throws the system's error of this write or an earlier one */
  async write(chunk: Buffer): Promise<void> {
    if (this.#failure) throw this.#failure;
    this.#hash.update(chunk);
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    this.#at += chunk.length;
    this.#writing ??= this.#writeWaiting();
    if (this.#waitingBytes > waitingMost) await this.flush();
  }

  /** Settles when everything has been written. @throws the system's error */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing;
    if (this.#failure) throw this.#failure;
  }

  /** Settles when the bytes are on the disk. @returns the SHA-256 of the whole file */
  async finish(): Promise<Buffer> {
    await this.flush();
    await this.#file.datasync();
    return this.#hash.digest();
  }

  /** Never rejects: a failure is thrown by whoever writes or flushes next. */
  async #writeWaiting(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const [chunks, bytes] = [this.#waiting, this.#waitingBytes];
        const at = this.#at - bytes;
        this.#waiting = [];
        await writeAll(this.#file, chunks, at);
        this.#waitingBytes -= bytes;
      }
    } catch (error) {
      this.#failure = error as Error;
      this.#waiting = [];
    } finally {
      this.#writing = undefined;
    }
  }
}

/** The most buffers that one call may be given on any system (IOV_MAX). */
const vectorMost = 1024;

async function writeAll(file: FileHandle, chunks: readonly Buffer[], at: number): Promise<void> {
  for (let from = 0; from < chunks.length; from += vectorMost) {
    const some = chunks.slice(from, from + vectorMost);
    const bytes = some.reduce((sum, { length }) => sum + length, 0);
    let { bytesWritten } = await file.writev(some, at);
    // A short write: a disk that is full, or nearly.
    const rest = bytesWritten < bytes ? Buffer.concat(some) : undefined;
    while (rest && bytesWritten < bytes) {
      const more = await file.write(rest, bytesWritten, bytes - bytesWritten, at + bytesWritten);
      if (more.bytesWritten === 0) throw new Error('write: not all of it was taken');
      bytesWritten += more.bytesWritten;
    }
    at += bytes;
  }
}
