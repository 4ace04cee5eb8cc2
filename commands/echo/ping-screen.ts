import type { EchoCheck } from '../../src/protocol/echo-check/echo-check.ts';
import type { Spinner } from '../../src/report/spinner.ts';
import type { ReportFlags } from '../context.ts';

/** A ping that is over sooner than this needs no sign of life. */
const showAfterMs = 300;
const updateMs = 100;

/**
 * What a person at a terminal sees of a ping while it runs: a line of totals on stderr. None with --json, none with
 * -v, whose lines say more, and none when stderr is not a terminal.
 */
export class PingScreen {
  readonly #check: EchoCheck;
  readonly #isColoured: boolean;
  #lastMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #spinner: Promise<Spinner> | undefined;

  constructor({ json, verbose, color }: ReportFlags, check: EchoCheck) {
    this.#check = check;
    this.#isColoured = color && !process.env['NO_COLOR'];
    if (!process.stderr.isTTY || json || verbose > 0) return;
    this.#timer = setTimeout(() => {
      this.#spinner = this.#start();
    }, showAfterMs);
  }

  replied(roundTripMs: number): void {
    this.#lastMs = roundTripMs;
  }

  /** Removes the line. */
  async finish(): Promise<void> {
    clearTimeout(this.#timer);
    const spinner = await this.#spinner;
    clearInterval(this.#timer);
    spinner?.stop();
  }

  async #start(): Promise<Spinner> {
    const { startSpinner } = await import('../../src/report/spinner.ts');
    const spinner = await startSpinner(process.stderr, this.#text, this.#isColoured);
    this.#timer = setInterval(() => spinner.update(this.#text), updateMs);
    return spinner;
  }

  get #text(): string {
    const { sent, received, wrong } = this.#check.counts;
    const last = this.#lastMs === undefined ? '' : `, the last in ${this.#lastMs.toFixed(3)} ms`;
    return `${sent} sent, ${received} back${wrong > 0 ? `, ${wrong} wrong` : ''}${last}`;
  }
}
