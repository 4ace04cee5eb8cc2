import { guarded } from '../../net/guard.ts';
import type { ConnectionActions, Fault } from './fault.ts';
import { Stage, type Held } from './stage.ts';

type Of<Kind extends Fault['kind']> = Fault & { readonly kind: Kind };

/** The end comes later. */
export class SlowCloseStage extends Stage<Of<'slow-close'>> {
  protected override waitMs(): undefined {
    return undefined;
  }

  protected override endWaitMs(endedAt: number, now: number): number | undefined {
    const leftMs = endedAt + this.settings.delayMs - now;
    return leftMs > 0 ? leftMs : undefined;
  }
}

/** Closes the connection after a number of bytes. What is more is held until then. */
export class LimitStage extends Stage<Of<'limit'>> {
  #passed = 0;

  protected override waitMs(): number | undefined {
    if (this.#passed < this.settings.bytes) return undefined;
    this.closeHere();
    return Infinity;
  }

  protected override pieceBytes({ bytes }: Held): number {
    return Math.min(bytes.length, this.settings.bytes - this.#passed);
  }

  protected override handedOn(bytes: number): void {
    this.#passed += bytes;
    if (this.#passed >= this.settings.bytes) this.closeHere();
  }
}

/** Acts once after a time, which may be changed until then. */
class Alarm {
  readonly #act: () => void;
  readonly #startedAt = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(act: () => void) {
    this.#act = act;
  }

  /** @param afterMs since the alarm was made */
  set(afterMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(guarded(this.#act), Math.max(0, this.#startedAt + afterMs - performance.now()));
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}

/** Drops every byte, and closes the connection after a time. */
export class TimeoutStage extends Stage<Of<'timeout'>> {
  readonly #alarm = new Alarm(() => this.closeHere());

  constructor(settings: Of<'timeout'>) {
    super(settings);
    this.changed();
  }

  override take(): void {
    return undefined;
  }

  protected override changed(): void {
    const { afterMs } = this.settings;
    if (afterMs > 0) this.#alarm.set(afterMs);
    else this.#alarm.clear();
  }

  protected override waitMs(): undefined {
    return undefined;
  }

  /** Bytes may be missing: the stream cannot go on. */
  override release(): void {
    this.closeHere();
    super.release();
  }

  override destroy(): void {
    this.#alarm.clear();
    super.destroy();
  }
}

/** Resets the connection after a time. */
export class ResetStage extends Stage<Of<'reset'>> {
  readonly #reset: () => void;
  #alarm: Alarm | undefined;

  constructor(settings: Of<'reset'>, { reset }: ConnectionActions) {
    super(settings);
    this.#reset = reset;
    if (settings.from !== 'first-byte') this.#start();
  }

  override take(chunk: Buffer): void {
    if (!this.#alarm) this.#start();
    super.take(chunk);
  }

  protected override changed(): void {
    this.#alarm?.set(this.settings.afterMs);
  }

  /** The bytes are held, and not dropped: the fault may be removed before its time. */
  protected override waitMs(): number | undefined {
    return this.settings.from === 'first-byte' ? Infinity : undefined;
  }

  override destroy(): void {
    this.#alarm?.clear();
    super.destroy();
  }

  #start(): void {
    this.#alarm = new Alarm(this.#reset);
    this.#alarm.set(this.settings.afterMs);
  }
}

/** Takes every byte and the end, and passes nothing on: the line is dead, and neither side notices. */
export class BlackholeStage extends Stage<Of<'blackhole'>> {
  readonly #reset: () => void;
  #hasDropped = false;

  constructor(settings: Of<'blackhole'>, { reset }: ConnectionActions) {
    super(settings);
    this.#reset = reset;
  }

  override take(): void {
    this.#hasDropped = true;
  }

  protected override waitMs(): undefined {
    return undefined;
  }

  protected override endWaitMs(): number {
    return Infinity;
  }

  /** A stream with a gap must not look complete. */
  override release(): void {
    if (this.#hasDropped) this.#reset();
    super.release();
  }
}
