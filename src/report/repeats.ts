/** A line that is told once, and what its repeats come to. */
interface Repeated {
  count: number;
  /** Tells the last of them, with a note behind it. */
  tell: (note: string) => void;
}

/**
 * Keeps a line that comes again and again from filling the screen: the first is told at once, those of the same key
 * within `withinMs` after it are counted, and then one line tells the last of them and how many there were: as long as
 * they go on coming, one line every `withinMs`.
 */
export class Repeats {
  readonly #withinMs: number;
  readonly #known = new Map<string, Repeated>();
  #timer: NodeJS.Timeout | undefined;

  constructor(withinMs = 1_000) {
    this.#withinMs = withinMs;
  }

  /** Tells a line, now or later. `tell` gets what is to stand behind it. */
  take(key: string, tell: (note: string) => void): void {
    const known = this.#known.get(key);
    if (known) {
      known.count++;
      known.tell = tell;
      return;
    }
    this.#known.set(key, { count: 0, tell });
    // One clock for all: a line may be counted a little longer than it must be told.
    this.#timer ??= setInterval(() => this.#look(), this.#withinMs).unref();
    tell('');
  }

  /** Tells what has been counted, and forgets all. */
  flush(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const repeated of this.#known.values()) this.#tell(repeated);
    this.#known.clear();
  }

  #look(): void {
    for (const [key, repeated] of this.#known) {
      if (repeated.count === 0) this.#known.delete(key);
      else this.#tell(repeated);
    }
    if (this.#known.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tell(repeated: Repeated): void {
    const { count, tell } = repeated;
    repeated.count = 0;
    if (count === 1) tell('');
    else if (count > 1) tell(` (and ${count} more within ${this.#withinMs / 1000} s)`);
  }
}
