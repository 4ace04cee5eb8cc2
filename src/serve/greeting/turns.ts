/** Work that waits for its turn. */
type Work = () => Promise<void>;

/**
 * Has work done one piece at a time, and takes turns between those who ask for it: whoever asks forty times at once makes
 * somebody else wait for one of his pieces, and not for all.
 */
export class Turns {
  /** Of each, in the order of their turns; one who has nothing waiting is not here. */
  readonly #waiting = new Map<string, Work[]>();
  #isBusy = false;

  /** Settles as `work` does, once it has been its turn. */
  take<Result>(owner: string, work: () => Promise<Result>): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const list = this.#waiting.get(owner) ?? [];
    list.push(() => work().then(resolve, reject));
    this.#waiting.set(owner, list);
    this.#next();
    return promise;
  }

  #next(): void {
    const [turn] = this.#waiting;
    if (this.#isBusy || !turn) return;
    const [owner, list] = turn;
    const work = list.shift();
    // To the end of the row, if anything is left.
    this.#waiting.delete(owner);
    if (list.length > 0) this.#waiting.set(owner, list);
    this.#isBusy = true;
    void work?.().finally(() => {
      this.#isBusy = false;
      this.#next();
    });
  }
}
