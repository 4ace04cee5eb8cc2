import { exitCodes } from '../src/exit-codes.ts';

/** A request to stop from outside, as an AbortSignal for everything that runs, with the exit status that follows. */
export interface Interruption {
  readonly signal: AbortSignal;
  /** Set once interrupted: 130 or 143, or 124 when the limit of the run is over. */
  readonly status: number | undefined;
  /** Gives the signals back to the system. */
  [Symbol.dispose](): void;
}

/** A limit for the whole run (`--timeout`), which ends it as a signal does. */
export interface RunLimit {
  readonly timeoutMs: number;
  /** Says so. */
  readonly onTimeout: () => void;
}

/**
 * Turns the first SIGINT or SIGTERM into an abort, so that what has been read is still delivered. The second one ends
 * the process at once, by the system's default.
 */
export function catchInterruption(limit?: RunLimit): Interruption {
  const controller = new AbortController();
  let status: number | undefined;
  const release = () => {
    process.off('SIGINT', onSigint);
    process.off('SIGTERM', onSigterm);
    clearTimeout(timer);
  };
  const interrupt = (code: number) => {
    status = code;
    release();
    controller.abort();
  };
  const onSigint = () => interrupt(exitCodes.sigint);
  const onSigterm = () => interrupt(exitCodes.sigterm);
  const timer =
    limit &&
    setTimeout(() => {
      if (controller.signal.aborted) return;
      limit.onTimeout();
      interrupt(exitCodes.timeLimit);
    }, limit.timeoutMs);
  // Nothing is left to limit once nothing else keeps the process.
  if (timer) timer.unref();
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
