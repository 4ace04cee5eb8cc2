import { Transform } from 'node:stream';
import { HoldGate } from './hold-gate.ts';

/** One step of a dialogue: wait for what the peer sends, or send something. */
export type Step =
  /** `pattern` works on bytes as Latin-1 characters; `text` is it as the user wrote it. */
  | { readonly kind: 'expect'; readonly pattern: RegExp; readonly text: string }
  | { readonly kind: 'send'; readonly bytes: Buffer };

/** Why a dialogue did not go through. */
export interface Miss {
  /** Counts from 1. */
  readonly step: number;
  readonly text: string;
  readonly reason: 'timeout' | 'ended';
  /** What came since the last match, at most the last `bufferBytes` of it. */
  readonly received: Buffer;
}

export interface DialogueOptions {
  /** The limit for each step that waits, in milliseconds. */
  readonly stepMs: number;
  readonly onMiss: (miss: Miss) => void;
}

/** How much of what came is kept to be matched: a pattern cannot match more at once. */
const bufferBytes = 64 * 1024;

/**
 * Steps that are gone through before the input is let in, as two transforms of one connection:
 *
 *     input ──▶ gate ──▶ peer ──▶ tap ──▶ output
 *
 * The gate is closed until the last step is done, and sends what the steps send; the tap passes everything on and
 * looks for what they expect. A match uses up what came up to its end; the next step sees only what follows.
 */
export class Dialogue {
  readonly gate = new HoldGate();
  readonly tap: Transform;
  readonly #steps: readonly Step[];
  readonly #options: DialogueOptions;
  #index = 0;
  #received = '';
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(steps: readonly Step[], options: DialogueOptions) {
    this.#steps = steps;
    this.#options = options;
    this.gate.close();
    this.gate.once('close', () => this.#finish());
    this.tap = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        if (!this.#isOver) this.#receive(chunk);
        done(null, chunk);
      },
      flush: (done) => {
        if (!this.#isOver) this.#miss('ended');
        done();
      },
    });
  }

  /** Begins with the first step. */
  start(): void {
    this.#proceed();
  }

  #receive(chunk: Buffer): void {
    this.#received = (this.#received + chunk.toString('latin1')).slice(-bufferBytes);
    this.#proceed();
  }

  /** Goes through the steps as far as what has come allows. */
  #proceed(): void {
    for (let step = this.#steps[this.#index]; step; step = this.#steps[++this.#index]) {
      if (step.kind === 'send') {
        this.gate.push(step.bytes);
        continue;
      }
      const match = step.pattern.exec(this.#received);
      if (!match) {
        this.#timer ??= setTimeout(() => this.#miss('timeout'), this.#options.stepMs);
        return;
      }
      this.#received = this.#received.slice(match.index + match[0].length);
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    this.#finish();
  }

  #miss(reason: Miss['reason']): void {
    const step = this.#steps[this.#index];
    const text = step?.kind === 'expect' ? step.text : '';
    const received = Buffer.from(this.#received, 'latin1');
    this.#finish();
    this.#options.onMiss({ step: this.#index + 1, text, reason, received });
  }

  #finish(): void {
    this.#isOver = true;
    this.#received = '';
    clearTimeout(this.#timer);
    this.gate.open();
  }
}
