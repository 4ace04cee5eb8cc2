import { closeSync, fstatSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { errorCode, TnetError } from '../src/errors.ts';

/** The flags that tell another program when a server is bound, and to what. */
export interface ReadyFlags {
  readonly readyFd?: number;
  readonly readyFile?: string;
}

/**
 * Checks before anything is bound that the descriptor is open.
 *
 * @throws TnetError TNET_E_DESCRIPTOR
 */
export function checkReadyFlags({ readyFd }: ReadyFlags): void {
  if (readyFd === undefined) return;
  try {
    fstatSync(readyFd);
  } catch (error) {
    throw new TnetError('TNET_E_DESCRIPTOR', 'the descriptor of --ready-fd is not open', {
      subject: `fd:${readyFd}`,
      cause: error,
    });
  }
}

/**
 * Writes the real addresses, each with a newline. The descriptor is closed after it (but for stdout and stderr), so
 * that its reader sees the end; the file comes into being whole, by a rename.
 *
 * @throws TnetError TNET_E_DESCRIPTOR, or the system's error with the file as subject.
 */
export function announceReady(addresses: readonly string[], { readyFd, readyFile }: ReadyFlags): void {
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
  const passing = `${readyFile}.${process.pid}`;
  try {
    writeFileSync(passing, text, { flag: 'wx' });
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
