/** Questions to workers that have not been answered yet. */
export class OpenQuestions<Worker> {
  readonly #open = new Map<number, { readonly worker: Worker; readonly settle: (answer: unknown) => void }>();
  #last = 0;

  /**
   * Asks a worker. Settles with its answer, or with undefined when it is gone or has let the time limit pass.
   *
   * @param send sends the question under this number
   * @param limitMs default: no limit
   */
  async ask(worker: Worker, send: (ask: number) => void, limitMs?: number): Promise<unknown> {
    const ask = ++this.#last;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.#open.set(ask, { worker, settle: resolve });
    const timer = limitMs === undefined ? undefined : setTimeout(resolve, limitMs, undefined);
    send(ask);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#open.delete(ask);
    }
  }

  settle(ask: number, answer: unknown): void {
    this.#open.get(ask)?.settle(answer);
  }

  /** The worker is gone: what it has been asked stays without an answer. */
  giveUp(worker: Worker): void {
    for (const asked of this.#open.values()) if (asked.worker === worker) asked.settle(undefined);
  }
}
