import { ByteCorruption } from '../corrupt.ts';
import { drawWithin, type Random } from '../random.ts';
import type { Fault } from './fault.ts';
import { Stage, type Held } from './stage.ts';

type Of<Kind extends Fault['kind']> = Fault & { readonly kind: Kind };

/** Timers are up to a millisecond early or late. */
const roundingMs = 0.5;

/** Each chunk and the end wait; none overtakes the one before it. */
export class LatencyStage extends Stage<Of<'latency'>> {
  /** So many bytes are under way, as on a line whose window is full. */
  protected override readonly heldMost = 4 * 1024 * 1024;
  readonly #random: Random;
  readonly #endDraw: number;

  constructor(settings: Of<'latency'>, random: Random) {
    super(settings);
    this.#random = random;
    this.#endDraw = this.draw();
  }

  protected override draw(): number {
    return this.#random() * 2 - 1;
  }

  protected override waitMs({ arrivedAt, draw }: Held, now: number): number | undefined {
    return this.#leftOf(arrivedAt, draw, now);
  }

  protected override endWaitMs(endedAt: number, now: number): number | undefined {
    return this.#leftOf(endedAt, this.#endDraw, now);
  }

  #leftOf(arrivedAt: number, draw: number, now: number): number | undefined {
    const { delayMs, jitterMs = 0 } = this.settings;
    const leftMs = arrivedAt + Math.max(0, delayMs + draw * jitterMs) - now;
    return leftMs > roundingMs ? leftMs : undefined;
  }
}

/** How late a timer may be for its lateness still to be made up for: beyond it the line counts as idle. */
const makeGoodMs = 20;
/** How many pieces a second are sent: the smaller the pieces, the smoother the line. */
const piecesPerSecond = 100;

/** n bytes leave n / rate seconds after they began to be carried, and no sooner. */
export class BandwidthStage extends Stage<Of<'bandwidth'>> {
  /** When the line has carried what it was given, on performance.now()'s clock. */
  #freeAt = 0;
  /** When it began to carry the first of what is held. */
  #startedAt: number | undefined;

  protected override waitMs(first: Held, now: number): number | undefined {
    if (this.settings.bytesPerSecond === 0) return Infinity;
    this.#startedAt ??= Math.max(this.#freeAt, now - makeGoodMs);
    const leftMs = this.#dueAt(first) - now;
    return leftMs > roundingMs ? leftMs : undefined;
  }

  protected override pieceBytes({ bytes }: Held): number {
    return Math.min(bytes.length, Math.ceil(this.settings.bytesPerSecond / piecesPerSecond));
  }

  protected override handedOn(bytes: number): void {
    this.#freeAt = (this.#startedAt ?? 0) + (bytes * 1000) / this.settings.bytesPerSecond;
    this.#startedAt = undefined;
  }

  #dueAt(first: Held): number {
    return (this.#startedAt ?? 0) + (this.pieceBytes(first) * 1000) / this.settings.bytesPerSecond;
  }
}

/** Cuts by the position in the stream, so that the same seed cuts at the same bytes. */
export class SliceStage extends Stage<Of<'slice'>> {
  readonly #random: Random;
  /** Bytes until the next cut. */
  #left: number;
  /** Whether the next piece has to wait until this one has been given to the system. */
  #mustWait = false;
  #handedAt = 0;

  constructor(settings: Of<'slice'>, random: Random) {
    super(settings);
    this.#random = random;
    this.#left = this.#drawSize();
  }

  protected override waitMs(_first: Held, now: number): number | undefined {
    const { delayMs = 0 } = this.settings;
    const leftMs = this.#handedAt + delayMs - now;
    if (this.#handedAt > 0 && leftMs > roundingMs) return leftMs;
    return this.#mustWait ? 0 : undefined;
  }

  protected override pieceBytes(): number {
    return this.#left;
  }

  protected override handedOn(bytes: number): void {
    this.#left -= bytes;
    if (this.#left <= 0) this.#left = this.#drawSize();
    this.#mustWait = true;
    this.#handedAt = performance.now();
  }

  protected override woke(): void {
    this.#mustWait = false;
  }

  protected override changed(): void {
    this.#left = this.#drawSize();
  }

  #drawSize(): number {
    const { bytes, variationBytes = 0 } = this.settings;
    return Math.max(1, Math.round(drawWithin({ mean: bytes, spread: variationBytes }, this.#random)));
  }
}

/** Replaces bytes as they pass. */
export class CorruptStage extends Stage<Of<'corrupt'>> {
  readonly #random: Random;
  #corruption: ByteCorruption;

  constructor(settings: Of<'corrupt'>, random: Random) {
    super(settings);
    this.#random = random;
    this.#corruption = new ByteCorruption(settings.share, random);
  }

  protected override waitMs(): undefined {
    return undefined;
  }

  protected override convert(bytes: Buffer): Buffer {
    return this.#corruption.apply(bytes);
  }

  protected override changed(): void {
    this.#corruption = new ByteCorruption(this.settings.share, this.#random);
  }
}
