import { guarded } from '../../net/guard.ts';

/** What takes the bytes of a stage: the next stage, or the end of the chain. */
export interface Outlet {
  /** Takes bytes, also while it is full. */
  take(chunk: Buffer): void;
  /** Nothing comes any more; `isClose`: because a stage closes the connection. */
  end(isClose: boolean): void;
  readonly isFull: boolean;
}

/** Bytes that wait in a stage, and since when, on performance.now()'s clock. */
export interface Held {
  readonly bytes: Buffer;
  readonly arrivedAt: number;
  /** From -1 to 1, drawn when it came. */
  readonly draw: number;
}

/** How much a stage may hold; then what comes before it waits. */
const heldMost = 64 * 1024;

/**
 * One fault of a chain. It hands on what it is given, in order, when waitMs() says so; its settings may change at any
 * time, and what it holds then goes by the new ones.
 */
export abstract class Stage<Settings> implements Outlet {
  /** Set by the chain. */
  next!: Outlet;
  /** Called when there is room again. Set by the chain. */
  onRoom: () => void = () => undefined;
  protected settings: Settings;
  protected readonly heldMost: number = heldMost;
  protected readonly held: Held[] = [];
  #heldBytes = 0;
  #endedAt: number | undefined;
  #isClose = false;
  #hasHandedEnd = false;
  #wakesWith: NodeJS.Timeout | NodeJS.Immediate | undefined;
  #isPumping = false;
  #isGone = false;

  constructor(settings: Settings) {
    this.settings = settings;
  }

  get isFull(): boolean {
    return this.#heldBytes >= this.heldMost;
  }

  /** Whether the end has gone through: nothing comes here any more. */
  get isOver(): boolean {
    return this.#hasHandedEnd;
  }

  take(chunk: Buffer): void {
    // What comes after a close is not wanted any more.
    if (this.#hasHandedEnd) return;
    this.held.push({ bytes: chunk, arrivedAt: performance.now(), draw: this.draw() });
    this.#heldBytes += chunk.length;
    this.pump();
  }

  end(isClose: boolean): void {
    this.#endedAt ??= performance.now();
    this.#isClose ||= isClose;
    this.pump();
  }

  /** Uses other settings from now on. */
  change(settings: Settings): void {
    this.settings = settings;
    this.changed?.();
    this.pump();
  }

  /** Hands on everything at once: the stage is taken out of the chain. */
  release(): void {
    this.destroy();
    this.#heldBytes = 0;
    // More may come meanwhile from before, since there is room.
    for (let first = this.held.shift(); first; first = this.held.shift()) this.next.take(first.bytes);
    if (this.#endedAt !== undefined) this.#handEnd();
  }

  /** Stops every timer. What is held is dropped with the connection. */
  destroy(): void {
    this.#isGone = true;
    this.#stopWaiting();
  }

  /** Hands on what may go, and waits for the rest. */
  pump(): void {
    // Called by the next stage while it takes something: the loop below goes on by itself.
    if (this.#isPumping || this.#isGone) return;
    this.#isPumping = true;
    this.#stopWaiting();
    const heldBefore = this.#heldBytes;
    this.#handOn();
    this.#isPumping = false;
    if (heldBefore >= this.heldMost && this.#heldBytes < this.heldMost) this.onRoom();
  }

  #handOn(): void {
    for (let first = this.held[0]; first && !this.next.isFull; first = this.held[0]) {
      const waitMs = this.waitMs(first, performance.now());
      if (waitMs !== undefined) return this.#wakeIn(waitMs);
      const bytes = Math.min(this.pieceBytes(first), first.bytes.length);
      // The rest of it has come at the same time.
      if (bytes < first.bytes.length) this.held[0] = { ...first, bytes: first.bytes.subarray(bytes) };
      else this.held.shift();
      this.#heldBytes -= bytes;
      this.next.take(this.convert(first.bytes.subarray(0, bytes)));
      this.handedOn?.(bytes);
      if (this.#isGone) return;
    }
    if (this.held.length > 0 || this.#endedAt === undefined || this.#hasHandedEnd) return;
    const waitMs = this.endWaitMs?.(this.#endedAt, performance.now());
    if (waitMs !== undefined) this.#wakeIn(waitMs);
    else this.#handEnd();
  }

  /** Closes the connection: what has gone through comes first, and what is still held does not come. */
  protected closeHere(): void {
    this.held.length = 0;
    this.#heldBytes = 0;
    this.#isClose = true;
    this.#handEnd();
  }

  #handEnd(): void {
    if (this.#hasHandedEnd) return;
    this.#hasHandedEnd = true;
    this.next.end(this.#isClose);
  }

  #wakeIn(waitMs: number): void {
    if (waitMs === Infinity) return;
    const wake = guarded(() => {
      this.#wakesWith = undefined;
      this.woke?.();
      this.pump();
    });
    this.#wakesWith = waitMs <= 0 ? setImmediate(wake) : setTimeout(wake, Math.ceil(waitMs));
  }

  #stopWaiting(): void {
    clearTimeout(this.#wakesWith as NodeJS.Timeout | undefined);
    clearImmediate(this.#wakesWith as NodeJS.Immediate | undefined);
    this.#wakesWith = undefined;
  }

  /** How long the first of what is held has to wait; undefined: it goes now. 0: after the current turn. */
  protected abstract waitMs(first: Held, now: number): number | undefined;

  /** How much of it goes at once. Default: all. */
  protected pieceBytes(first: Held): number {
    return first.bytes.length;
  }

  /** The same for the end, once nothing is held. Default: it goes now. */
  protected endWaitMs?(endedAt: number, now: number): number | undefined;

  /** What is handed on instead. */
  protected convert(bytes: Buffer): Buffer {
    return bytes;
  }

  /** Called after so many bytes have been handed on. */
  protected handedOn?(bytes: number): void;

  /** Called when a wait is over. */
  protected woke?(): void;

  /** Called when the settings are others, before they have an effect. */
  protected changed?(): void;

  protected draw(): number {
    return 0;
  }
}
