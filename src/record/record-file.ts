import { closeSync, createWriteStream, fstatSync, openSync } from 'node:fs';
import { errorCode, TnetError } from '../errors.ts';
import { RecordSink } from './record-sink.ts';

/** What may wait for the disk before writers are asked to wait too. */
const pendingLimitBytes = 1024 * 1024;

/**
 * Opens a file to append to that was created for it. Nothing is kept back: what is written reaches the file even when
 * the process is about to end.
 *
 * @param isAppended whether the file may have something in it, behind which the recording goes
 * @throws TnetError TNET_E_USAGE for a file that has something in it or cannot be opened.
 */
export function openRecordFile(
  path: string,
  onError: (error: Error) => void,
  isAppended = false,
): RecordSink {
  const stream = createWriteStream(path, { fd: openNew(path, isAppended), highWaterMark: pendingLimitBytes });
  return new RecordSink(stream, onError);
}

/** Opens a new file, an empty one (as mktemp(1) makes it), a pipe or a device. For this user only: it holds secrets. */
function openNew(path: string, isAppended: boolean): number {
  const fd = open(path, 'wx') ?? open(path, 'a');
  const status = fd === undefined ? undefined : fstatSync(fd);
  if (fd !== undefined && (isAppended || !status?.isFile() || status.size === 0)) return fd;
  if (fd !== undefined) closeSync(fd);
  const message = 'the file has something in it: a recording goes to a new file';
  throw new TnetError('TNET_E_USAGE', message, { subject: path });
}

/** Undefined when the file must not exist, and does. */
function open(path: string, flags: 'wx' | 'a'): number | undefined {
  try {
    return openSync(path, flags, 0o600);
  } catch (error) {
    if (errorCode(error) === 'EEXIST' && flags === 'wx') return undefined;
    const message = `cannot be opened to record (${errorCode(error) ?? 'unknown'})`;
    throw new TnetError('TNET_E_USAGE', message, { subject: path, cause: error });
  }
}
