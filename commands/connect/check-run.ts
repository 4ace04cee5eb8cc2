import type { Endpoint } from '../../src/address/endpoint.ts';
import { boundChecks, SharedLookup, type CheckOptions } from '../../src/dial/check.ts';
import type { DialOptions } from '../../src/dial/dial-options.ts';
import type { Context } from '../context.ts';
import type { Interruption } from '../signals.ts';
import type { Goals } from './goals.ts';
import { type ConnectOptions, isPatient } from './options.ts';

export interface CheckRun {
  readonly context: Context;
  readonly goals: Goals;
  readonly options: ConnectOptions;
  /** Whether all have to accept when no flag says so. */
  readonly wantsAll: boolean;
  readonly interruption: Interruption;
  /** How one connection is opened, as the other flags ask. */
  readonly readDialOptions: (endpoint: Endpoint) => Promise<DialOptions>;
  /** What is done in place of connecting. */
  readonly look: CheckOptions['look'];
  /** The status that each URL was answered with last. */
  readonly statuses: ReadonlyMap<Endpoint, number>;
}

/**
 * How old a resolver's answer for another port may be to be reused by an attempt: less than the wait between
 * attempts.
 */
const sharedMs = 50;

/** How the addresses are checked, for a check and for each try of a series. */
export async function createCheckOptions(run: CheckRun): Promise<Omit<CheckOptions, 'onResult'>> {
  const { goals, options, interruption, look, readDialOptions } = run;
  return {
    atOnce: Math.min(boundChecks(), goals.targets.count),
    signal: interruption.signal,
    lookup: new SharedLookup(isPatient(options) ? sharedMs : Infinity),
    look,
    readDialOptions,
    shared: options.tls || isPatient(options) || goals.condition ? undefined : await readShared(run),
  };
}

/** The options of all addresses that are neither TLS nor Unix paths. */
async function readShared({ goals, readDialOptions }: CheckRun): Promise<DialOptions | undefined> {
  if (goals.questions.size > 0) return undefined;
  for (const endpoint of goals.targets) if (endpoint.kind === 'tcp') return readDialOptions(endpoint);
  return undefined;
}
