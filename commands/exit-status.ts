import { TnetError } from '../src/errors.ts';
import { exitCodes } from '../src/exit-codes.ts';
import { isSetupFailure } from '../src/net/connect-failure.ts';

/** The exit status for a failure: see exit-codes.ts. */
export function exitStatus(error: unknown): number {
  if (error instanceof TnetError) return error.exitCode;
  return isSetupFailure(error) ? exitCodes.usage : exitCodes.failed;
}
