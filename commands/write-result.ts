import { exitCodes } from '../src/exit-codes.ts';
import { Sink } from './isip/output.ts';

const stdout = new Sink(1);
let hasFailed = false;

/**
 * Writes a result, or the next part of one, to stdout: a reader that has gone wants none, and the first thing that fails
 * otherwise is a line and status 1.
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
