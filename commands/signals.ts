import { flushCompileCache } from 'node:module';
import { isHangupIgnored } from '../src/dial/local/hangup.ts';
import { isForBorrower } from '../src/dial/lent-terminal.ts';
import { exitCodes } from '../src/exit-codes.ts';
import type { EndingReason } from '../src/flow/flow.ts';
import { restoreBlocking } from '../src/net/handles.ts';
import { formatLimit, TnetError } from '../src/errors.ts';
import type { Context } from './context.ts';
import type { TableFlags } from './options/row.ts';
import type { limits } from './options/table/limits.ts';

/** A request to stop from outside, as an AbortSignal for everything that runs, with the exit status that follows. */
export interface Interruption {
  readonly signal: AbortSignal;
  /** Set once interrupted: 130, 143 or 129, or 124 when the limit of the run is over. */
  readonly status: number | undefined;
  /** Restores the system's handling of signals. */
  [Symbol.dispose](): void;
}

/** Why a connection ended: one that an interruption ended in order has not reached its own end. */
export function endingReason(reason: EndingReason, { signal, status }: Interruption): EndingReason {
  if (reason !== 'eof' || !signal.aborted) return reason;
  return status === exitCodes.timeLimit ? 'timeout' : 'aborted';
}

/** A limit for the whole run (`--timeout`), which ends it as a signal does. */
export interface RunLimit {
  readonly timeoutMs: number;
  /** Says so. */
  readonly onTimeout: () => void;
}

const statuses = {
  SIGINT: exitCodes.sigint,
  SIGTERM: exitCodes.sigterm,
  SIGHUP: exitCodes.sighup,
} as const;

/** The signals that ask a command to end. */
export type EndingSignal = keyof typeof statuses;

export function isEndingSignal(signal: string): signal is EndingSignal {
  return Object.hasOwn(statuses, signal);
}

/** What a SIGHUP reloads; it ends a command that has nothing to reload. */
const reloads = new Set<() => void>();
/**
 * Whether a SIGHUP is ignored for the rest of the run: one that asks for a reload must not cut off a command that
 * is ending.
 */
let reloadsForGood = false;

/**
 * Reloads something at every SIGHUP from now on, which then no longer ends the command. @returns a function that
 * undoes this
 */
export function onHangup(reload: () => void): () => void {
  reloads.add(reload);
  reloadsForGood = true;
  return () => void reloads.delete(reload);
}

/**
 * Turns the first SIGINT, SIGTERM or SIGHUP into an abort, so that what has been read is still delivered; the process
 * then ends by that signal (see endBy). The second one ends it at once, by the system's default. A SIGHUP that was
 * ignored when the process was started stays so.
 */
export function catchInterruption(limit?: RunLimit): Interruption {
  const controller = new AbortController();
  let status: number | undefined;
  const keepsHangup = () => reloadsForGood || isHangupIgnored();
  const release = () => {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    if (!keepsHangup()) process.off('SIGHUP', onSighup);
    clearTimeout(timer);
  };
  const interrupt = (code: number) => {
    if (controller.signal.aborted) return;
    status = code;
    release();
    controller.abort();
  };
  const onSignal = (signal: NodeJS.Signals) => {
    if (!isEndingSignal(signal) || (signal === 'SIGINT' && isForBorrower(signal))) return;
    endBy(signal);
    interrupt(statuses[signal]);
  };
  const onSighup = (signal: NodeJS.Signals) => {
    for (const reload of reloads) reload();
    if (!keepsHangup()) onSignal(signal);
  };
  const timer =
    limit &&
    setTimeout(() => {
      if (controller.signal.aborted) return;
      limit.onTimeout();
      interrupt(exitCodes.timeLimit);
    }, limit.timeoutMs);
  // Nothing is left to limit once nothing else keeps the process alive.
  if (timer) timer.unref();
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal).on('SIGHUP', onSighup);
  return {
    signal: controller.signal,
    get status() {
      return status;
    },
    [Symbol.dispose]: release,
  };
}

/**
 * Makes the process end by a signal's default action when nothing keeps it alive any more, so that a shell or a
 * supervisor sees what ended it: a shell's loop goes on after a command that handled Ctrl-C itself. The exit status
 * is only for cases in which a signal cannot end the process: on Windows, and as the first process of a container.
 */
export function endBy(signal: EndingSignal): void {
  process.exitCode = statuses[signal];
  if (process.platform === 'win32') return;
  // After all other listeners of 'exit', which remove paths and give the terminal back. A crash keeps its own status.
  process.once('beforeExit', () => process.once('exit', () => endNow(signal)));
}

function endNow(signal: EndingSignal): void {
  // What Node does at an exit of its own.
  flushCompileCache();
  restoreBlocking(process.stderr);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

/** The limit of --timeout, in milliseconds, on the whole run; exceeding it is reported. */
export function readRunLimit(
  context: Context,
  { timeout }: Pick<TableFlags<typeof limits, 'connect'>, 'timeout'>,
): RunLimit | undefined {
  if (timeout === undefined) return undefined;
  const onTimeout = () =>
    context.reporter.fail(
      '--timeout',
      new TnetError('TNET_E_TIMEOUT', `the run reached its limit of ${formatLimit(timeout)}`),
    );
  return { timeoutMs: timeout, onTimeout };
}
