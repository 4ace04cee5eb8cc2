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

/** A line on which everything is delayed, including the end. Nothing overtakes: the order stays. */
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

/** How late a timer may be for its lateness still to be made up for: beyond it the line counts as idle. */
const makeGoodMs = 20;

/** How many pieces a second are sent: the smaller the pieces, the smoother the line. */
const piecesPerSecond = 100;

/** A line with a limited rate: n bytes leave it n / rate seconds after they arrived, and no sooner. */
export class Bandwidth extends Transform {
  readonly #bytesPerMs: number;
  readonly #pieceBytes: number;
  /** When the line has carried what it was given, on performance.now()'s clock. */
  #freeAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(bytesPerSecond: number) {
    super();
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#pieceBytes = Math.max(1, Math.ceil(bytesPerSecond / piecesPerSecond));
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#carry(chunk, 0, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    done(error);
  }

  #carry(chunk: Buffer, from: number, done: TransformCallback): void {
    if (from >= chunk.length) return done();
    const piece = chunk.subarray(from, from + this.#pieceBytes);
    const now = performance.now();
    this.#freeAt = Math.max(this.#freeAt, now - makeGoodMs) + piece.length / this.#bytesPerMs;
    const send = () => {
      this.push(piece);
      this.#carry(chunk, from + piece.length, done);
    };
    const waitMs = this.#freeAt - now;
    if (waitMs < 1) setImmediate(guarded(() => this.destroyed || send()));
    else this.#timer = setTimeout(guarded(send), waitMs);
  }
}

export interface SliceOptions {
  /** Bytes of a piece, and how far one may differ from it. */
  readonly sizeBytes: { readonly mean: number; readonly spread: number };
  /** Milliseconds between two pieces. 0: each goes as soon as the one before it has been given to the system. */
  readonly delayMs: number;
  readonly random: Random;
}

/**
 * Cuts the stream into small pieces, each written on its own. Where it is cut depends on the position in the stream
 * and not on the chunks it arrives in (apart from their own boundaries), so that the same seed cuts at the same
 * bytes.
 */
export class Slice extends Transform {
  readonly #options: SliceOptions;
  /** Bytes until the next cut. */
  #left: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SliceOptions) {
    super();
    this.#options = options;
    this.#left = this.#drawSize();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#cut(chunk, 0, done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    done(error);
  }

  #drawSize(): number {
    return Math.max(1, Math.round(drawWithin(this.#options.sizeBytes, this.#options.random)));
  }

  #cut(chunk: Buffer, from: number, done: TransformCallback): void {
    const piece = chunk.subarray(from, from + this.#left);
    this.#left -= piece.length;
    if (this.#left === 0) this.#left = this.#drawSize();
    this.push(piece);
    const next = from + piece.length;
    const go = () => {
      if (this.destroyed) return;
      if (next < chunk.length) this.#cut(chunk, next, done);
      else done();
    };
    const { delayMs } = this.#options;
    if (delayMs > 0) this.#timer = setTimeout(guarded(go), delayMs);
    else setImmediate(guarded(go));
  }
}
