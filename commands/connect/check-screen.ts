import { formatTargetEndpoint, type Endpoint } from '../../src/address/endpoint.ts';
import type { CheckResult } from '../../src/dial/check.ts';
import type { DialOptions } from '../../src/dial/dial-options.ts';
import type { Retry } from '../../src/dial/patience.ts';
import type { Spinner } from '../../src/report/spinner.ts';
import type { Goals } from './goals.ts';
import { type Checked, nameCheck } from './name-check.ts';
import { type ConnectOptions, isPatient } from './options.ts';

/** A check that is over sooner than this needs no sign of life. */
const showAfterMs = 300;
const updateMs = 100;
/** A check of fewer addresses shows no bar, unless it waits for them. */
const fewAddresses = 20;

/**
 * What a user at a terminal sees of a check: a bar or a spinner while it runs, a table at the end with -v. Nothing
 * of this with --json, or when stderr is not a terminal.
 */
export class CheckScreen {
  readonly #total: number;
  readonly #goals: Goals;
  readonly #options: ConnectOptions;
  readonly #isWaiting: boolean;
  readonly #startedAt = performance.now();
  /** What was waited for last, and why it is not there. */
  #missing: readonly [what: string, error: unknown] | undefined;
  readonly #checks: Checked[] = [];
  #met = 0;
  #done = 0;
  #timer: NodeJS.Timeout | undefined;
  #spinner: Promise<Spinner> | undefined;

  constructor(goals: Goals, options: ConnectOptions) {
    const { count } = goals.targets;
    this.#total = count;
    this.#goals = goals;
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
  count({ isMet }: CheckResult): void {
    this.#done++;
    if (isMet) this.#met++;
  }

  /** Called with the attempts that failed. */
  watch(endpoint: Endpoint, options: DialOptions): DialOptions {
    const { observer } = options;
    if (!this.#timer || !this.#isWaiting) return options;
    const what = this.#goals.names.get(endpoint) ?? formatTargetEndpoint(endpoint);
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
    const lines = renderChecks(this.#sort(order), this.#isColoured, process.stderr.columns || 80);
    process.stderr.write(lines.map((line) => `${line}\n`).join(''));
  }

  /** `312 of 5000 checked, 2 open` */
  describe(): string {
    return `${this.#done} of ${this.#total} checked, ${this.#met} ${this.#wanted}`;
  }

  get #wanted(): string {
    const { condition } = this.#goals;
    return condition === undefined ? 'open' : condition === 'closed' ? 'closed' : 'found';
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
      const counted = this.#total === 1 ? '' : `${this.#met} of ${this.#total} ready; `;
      return counted + renderWaiting(what, error, leftMs(this.#options.wait, this.#startedAt));
    };
    const text = () =>
      this.#isWaiting
        ? waiting()
        : `${drawBar(this.#done, this.#total)}, ${this.#done} of ${this.#total}, ${this.#met} ${this.#wanted}`;
    const spinner = await startSpinner(process.stderr, text(), this.#isColoured);
    this.#timer = setInterval(() => spinner.update(text()), updateMs);
    return spinner;
  }

  #sort(order: Iterable<Endpoint>): readonly Checked[] {
    const found = new Map(this.#checks.map((check) => [check.address, check]));
    return [...order].flatMap((endpoint) => found.get(nameCheck(endpoint, this.#goals).address) ?? []);
  }
}
