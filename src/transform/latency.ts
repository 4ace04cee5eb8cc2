import { Transform, type TransformCallback } from 'node:stream';
import { drawWithin, type Random } from './random.ts';
import { guarded } from '../net/guard.ts';

/** How many bytes may be under way; then the source waits, as on a line whose window is full. */
const underWayBytes = 4 * 1024 * 1024;

export interface LatencyOptions {
  /** Milliseconds that each chunk takes, and how far one may differ from it. */
  readonly delayMs: { readonly mean: number; readonly spread: number };
  readonly random: Random;
}

/** A line on which everything takes its time, the end too. Nothing overtakes: the order stays. */
export class Latency extends Transform {
  readonly #options: LatencyOptions;
  /** On its way, in order; `done` instead of bytes stands for the end. */
  readonly #line: { readonly dueAt: number; readonly chunk?: Buffer; readonly done?: TransformCallback }[] =
    [];
  #lineBytes = 0;
  #lastDueAt = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Set while the line is full: lets the next chunk in. */
  #admit: TransformCallback | undefined;
  /** Set while the reader wants no more. */
  #isBlocked = false;

  constructor(options: LatencyOptions) {
    super();
    this.#options = options;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#line.push({ dueAt: this.#drawDueAt(), chunk });
    this.#lineBytes += chunk.length;
    if (this.#lineBytes < underWayBytes) done();
    else this.#admit = done;
    this.#arm();
  }

  override _flush(done: TransformCallback): void {
    this.#line.push({ dueAt: this.#drawDueAt(), done });
    this.#arm();
  }

  override _read(size: number): void {
    this.#isBlocked = false;
    super._read(size);
    this.#arm();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    done(error);
  }

  #drawDueAt(): number {
    const { delayMs, random } = this.#options;
    this.#lastDueAt = Math.max(this.#lastDueAt, performance.now() + drawWithin(delayMs, random));
    return this.#lastDueAt;
  }

  #arm(): void {
    const [next] = this.#line;
    if (this.#timer || !next || this.#isBlocked) return;
    this.#timer = setTimeout(
      guarded(() => this.#deliver()),
      Math.max(0, Math.ceil(next.dueAt - performance.now())),
    );
  }

  #deliver(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (
      let next = this.#line[0];
      next && next.dueAt <= now + 0.5 && !this.#isBlocked;
      next = this.#line[0]
    ) {
      this.#line.shift();
      if (next.done) return next.done();
      if (!next.chunk) continue;
      this.#lineBytes -= next.chunk.length;
      this.#isBlocked = !this.push(next.chunk);
    }
    if (this.#lineBytes < underWayBytes) {
      const admit = this.#admit;
      this.#admit = undefined;
      admit?.();
    }
    this.#arm();
  }
}
