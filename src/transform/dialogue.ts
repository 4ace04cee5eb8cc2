import { Transform, type TransformCallback } from 'node:stream';
import { ByteMatcher } from './byte-matcher.ts';
import type { Program } from './byte-pattern.ts';
import { guarded } from '../net/guard.ts';

/** Passes bytes on, or holds them back while it is closed: what arrives then waits in the streams before it. */
export class HoldGate extends Transform {
  #isClosed = false;
  #waiting: (() => void) | undefined;

  close(): void {
    this.#isClosed = true;
  }

  open(): void {
    this.#isClosed = false;
    const go = this.#waiting;
    this.#waiting = undefined;
    go?.();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#whenOpen(() => done(null, chunk));
  }

  override _flush(done: TransformCallback): void {
    this.#whenOpen(done);
  }

  #whenOpen(action: () => void): void {
    if (this.#isClosed) this.#waiting = action;
    else action();
  }
}

/** One step of a dialogue: wait for what the peer sends, or send something. */
export type Step =
  /** `text` is the pattern as the user wrote it. */
  | { readonly kind: 'expect'; readonly pattern: Program; readonly text: string }
  | { readonly kind: 'send'; readonly bytes: Buffer };

/** Why a dialogue failed. */
export interface Miss {
  /** Counts from 1. */
  readonly step: number;
  readonly text: string;
  readonly reason: 'timeout' | 'ended';
  /** What arrived since the last match, at most the last `keptBytes` of it. */
  readonly received: Buffer;
}

export interface DialogueOptions {
  /** The limit for each step that waits, in milliseconds. */
  readonly stepMs: number;
  /** Called when the last step is done. */
  readonly onDone?: () => void;
  readonly onMiss: (miss: Miss) => void;
}

/** How much of what arrived is kept to be reported when nothing matches. */
const keptBytes = 64 * 1024;

const nothing = Buffer.alloc(0);

/**
 * Steps that are carried out before the input is let in, as two transforms of one connection:
 *
 *     input ──▶ gate ──▶ peer ──▶ tap ──▶ output
 *
 * The gate is closed until the last step is done, and sends what the steps send; the tap passes everything on and
 * looks for what they expect. A match consumes what arrived up to its end, which is the earliest possible one (see
 * ByteMatcher); the next step sees only what follows.
 */
export class Dialogue {
  readonly gate = new HoldGate();
  readonly tap: Transform;
  readonly #steps: readonly Step[];
  readonly #options: DialogueOptions;
  #index = 0;
  /** Looks for the pattern of the step that waits. */
  #matcher: ByteMatcher | undefined;
  /** The last byte that a step has consumed. */
  #previous: number | undefined;
  /** What has arrived since, and how many bytes that is. */
  #heard: Buffer[] = [];
  #heardBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(steps: readonly Step[], options: DialogueOptions) {
    this.#steps = steps;
    this.#options = options;
    this.gate.close();
    this.gate.once('close', () => this.#finish());
    this.tap = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        if (!this.#isOver) this.#proceed(chunk);
        done(null, chunk);
      },
      flush: (done) => {
        if (!this.#isOver) this.#receiveEnd();
        done();
      },
    });
  }

  /** Begins with the first step. */
  start(): void {
    this.#proceed(nothing);
  }

  /** Carries out the steps as far as what has arrived allows. */
  #proceed(chunk: Buffer): void {
    let rest = chunk;
    for (let step = this.#steps[this.#index]; step; step = this.#steps[this.#index]) {
      if (step.kind === 'send') {
        this.gate.push(step.bytes);
        this.#index++;
        continue;
      }
      this.#matcher ??= new ByteMatcher(step.pattern, this.#previous);
      const used = this.#matcher.push(rest);
      if (used === undefined) {
        this.#hear(rest);
        this.#timer ??= setTimeout(
          guarded(() => this.#miss('timeout')),
          this.#options.stepMs,
        );
        return;
      }
      rest = rest.subarray(used);
      this.#complete(this.#matcher);
    }
    this.#finish();
    this.#options.onDone?.();
  }

  /** The peer's end also ends an unfinished line. */
  #receiveEnd(): void {
    while (this.#matcher?.end()) {
      this.#complete(this.#matcher);
      this.#proceed(nothing);
    }
    if (!this.#isOver) this.#miss('ended');
  }

  /** The waiting step is done. */
  #complete({ previous }: ByteMatcher): void {
    this.#index++;
    this.#matcher = undefined;
    this.#previous = previous;
    this.#heard = [];
    this.#heardBytes = 0;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #hear(bytes: Buffer): void {
    this.#heard.push(bytes);
    this.#heardBytes += bytes.length;
    for (
      let [first] = this.#heard;
      first && this.#heardBytes - first.length >= keptBytes;
      [first] = this.#heard
    ) {
      this.#heard.shift();
      this.#heardBytes -= first.length;
    }
  }

  #miss(reason: Miss['reason']): void {
    const step = this.#steps[this.#index];
    const text = step?.kind === 'expect' ? step.text : '';
    const received = Buffer.concat(this.#heard).subarray(-keptBytes);
    this.#finish();
    this.#options.onMiss({ step: this.#index + 1, text, reason, received });
  }

  #finish(): void {
    this.#isOver = true;
    this.#heard = [];
    this.#matcher = undefined;
    clearTimeout(this.#timer);
    this.gate.open();
  }
}
