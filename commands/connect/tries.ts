import { checkRepeatedly } from '../../src/dial/tries.ts';
import type { CheckResult } from '../../src/dial/check.ts';
import type { Endpoint } from '../../src/address/endpoint.ts';
import { TnetError } from '../../src/errors.ts';
import { exitCodes } from '../../src/exit-codes.ts';
import { roundMs } from '../../src/quantities.ts';
import { RoundTrips } from '../../src/report/ping-summary.ts';
import { Reporter } from '../../src/report/reporter.ts';
import { failureFields } from '../../src/report/sentences.ts';
import type { TriesEvent } from '../../src/report/tries-summary.ts';
import { writeResult } from '../output.ts';
import { createCheckOptions, type CheckRun } from './check-run.ts';
import { nameCheck } from './name-check.ts';

const defaultIntervalMs = 1_000;
/** Each address has a line a second. */
const mostAddresses = 64;

/** The tries of one address so far. */
class Series {
  readonly address: string;
  readonly roundTrips = new RoundTrips();
  readonly #startedAt = performance.now();
  #sumMs = 0;
  #tried = 0;

  constructor(address: string) {
    this.address = address;
  }

  add({ isMet, durationMs }: CheckResult): void {
    this.#tried++;
    if (!isMet) return;
    this.#sumMs += durationMs;
    this.roundTrips.add(durationMs);
  }

  get event(): TriesEvent {
    const { count, times } = this.roundTrips;
    return {
      event: 'tries',
      address: this.address,
      tried: this.#tried,
      opened: count,
      failed: this.#tried - count,
      durationMs: roundMs(performance.now() - this.#startedAt),
      ...times,
      ...(times && { avgMs: roundMs(this.#sumMs / count) }),
    };
  }
}

/**
 * Tries each address again and again, and prints how long it took: a line for each try on stderr, the result on stdout.
 *
 * @returns the exit status: 0 when every try succeeded, 1 when one failed, or that of the interruption
 */
export async function runTries(run: CheckRun): Promise<number> {
  const { context, goals, options, interruption } = run;
  const { count = Infinity, interval = defaultIntervalMs } = options;
  if (goals.targets.count > mostAddresses)
    throw new TnetError('TNET_E_USAGE', `a series of tries is for at most ${mostAddresses} addresses`);
  const checkOptions = await createCheckOptions(run);
  const all = [...goals.targets].map(
    (endpoint) => [endpoint, new Series(nameCheck(endpoint, goals).address)] as const,
  );
  const runOne = ([endpoint, series]: readonly [Endpoint, Series]) =>
    checkRepeatedly(endpoint, {
      ...checkOptions,
      atOnce: 1,
      count,
      intervalMs: interval,
      onTry(sequence, result) {
        series.add(result);
        const { state, remote, failure, durationMs } = result;
        context.reporter.emit({
          event: 'try',
          address: series.address,
          sequence,
          state,
          ...(remote !== undefined && { remote }),
          ...(failure && failureFields(failure.error)),
          durationMs: roundMs(durationMs),
        });
      },
    });
  await Promise.all(all.map(runOne));
  for (const [, series] of all) await printResult(run, series);
  if (interruption.status !== undefined) return interruption.status;
  return all.every(([, { event }]) => event.failed === 0) ? exitCodes.ok : exitCodes.failed;
}

/** On stdout: one JSON object, or lines, with a histogram on a terminal. */
async function printResult({ options: { json } }: CheckRun, { event, roundTrips }: Series): Promise<void> {
  if (json) {
    new Reporter({ name: 'tnet connect', verbosity: 0, json: true, write: writeResult }).emit(event);
    return;
  }
  const { stdout } = process;
  const { renderTries } = await import('../../src/report/tries-summary.ts');
  const { renderHistogram } = await import('../../src/report/ping-summary.ts');
  const histogram = stdout.isTTY ? renderHistogram(roundTrips.buckets, stdout.columns) : [];
  writeResult([...renderTries(event), ...histogram].map((line) => `${line}\n`).join(''));
}
