import { roundMs } from '../../src/quantities.ts';
import { boundChecks, checkAll, SharedLookup, type CheckResult } from '../../src/dial/check.ts';
import type { DialOptions } from '../../src/dial/dial-options.ts';
import {
  formatEndpoint,
  formatHostPort,
  formatTargetEndpoint,
  type Endpoint,
} from '../../src/address/endpoint.ts';
import { nameService } from '../../src/address/service-names.ts';
import type { Retry } from '../../src/dial/patience.ts';
import { type Targets, nameTarget } from '../../src/address/targets.ts';
import { exitCodes } from '../../src/exit-codes.ts';
import type { Event } from '../../src/report/events.ts';
import { failureFields } from '../../src/report/sentences.ts';
import { type ConnectOptions as CheckOptions, isPatient } from './options.ts';
import { exitStatus } from '../output.ts';
import type { Context } from '../context.ts';
import type { Interruption } from '../signals.ts';
import type { Spinner } from '../../src/report/spinner.ts';

export interface CheckRun {
  readonly context: Context;
  readonly targets: Targets;
  readonly options: CheckOptions;
  /** Whether all have to accept when no flag says so. */
  readonly wantsAll: boolean;
  readonly interruption: Interruption;
  /** How one connection is opened, as the other flags ask. */
  readonly readDialOptions: (endpoint: Endpoint) => Promise<DialOptions>;
}

/**
 * How old a resolver's answer for another port may be to be reused by an attempt: less than the wait between
 * attempts.
 */
const sharedMs = 50;

/** How long a server that speaks first may take for it. */
const bannerMs = 300;

type Checked = Extract<Event, { readonly event: 'checked' }>;

/**
 * Checks addresses in parallel, without a byte sent.
 *
 * @returns the exit status: 0 when the ones that have to accept did; else 124 when all the others timed out, or 1.
 */
export async function runCheck(run: CheckRun): Promise<number> {
  const { context, targets, options, interruption } = run;
  const wantsAll = options.any ? false : (options.all ?? run.wantsAll);
  const screen = new CheckScreen(targets, options);
  const failures = new Set<number>();
  const failed: CheckResult[] = [];
  let opened = 0;
  // Without -z the check is only the first half of the work: what is missing has to be reported, at the end.
  const isSaid = options.check === true || options.verbose > 0 || options.json === true;
  const isHeard = options.verbose > 0 || options.json === true;
  const onResult = (result: CheckResult) => {
    if (result.state === 'open') opened++;
    else failures.add(result.state === 'closed' ? exitCodes.failed : exitStatus(result.failure?.error));
    screen.count(result.state);
    if (isHeard) {
      const event = toEvent(result);
      if (!screen.take(event)) context.reporter.emit(event);
    }
    if (result.failure && !isSaid) failed.push(result);
    return options.any && opened > 0 ? 'stop' : undefined;
  };
  await checkAll(targets, {
    atOnce: Math.min(boundChecks(), targets.count),
    signal: interruption.signal,
    bannerMs: options.verbose > 0 && (context.reporter.isSeen || options.json) ? bannerMs : undefined,
    onResult,
    lookup: new SharedLookup(isPatient(options) ? sharedMs : Infinity),
    readDialOptions: async (endpoint) => screen.watch(endpoint, await run.readDialOptions(endpoint)),
    shared: options.tls || isPatient(options) ? undefined : await readShared(run),
  });
  await screen.finish(targets);
  if (interruption.status !== undefined) {
    if (context.reporter.isSeen) context.reporter.note(`stopped: ${screen.describe()}`);
    return interruption.status;
  }
  for (const { endpoint, failure } of failed)
    context.reporter.fail(nameCheck(endpoint).address, failure?.error);
  if (wantsAll ? failures.size === 0 : opened > 0) return exitCodes.ok;
  return failures.size === 1 ? ([...failures][0] ?? exitCodes.failed) : exitCodes.failed;
}

/** The options of all addresses that are neither TLS nor Unix paths. */
async function readShared({ targets, readDialOptions }: CheckRun): Promise<DialOptions | undefined> {
  for (const endpoint of targets) if (endpoint.kind === 'tcp') return readDialOptions(endpoint);
  return undefined;
}

function nameCheck(endpoint: Endpoint): Pick<Checked, 'address' | 'host' | 'port' | 'service'> {
  const { host, port } = nameTarget(endpoint);
  if (port === undefined) return { address: formatEndpoint(endpoint), host };
  const service = nameService(port);
  return { address: formatHostPort(host, port), host, port, ...(service !== undefined && { service }) };
}

