import type { Writable } from 'node:stream';
import {
  closeSync,
  constants,
  createWriteStream,
  fchmodSync,
  fstatSync,
  openSync,
  statSync,
  type Stats,
} from 'node:fs';
import { errorCode, TnetError } from '../errors.ts';

/**
 * Takes the bytes of a recording, in order. A failure is reported once; from then on writes do nothing, and the
 * connections go on without being recorded.
 */
export class RecordSink {
  readonly #stream: Writable;
  #hasFailed = false;

  constructor(stream: Writable, onError: (error: Error) => void) {
    this.#stream = stream;
    // Every connection adds listeners of its own.
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

/** What may wait for the disk before writers are asked to wait too. */
const pendingLimitBytes = 1024 * 1024;

/** For this user only: a recording holds secrets. */
const ownerOnly = 0o600;

/**
 * Opens a file to append to that was created for the recording. Nothing is buffered: what is written reaches the
 * file even when the process is about to end.
 *
 * @param isAppended whether the file may have content, after which the recording goes
 * @throws TnetError TNET_E_USAGE for a file that has content, is another user's, or cannot be opened.
 */
export function openRecordFile(
  path: string,
  onError: (error: Error) => void,
  isAppended = false,
): RecordSink {
  const stream = createWriteStream(path, { fd: openNew(path, isAppended), highWaterMark: pendingLimitBytes });
  return new RecordSink(stream, onError);
}

/**
 * Opens a new file, an empty one of ours (as mktemp(1) makes it), which then is for this user only, a pipe or a
 * device. A dangling link creates nothing: its author would choose where the recording goes.
 */
function openNew(path: string, isAppended: boolean): number {
  const { O_CREAT, O_EXCL, O_WRONLY, O_APPEND } = constants;
  const fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL) ?? openExisting(path, O_WRONLY | O_APPEND);
  if (fd === undefined) throw refuse(path, 'cannot be opened to record (EEXIST)');
  try {
    const status = fstatSync(fd);
    if (status.isFile()) takeFile(path, fd, status, isAppended);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function takeFile(path: string, fd: number, { size, uid, mode }: Stats, isAppended: boolean): void {
  if (size > 0 && !isAppended) throw refuse(path, 'the file is not empty: record to a new file');
  if (process.geteuid !== undefined && uid !== process.geteuid())
    throw refuse(path, 'the file belongs to another user: record to a new file');
  if ((mode & 0o077) !== 0 && process.platform !== 'win32') fchmodSync(fd, ownerOnly);
}

/** On a FIFO without a reader, open(2) would block, and the whole process with it. */
function openExisting(path: string, flags: number): number | undefined {
  const fd = open(path, flags | constants.O_NONBLOCK);
  if (fd === undefined || fstatSync(fd).isFile()) return fd;
  // There is a reader. A write to a full pipe should wait, and not fail.
  try {
    return open(path, flags);
  } finally {
    closeSync(fd);
  }
}

/** Undefined when the file must not exist but does. */
function open(path: string, flags: number): number | undefined {
  try {
    return openSync(path, flags, ownerOnly);
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return undefined;
    const isUnread = errorCode(error) === 'ENXIO' && statSync(path, { throwIfNoEntry: false })?.isFIFO();
    if (isUnread) throw refuse(path, 'is a FIFO without a reader: start the reader first', error);
    throw refuse(path, `cannot be opened to record (${errorCode(error) ?? 'unknown'})`, error);
  }
}

function refuse(path: string, message: string, cause?: unknown): TnetError {
  return new TnetError('TNET_E_USAGE', message, { subject: path, cause });
}
