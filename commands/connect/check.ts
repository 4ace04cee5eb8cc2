import { roundMs } from '../../src/quantities.ts';
import { boundChecks, checkAll, createSharedLookup, type CheckResult } from '../../src/dial/check.ts';
import type { DialOptions } from '../../src/dial/dial-options.ts';
import { dial } from '../../src/dial/dial.ts';
import type { Endpoint } from '../../src/address/endpoint.ts';
import type { Targets } from '../../src/address/targets.ts';
import { errorCode } from '../../src/errors.ts';
import { exitCodes } from '../../src/exit-codes.ts';
import type { Event } from '../../src/report/events.ts';
import { describeError } from '../../src/report/sentences.ts';
import { CheckScreen } from './check-screen.ts';
import { type ConnectOptions as CheckOptions, isPatient } from './options.ts';
import { exitStatus } from '../exit-status.ts';
import type { Context } from '../context.ts';
import type { Interruption } from '../signals.ts';

export interface CheckRun {
  readonly context: Context;
  readonly targets: Targets;
  readonly options: CheckOptions;
  /** Whether all have to accept when no flag says it. */
  readonly wantsAll: boolean;
  readonly interruption: Interruption;
  /** How one connection is opened, as the other flags ask. */
  readonly readDialOptions: (endpoint: Endpoint) => Promise<DialOptions>;
}

/** How old an answer of the resolver may be that a try takes over from another port's: less than the wait between tries. */
const sharedMs = 50;

type Checked = Extract<Event, { readonly event: 'checked' }>;

/**
 * Checks addresses side by side, without a byte sent.
 *
 * @returns the exit status: 0 when the ones that have to accept did; else 124 when all the others timed out, or 1.
 */
export async function runCheck(run: CheckRun): Promise<number> {
  const { context, targets, options, interruption } = run;
  const wantsAll = options.any ? false : (options.all ?? run.wantsAll);
  const screen = new CheckScreen(targets.count, options, isPatient(options));
  const lookup = createSharedLookup(isPatient(options) ? sharedMs : Infinity);
  const failures = new Set<number>();
  const failed: CheckResult[] = [];
  let opened = 0;
  const onResult = (result: CheckResult) => {
    const event = toEvent(result);
    if (result.state === 'open') opened++;
    else failures.add(exitStatus(result.error));
    if (!screen.take(event)) context.reporter.emit(event);
    if (result.error !== undefined) failed.push(result);
    return options.any && opened > 0 ? 'stop' : undefined;
  };
  await checkAll(targets, {
    atOnce: Math.min(boundChecks(), targets.count),
    signal: interruption.signal,
    onResult,
    open: async (endpoint) => dial(endpoint, { ...(await run.readDialOptions(endpoint)), lookup }),
  });
  await screen.finish(targets);
  if (interruption.status !== undefined) return interruption.status;
  // Without -z the check is the first half of something: what is missing has to be said.
  const isSaid = options.check === true || options.verbose > 0 || options.json === true;
  if (!isSaid) for (const { address, error } of failed) context.reporter.fail(address, error);
  if (wantsAll ? failures.size === 0 : opened > 0) return exitCodes.ok;
  return failures.size === 1 ? ([...failures][0] ?? exitCodes.failed) : exitCodes.failed;
}

function toEvent({ error, durationMs, remote, ...result }: CheckResult): Checked {
  const failure =
    error === undefined ? {} : { code: errorCode(error) ?? 'ERROR', message: describeError(error) };
  const place = remote === undefined ? {} : { remote };
  return {
    event: 'checked',
    ...result,
    ...place,
    ...failure,
    durationMs: roundMs(durationMs),
  };
}
