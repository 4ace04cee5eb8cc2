import type { Endpoint } from '../../src/address/endpoint.ts';
import { nameTarget } from '../../src/address/targets.ts';
import type { Event } from '../../src/report/events.ts';
import type { Spinner } from '../../src/report/spinner.ts';
import type { ReportFlags } from '../context.ts';

type Checked = Extract<Event, { readonly event: 'checked' }>;

/** A check that is over sooner than this needs no sign of life. */
const showAfterMs = 300;
const updateMs = 100;
/** A check of fewer addresses shows no bar, unless it waits for them. */
const fewAddresses = 20;

/**
 * What a person at a terminal sees of a check: a bar or a spinner while it runs, a table at the end with -v. Nothing
 * of this with --json, or when stderr is no terminal.
 */
export class CheckScreen {
  readonly #total: number;
  readonly #options: ReportFlags;
  readonly #isWaiting: boolean;
  readonly #checks: Checked[] = [];
  #opened = 0;
  #done = 0;
  #timer: NodeJS.Timeout | undefined;
  #spinner: Promise<Spinner> | undefined;

  constructor(total: number, options: ReportFlags, isWaiting: boolean) {
    this.#total = total;
    this.#options = options;
    this.#isWaiting = isWaiting;
    // A waiting check with -v says each try as a line, and lines and a spinner do not mix.
    const isShown = isWaiting ? options.verbose === 0 : total >= fewAddresses;
    if (!this.#isTerminal || !isShown) return;
    this.#timer = setTimeout(() => {
      this.#spinner = this.#start();
    }, showAfterMs);
  }

  /** Takes a finding for the table. False: there will be none, and the finding is to be reported as a line. */
  take(check: Checked): boolean {
    this.#done++;
    if (check.state === 'open') this.#opened++;
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
    const lines = renderChecks(sortChecks(this.#checks, order), this.#isColoured);
    process.stderr.write(lines.map((line) => `${line}\n`).join(''));
  }

  get #isTerminal(): boolean {
    return process.stderr.isTTY && !this.#options.json;
  }

  get #isColoured(): boolean {
    return this.#options.color && !process.env['NO_COLOR'];
  }

  async #start(): Promise<Spinner> {
    const { startSpinner, drawBar } = await import('../../src/report/spinner.ts');
    const text = () =>
      this.#isWaiting
        ? `waiting: ${this.#opened} of ${this.#total} accept`
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
