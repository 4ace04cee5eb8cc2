import { formatTargetEndpoint, type Endpoint } from '../../src/address/endpoint.ts';
import { connectPatiently, type Patience } from '../../src/dial/patience.ts';
import { errorCode } from '../../src/errors.ts';
import { exitCodes } from '../../src/exit-codes.ts';
import type { Connection } from '../../src/net/connection.ts';
import { describeError } from '../../src/report/sentences.ts';
import { CheckScreen } from './check-screen.ts';
import type { WaitOptions } from './wait-options.ts';
import { exitStatus } from '../exit-status.ts';
import type { Context, ReportOptions } from '../context.ts';

/** Attempts of --wait are short, because a server that starts up may leave the first ones unanswered. */
const waitingAttemptMs = 5_000;

/** @param hasOwnLimit whether -w was given; then it limits every attempt, also with --wait. */
export function readPatience(options: WaitOptions, hasOwnLimit: boolean): Patience {
  const { wait, stable, retry = wait === undefined ? 0 : Infinity, retryDelay, waitConnect } = options;
  const isWaiting = wait !== undefined;
  const delayMs = retryDelay ?? (isWaiting ? 100 : 1_000);
  return {
    retries: retry,
    delayMs,
    maxDelayMs: Math.max(delayMs, isWaiting ? 1_000 : 30_000),
    attemptMs: isWaiting && !hasOwnLimit ? Math.min(waitConnect, waitingAttemptMs) : waitConnect,
    withinMs: wait,
    stableMs: stable,
  };
}

/** Opens a connection as the flags ask, and reports every attempt that will be repeated. */
export async function openPatiently(
  context: Context,
  endpoint: Endpoint,
  patience: Patience,
  signal: AbortSignal,
  attempt: (timeoutMs: number) => Promise<Connection>,
): Promise<Connection> {
  const address = formatTargetEndpoint(endpoint);
  return connectPatiently({
    ...patience,
    subject: address,
    attempt,
    signal,
    // What is wrong with the command line or this machine stays wrong.
    mayPass: (error) => exitStatus(error) !== exitCodes.usage,
    describe: (error) => `${describeError(error)}, ${errorCode(error) ?? 'ERROR'}`,
    onRetry({ retry, of, delayMs, error }) {
      const code = errorCode(error) ?? 'ERROR';
      const message = describeError(error);
      const limit = Number.isFinite(of) ? { of } : {};
      context.reporter.emit({ event: 'retry', address, retry, ...limit, delayMs, code, message });
    },
  });
}

/** The connection for a session, waited for with a spinner on a terminal. */
export async function waitForServer(
  context: Context,
  endpoint: Endpoint,
  options: WaitOptions & ReportOptions,
  hasOwnLimit: boolean,
  signal: AbortSignal,
  attempt: (timeoutMs: number) => Promise<Connection>,
): Promise<Connection> {
  const screen = new CheckScreen(1, options, true);
  try {
    return await openPatiently(context, endpoint, readPatience(options, hasOwnLimit), signal, attempt);
  } finally {
    await screen.finish([]);
  }
}
