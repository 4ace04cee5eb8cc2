import { errorCode } from '../src/errors.ts';
import { exitCodes } from '../src/exit-codes.ts';
import { describeError } from '../src/report/sentences.ts';
import { Sink } from './isip-output.ts';

/** Writes a result to stdout: a reader that has gone wants none, and anything else that fails is a line and status 1. */
export function writeResult(text: string): void {
  const fail = (error: unknown) => {
    process.stderr.write(`tnet: stdout: ${describeError(error)} (${errorCode(error) ?? 'ERROR'})\n`);
    process.exitCode = exitCodes.failed;
  };
  try {
    new Sink(1).write(text)?.catch(fail);
  } catch (error) {
    fail(error);
  }
}
