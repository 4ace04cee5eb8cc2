import { elapsedMs, roundMs } from '../../src/quantities.ts';
import { Transform } from 'node:stream';
import { errorCode } from '../../src/errors.ts';
import { isIP } from '../../src/address/ip.ts';
import type { TimingPhase } from '../../src/report/events.ts';
import type { Reporter } from '../../src/report/reporter.ts';

/** Measures the parts of a run and reports each when it is over (`--timing`). */
export class Timing {
  readonly #reporter: Reporter;
  readonly #startedAt = performance.now();
  #triedAt = this.#startedAt;
  #connectedAt = this.#startedAt;
  /** When each attempt that is still open began, by its address. */
  readonly #attempts = new Map<string, number>();

  constructor(reporter: Reporter) {
    this.#reporter = reporter;
  }

  /** A part that somebody else has measured: `tls`. */
  report(phase: TimingPhase, durationMs: number): void {
    this.#reporter.emit({ event: 'timing', phase, durationMs: roundMs(durationMs) });
  }

  /** A new try to connect begins: its lookup is measured from here. */
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

  finished(): void {
    this.report('total', elapsedMs(this.#startedAt));
  }

  #reportAttempt(address: string, outcome: string): void {
    const startedAt = this.#attempts.get(address);
    if (startedAt === undefined) return;
    this.#attempts.delete(address);
    const durationMs = elapsedMs(startedAt);
    this.#reporter.emit({ event: 'timing', phase: 'attempt', address, outcome, durationMs });
  }
}
