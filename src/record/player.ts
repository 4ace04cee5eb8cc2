import { Duplex } from 'node:stream';
import { longestDelayMs } from '../quantities.ts';
import { Comparison, opposite, type Script, type Side } from './script.ts';

export interface PlayerOptions {
  readonly script: Script;
  /** The side that is played; the other side is compared. */
  readonly side: Side;
  /** How many times faster than it was recorded; Infinity: as fast as the peer allows. */
  readonly pace: number;
  /** How long after its time to wait for the peer, in milliseconds. Default: for ever. */
  readonly patienceMs?: number | undefined;
}

type Callback = (error?: Error | null) => void;

/**
 * One side of a recorded connection, as a stream to be joined to the other: reading from it gives what that side
 * sent, and what is written to it is compared with what the other side sent.
 *
 * Each step waits until the peer has done what it did before that step in the recording, by the number of bytes,
 * and for its time at the pace that was asked for. When the peer is late, all that follows is later.
 */
export class Player extends Duplex {
  /** Whether reading from it has begun. */
  hasBegun = false;
  /** Settles when the part is played: the first difference, or undefined when all was as recorded. Never rejects. */
  readonly played: Promise<string | undefined>;
  readonly #options: PlayerOptions;
  readonly #comparison: Comparison;
  readonly #startedAt = performance.now();
  /** How late everything is, because the peer was. */
  #lateMs = 0;
  #next = 0;
  /** How many bytes the peer has sent in the recording before the next step. */
  #dueBytes = 0;
  #hasPeerEnded = false;
  #hasEnded = false;
  #isWanted = false;
  #timer: NodeJS.Timeout | undefined;
  #patience: NodeJS.Timeout | undefined;
  #settle!: (difference: string | undefined) => void;

  constructor(options: PlayerOptions) {
    super({ autoDestroy: false });
    this.#options = options;
    this.#comparison = new Comparison(options.script, opposite(options.side));
    this.played = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  override _read(): void {
    this.hasBegun = true;
    this.#isWanted = true;
    this.#advance();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Callback): void {
    this.#comparison.take(chunk);
    done();
    this.#advance();
  }

  override _final(done: Callback): void {
    this.#hasPeerEnded = true;
    this.#comparison.end('eof');
    done();
    this.#advance();
  }

  override _destroy(error: Error | null, done: Callback): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#patience);
    if (!this.#hasPeerEnded) this.#comparison.end('reset');
    this.#settle(this.#comparison.difference);
    done(error);
  }

  /** Plays as far as possible now. */
  #advance(): void {
    if (this.destroyed) return;
    clearTimeout(this.#timer);
    clearTimeout(this.#patience);
    const { script, side } = this.#options;
    for (;;) {
      const step = script.steps[this.#next];
      if (!step) return this.#finish();
      const waitMs = this.#dueAt(step.atMicros) - performance.now();
      if (step.side !== side) {
        if (!this.#hasPeerDone(step)) return this.#waitForPeer(waitMs);
        if ('bytes' in step) this.#dueBytes += step.bytes.length;
        if (waitMs < 0) this.#lateMs -= waitMs;
        this.#next++;
      } else {
        if (waitMs >= 1) return this.#waitUntil(waitMs);
        if (!this.#isWanted) return;
        if ('end' in step && step.end === 'reset') return this.#breakOff('reset');
        this.#next++;
        if ('bytes' in step) this.#isWanted = this.push(step.bytes);
        else this.#end();
      }
    }
  }

  #dueAt(atMicros: number): number {
    const { script, pace } = this.#options;
    return this.#startedAt + this.#lateMs + (atMicros - script.openedMicros) / 1000 / pace;
  }

  /** A peer that has ended does nothing more; a break is not waited for: it may arrive as an error. */
  #hasPeerDone(step: Script['steps'][number]): boolean {
    if (this.#hasPeerEnded) return true;
    if ('bytes' in step) return this.#comparison.receivedBytes >= this.#dueBytes + step.bytes.length;
    return step.end === 'reset';
  }

  #end(): void {
    if (!this.#hasEnded) this.push(null);
    this.#hasEnded = true;
  }

  /**
   * Breaks off, once what was delivered before has been taken: with a reset, or with a close if none was recorded.
   */
  #breakOff(how: 'reset' | 'close'): void {
    if (this.readableLength > 0) return this.#waitUntil(drainLookMs);
    this.#settle(this.#comparison.difference);
    const error = how === 'reset' ? new Error('the recording breaks off here') : undefined;
    this.destroy(error && Object.assign(error, { code: 'ECONNRESET' }));
  }

  /** Everything has been played. If the recording does not have the peer's end, it is not waited for. */
  #finish(): void {
    if (!this.#hasPeerEnded) return this.#breakOff('close');
    this.#end();
    this.#settle(this.#comparison.difference);
  }

  #waitUntil(waitMs: number): void {
    this.#timer = setTimeout(() => this.#advance(), Math.min(waitMs, longestDelayMs));
  }

  /** Waits for what the peer did in the recording `dueMs` from now. */
  #waitForPeer(dueMs: number): void {
    const { patienceMs } = this.#options;
    if (patienceMs === undefined) return;
    this.#patience = setTimeout(
      () => {
        this.#comparison.end('silence');
        this.#breakOff('close');
      },
      Math.min(patienceMs + Math.max(0, dueMs), longestDelayMs),
    );
  }
}

/** How soon to check again whether the last bytes before a break have been taken. */
const drainLookMs = 1;