function toEvent({ endpoint, failure, durationMs, remote, state, banner }: CheckResult): Checked {
  const place = remote === undefined ? {} : { remote };
  return {
    event: 'checked',
    ...nameCheck(endpoint),
    state,
    ...place,
    ...(failure && failureFields(failure.error)),
    durationMs: roundMs(durationMs),
    ...(banner !== undefined && { banner }),
  };
}

/** A check that is over sooner than this needs no sign of life. */
const showAfterMs = 300;
const updateMs = 100;
/** A check of fewer addresses shows no bar, unless it waits for them. */
const fewAddresses = 20;

/**
 * What a user at a terminal sees of a check: a bar or a spinner while it runs, a table at the end with -v. Nothing
 * of this with --json, or when stderr is not a terminal.
 */
class CheckScreen {
  readonly #total: number;
  readonly #options: CheckOptions;
  readonly #isWaiting: boolean;
  readonly #startedAt = performance.now();
  /** What was waited for last, and why it is not there. */
  #missing: readonly [what: string, error: unknown] | undefined;
  readonly #checks: Checked[] = [];
  #opened = 0;
  #done = 0;
  #timer: NodeJS.Timeout | undefined;
  #spinner: Promise<Spinner> | undefined;

  constructor({ count }: Targets, options: CheckOptions) {
    this.#total = count;
    this.#options = options;
    this.#isWaiting = isPatient(options);
    // A waiting check with -v reports each attempt as a line, and lines and a spinner do not mix.
    const isShown = this.#isWaiting ? options.verbose === 0 : count >= fewAddresses;
    if (!this.#isTerminal || !isShown) return;
    this.#timer = setTimeout(() => {
      this.#spinner = this.#start();
    }, showAfterMs);
  }

  /** Counts a finding for the bar. */
  count(state: Checked['state']): void {
    this.#done++;
    if (state === 'open') this.#opened++;
  }

  /** Called with the attempts that failed. */
  watch(endpoint: Endpoint, options: DialOptions): DialOptions {
    const { observer } = options;
    if (!this.#timer || !this.#isWaiting) return options;
    const what = formatTargetEndpoint(endpoint);
    this.#missing ??= [what, undefined];
    const retry = (retried: Retry) => {
      this.#missing = [what, retried.error];
      observer?.retry?.(retried);
    };
    return { ...options, observer: { ...observer, retry } };
  }

  /** Takes a finding for the table. False: there will be none, and the finding is to be reported as a line. */
  take(check: Checked): boolean {
    if (!this.#isTerminal || this.#options.verbose === 0) return false;
    this.#checks.push(check);
    return true;
  }

  /** Removes the bar and prints the table, in the order of the command line. */
  async finish(order: Iterable<Endpoint>): Promise<void> {
    clearTimeout(this.#timer);
    const spinner = await this.#spinner;
    clearInterval(this.#timer);
    spinner?.stop();
    if (this.#checks.length === 0) return;
    const { renderChecks } = await import('../../src/report/table.ts');
    const lines = renderChecks(
      sortChecks(this.#checks, order),
      this.#isColoured,
      process.stderr.columns || 80,
    );
    process.stderr.write(lines.map((line) => `${line}\n`).join(''));
  }

  /** `312 of 5000 checked, 2 open` */
  describe(): string {
    return `${this.#done} of ${this.#total} checked, ${this.#opened} open`;
  }

  get #isTerminal(): boolean {
    return process.stderr.isTTY && !this.#options.json;
  }

  get #isColoured(): boolean {
    return this.#options.color && !process.env['NO_COLOR'];
  }

  async #start(): Promise<Spinner> {
    const [{ startSpinner, drawBar }, { leftMs, renderWaiting }] = await Promise.all([
      import('../../src/report/spinner.ts'),
      import('./dial-screen.ts'),
    ]);
    const waiting = () => {
      const [what = '', error] = this.#missing ?? [];
      const counted = this.#total === 1 ? '' : `${this.#opened} of ${this.#total} accept; `;
      return counted + renderWaiting(what, error, leftMs(this.#options.wait, this.#startedAt));
    };
    const text = () =>
      this.#isWaiting
        ? waiting()
        : `${drawBar(this.#done, this.#total)}, ${this.#done} of ${this.#total}, ${this.#opened} open`;
    const spinner = await startSpinner(process.stderr, text(), this.#isColoured);
    this.#timer = setInterval(() => spinner.update(text()), updateMs);
    return spinner;
  }
}

function sortChecks(checks: readonly Checked[], order: Iterable<Endpoint>): readonly Checked[] {
  const keyOf = (host: string, port: number | undefined) => `${host} ${port ?? ''}`;
  const found = new Map(checks.map((check) => [keyOf(check.host, check.port), check]));
  return [...order].flatMap((endpoint) => {
    const { host, port } = nameTarget(endpoint);
    return found.get(keyOf(host, port)) ?? [];
  });
}
