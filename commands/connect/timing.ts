import { elapsedMs, roundMs } from '../../src/quantities.ts';
import { Transform } from 'node:stream';
import { errorCode } from '../../src/errors.ts';
import { isIP } from '../../src/address/ip.ts';
import type { TimingPhase } from '../../src/report/events.ts';
import type { TimedPart } from '../../src/report/timings.ts';
import type { Reporter } from '../../src/report/reporter.ts';

/**
 * Measures the parts of a run and reports each when it is over (`--timing`); a user at a terminal gets all of them
 * as a table at the end.
 */
export class Timing {
  readonly #reporter: Reporter;
  readonly #startedAt = performance.now();
  #triedAt = this.#startedAt;
  #connectedAt = this.#startedAt;
  /** When each attempt that is still open began, by its address. */
  readonly #attempts = new Map<string, number>();
  readonly #parts: TimedPart[] = [];

  constructor(reporter: Reporter) {
    this.#reporter = reporter;
  }

  /** A part that was measured elsewhere: `tls`. */
  report(phase: TimingPhase, durationMs: number): void {
    this.#take({ phase, startedAt: performance.now() - durationMs, durationMs: roundMs(durationMs) });
  }

  /** A new attempt to connect begins: its lookup is measured from here. */
  tryStarted(): void {
    this.#triedAt = performance.now();
    this.#attempts.clear();
  }

  lookedUp(host: string): void {
    if (isIP(host) === 0) this.report('dns', elapsedMs(this.#triedAt));
  }

  attemptStarted(address: string): void {
    this.#attempts.set(address, performance.now());
  }

  attemptFailed(address: string, error: Error): void {
    this.#reportAttempt(address, errorCode(error) ?? 'ERROR');
  }

  /** @param winner the address that connected; the other attempts were given up. */
  connected(winner: string): void {
    this.#connectedAt = performance.now();
    for (const address of [...this.#attempts.keys()])
      this.#reportAttempt(address, address === winner ? 'connected' : 'given up');
    this.report('connect', elapsedMs(this.#startedAt));
  }

  /** Passes everything on and reports when the first byte comes. */
  watchFirstByte(): Transform {
    let isFirst = true;
    return new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        if (isFirst) this.report('first-byte', elapsedMs(this.#connectedAt));
        isFirst = false;
        done(null, chunk);
      },
    });
  }

  async finished(): Promise<void> {
    this.report('total', elapsedMs(this.#startedAt));
    if (!this.#reporter.isSeen) return;
    const { renderTimings } = await import('../../src/report/timings.ts');
    const { columns } = process.stderr as Partial<typeof process.stderr>;
    for (const line of renderTimings(this.#parts, this.#startedAt, columns)) this.#reporter.print(line);
  }

  #take(part: TimedPart): void {
    if (this.#reporter.isSeen) {
      this.#parts.push(part);
      return;
    }
    const { phase, address, outcome, durationMs } = part;
    const attempt = address === undefined || outcome === undefined ? {} : { address, outcome };
    this.#reporter.emit({ event: 'timing', phase, ...attempt, durationMs });
  }

  #reportAttempt(address: string, outcome: string): void {
    const startedAt = this.#attempts.get(address);
    if (startedAt === undefined) return;
    this.#attempts.delete(address);
    const durationMs = elapsedMs(startedAt);
    this.#take({ phase: 'attempt', address, outcome, startedAt, durationMs });
  }
}
