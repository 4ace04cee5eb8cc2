import type { Moved } from '../../../src/serve/ledger.ts';

/** Bytes a second. `sent` went to the client, `received` came from it. */
export interface ConnectionRates {
  readonly sentBytesPerSecond: number;
  readonly receivedBytesPerSecond: number;
}

interface Counted extends Moved {
  readonly id: number;
  /** When it began, as performance.now() tells it. */
  readonly startedAt: number;
}

interface Sample extends Moved {
  readonly at: number;
}

/**
 * How fast connections move bytes. What they have moved is to be noted about once a second: a rate is that of the time
 * since the note before the last one, which is one to two seconds, or since the connection began.
 */
export class Rates {
  #before = new Map<number, Sample>();
  #last = new Map<number, Sample>();

  /** Notes what the open connections have moved by now. */
  note(connections: readonly Counted[], now = performance.now()): void {
    this.#before = this.#last;
    this.#last = new Map(
      connections.map(({ id, sentBytes, receivedBytes }) => [id, { sentBytes, receivedBytes, at: now }]),
    );
  }

  of({ id, startedAt, sentBytes, receivedBytes }: Counted, now = performance.now()): ConnectionRates {
    const { at, ...before } = this.#before.get(id) ?? { sentBytes: 0, receivedBytes: 0, at: startedAt };
    // A connection that has just begun would have a rate of any size.
    const seconds = Math.max(now - at, 1_000) / 1_000;
    return {
      sentBytesPerSecond: Math.round((sentBytes - before.sentBytes) / seconds),
      receivedBytesPerSecond: Math.round((receivedBytes - before.receivedBytes) / seconds),
    };
  }
}
