import { exitCodes } from '../src/exit-codes.ts';

/** A request to stop from outside, as an AbortSignal for everything that runs, with the exit status that follows. */
export interface Interruption {
  readonly signal: AbortSignal;
  /** Set once interrupted: 130 or 143. */
  readonly status: number | undefined;
  /** Gives the signals back to the system. */
  [Symbol.dispose](): void;
}

/**
 * Turns the first SIGINT or SIGTERM into an abort, so that what has been read is still delivered. The second one ends
 * the process at once, by the system's default.
 */
export function catchInterruption(): Interruption {
  const controller = new AbortController();
  let status: number | undefined;
  const release = () => {
    process.off('SIGINT', onSigint);
    process.off('SIGTERM', onSigterm);
  };
  const interrupt = (code: number) => {
    status = code;
    release();
    controller.abort();
  };
  const onSigint = () => interrupt(exitCodes.sigint);
  const onSigterm = () => interrupt(exitCodes.sigterm);
  process.on('SIGINT', onSigint);
  process.on('SIGTERM', onSigterm);
  return {
    signal: controller.signal,
    get status() {
      return status;
    },
    [Symbol.dispose]: release,
  };
}
