import { AsyncLocalStorage } from 'node:async_hooks';

export interface EnterOptions {
  /** On performance.now()'s clock. */
  readonly deadline: number;
  readonly signal: AbortSignal;
  /** Its turn has come before: it does not wait for those behind it. Default false. */
  readonly hasBeenIn?: boolean;
}

/** Clients that wait for a target with room. Who has waited longest comes first. */
export class WaitingLine {
  readonly #hasRoom: () => boolean;
  /** Each starts if it can, and says whether it did. */
  readonly #waiting = new Set<() => boolean>();

  /** @param hasRoom whether there is room for anyone */
  constructor(hasRoom: () => boolean) {
    this.#hasRoom = hasRoom;
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  /**
   * Starts as soon as there is room and nobody else comes first.
   *
   * @param start takes the room that there is; undefined: none for this one
   * @returns undefined when the deadline has come first, or the signal
   */
  enter<Started>(
    start: () => Started | undefined,
    { deadline, signal, hasBeenIn = false }: EnterOptions,
  ): Promise<Started | undefined> {
    const started = Promise.withResolvers<Started | undefined>();
    // What it starts belongs to its own client, and not to the one that made room.
    const inside = AsyncLocalStorage.snapshot();
    const attempt = () => {
      const result = inside(start);
      if (result !== undefined) started.resolve(result);
      return result !== undefined;
    };
    if ((this.isEmpty || hasBeenIn) && attempt()) return started.promise;
    const leave = () => {
      this.#waiting.delete(attempt);
      started.resolve(undefined);
    };
    const timer = setTimeout(leave, Math.max(0, deadline - performance.now()));
    signal.addEventListener('abort', leave, { once: true });
    this.#waiting.add(attempt);
    if (signal.aborted) leave();
    this.wake();
    return started.promise.finally(() => {
      clearTimeout(timer);
      signal.removeEventListener('abort', leave);
    });
  }

  /** There may be room now. */
  wake(): void {
    for (const attempt of this.#waiting) {
      if (!this.#hasRoom()) return;
      if (attempt()) this.#waiting.delete(attempt);
    }
  }
}
