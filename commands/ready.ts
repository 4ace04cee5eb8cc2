import { randomBytes } from 'node:crypto';
import { closeSync, lstatSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { errorCode, TnetError } from '../src/errors.ts';
import type { TableFlags } from './options/row.ts';
import type { bind } from './options/table/bind.ts';

/** The flags that tell another program when a server is bound, and to what. */
export type ReadyFlags = Pick<TableFlags<typeof bind, 'listen'>, 'readyFd' | 'readyFile'>;

/**
 * Checks before anything is bound that the file may be written: it does not exist, or is a regular one of this
 * user. A device, a FIFO or a link would be replaced by a file, and another user's file deleted.
 *
 * @throws TnetError TNET_E_USAGE
 */
export function checkReadyFlags({ readyFile }: ReadyFlags): void {
  if (readyFile === undefined) return;
  const status = lstatSync(readyFile, { throwIfNoEntry: false });
  if (!status) return;
  const message = !status.isFile()
    ? 'is not a regular file: name a new file, or use --ready-fd'
    : isForeign(status.uid)
      ? 'belongs to another user'
      : undefined;
  if (message !== undefined) throw new TnetError('TNET_E_USAGE', message, { subject: readyFile });
}

function isForeign(owner: number): boolean {
  return process.geteuid !== undefined && owner !== process.geteuid();
}

/**
 * Writes the real addresses, each with a newline. The descriptor is then closed (except stdout and stderr), so that
 * its reader sees the end; the file appears complete, by a rename.
 *
 * @throws TnetError TNET_E_DESCRIPTOR, or TNET_E_USAGE as checkReadyFlags() does.
 */
export function announceReady(addresses: readonly string[], flags: ReadyFlags): void {
  const { readyFd, readyFile } = flags;
  const text = addresses.map((address) => `${address}\n`).join('');
  if (readyFd !== undefined) {
    try {
      writeSync(readyFd, text);
      if (readyFd > 2) closeSync(readyFd);
    } catch (error) {
      throw readyError(`fd:${readyFd}`, error);
    }
  }
  if (readyFile === undefined) return;
  checkReadyFlags(flags);
  // A name that cannot have been taken before.
  const passing = `${readyFile}.${randomBytes(8).toString('hex')}`;
  try {
    writeFileSync(passing, text, { flag: 'wx' });
  } catch (error) {
    throw readyError(readyFile, error);
  }
  try {
    renameSync(passing, readyFile);
  } catch (error) {
    rmSync(passing, { force: true });
    throw readyError(readyFile, error);
  }
}

function readyError(subject: string, cause: unknown): TnetError {
  const message = `the address cannot be written (${errorCode(cause) ?? 'ERROR'})`;
  return new TnetError('TNET_E_DESCRIPTOR', message, { subject, cause });
}
