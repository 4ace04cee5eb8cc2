import { errorCode, TnetError } from '../src/errors.ts';
import { exitCodes } from '../src/exit-codes.ts';

/** Failures of this machine's own set-up: another address, path, permission or limit is needed, not another try. */
const setupCodes = new Set([
  'EACCES',
  'EPERM',
  'EADDRINUSE',
  'EADDRNOTAVAIL',
  'EMFILE',
  'ENFILE',
  'EISDIR',
  'EBADF',
  'ENOSPC',
  'EINVAL',
  'EAFNOSUPPORT',
]);

/** The exit status for a failure: see exit-codes.ts. */
export function exitStatus(error: unknown): number {
  if (error instanceof TnetError) return error.exitCode;
  return setupCodes.has(errorCode(error) ?? '') ? exitCodes.usage : exitCodes.failed;
}
