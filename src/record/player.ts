import { Duplex } from 'node:stream';
import { longestDelayMs } from '../quantities.ts';
import { Comparison, opposite, type Script, type Side } from './script.ts';

export interface PlayerOptions {
  readonly script: Script;
  /** Whose part is played; the other side's is compared. */
  readonly side: Side;
  /** How many times faster than it was recorded; Infinity: as fast as the peer allows. */
  readonly pace: number;
  /** How long after its time the peer may let itself be waited for, in milliseconds. Default: for ever. */
  readonly patienceMs?: number | undefined;
}

type Callback = (error?: Error | null) => void;

/**
 * One side of a recorded connection, as a stream to be joined to the other: what is read from it is what that side
 * sent, and what is written to it is compared with what the other side sent then.
 *
 * It does nothing before the peer has done what it did before that in the recording, by the number of bytes, and
 * nothing before its time at the pace that was asked for. Where the peer is late, all that follows is later.
 */
export class Player extends Duplex {
  /** Whether somebody has begun to read it. */
  hasBegun = false;
  /** Settles when the part is played: the first difference, or undefined when all was as recorded. Never rejects. */
  readonly played: Promise<string | undefined>;
  readonly #options: PlayerOptions;
  readonly #comparison: Comparison;
  readonly #startedAt = performance.now();
  /** How late everything is, because the peer was. */
  #lateMs = 0;
  #next = 0;
  /** How many bytes the peer has sent by the step that is next. */
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

  /** Plays as far as it goes now. */
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

  /** A peer that has ended does no more; a break is not waited for: it may come by way of an error. */
  #hasPeerDone(step: Script['steps'][number]): boolean {
    if (this.#hasPeerEnded) return true;
    if ('bytes' in step) return this.#comparison.receivedBytes >= this.#dueBytes + step.bytes.length;
    return step.end === 'reset';
  }

  #end(): void {
    if (!this.#hasEnded) this.push(null);
    this.#hasEnded = true;
  }

  /** Breaks off, when what was given before has been taken: as a reset, or as a close where none was recorded. */
  #breakOff(how: 'reset' | 'close'): void {
    if (this.readableLength > 0) return this.#waitUntil(drainLookMs);
    this.#settle(this.#comparison.difference);
    const error = how === 'reset' ? new Error('the recording breaks off here') : undefined;
    this.destroy(error && Object.assign(error, { code: 'ECONNRESET' }));
  }

  /** All is played. Where the recording does not have the peer's end, it is not waited for. */
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

/** How soon it is looked again whether the last bytes before a break have been taken. */
const drainLookMs = 1;
