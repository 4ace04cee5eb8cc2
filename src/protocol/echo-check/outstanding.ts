/** How many payloads are remembered, answered or not. An older one is given up. */
export const rememberedPayloads = 65_536;

const [unanswered, answered] = [1, 2];

/** What an answer is to the payloads that were sent. */
export type AnswerKind =
  | { readonly kind: 'first'; readonly sentAt: number }
  | { readonly kind: 'again' }
  /** Never sent, or too long ago. */
  | { readonly kind: 'unknown' };

/** Which payloads have been sent, when, and which of them have come back; in a fixed amount of memory. */
export class Outstanding {
  /** The number of the next payload: how many have been sent. */
  next = 0;
  /** How many have come back. */
  answered = 0;
  readonly #sentAt = new Float64Array(rememberedPayloads);
  readonly #states = new Uint8Array(rememberedPayloads);
  /** Before this one there is nothing to wait for. */
  #oldest = 0;

  /** Notes that the next payload is sent now, and gives its number. */
  add(now: number): number {
    const sequence = this.next++;
    this.#sentAt[sequence % rememberedPayloads] = now;
    this.#states[sequence % rememberedPayloads] = unanswered;
    this.#oldest = Math.max(this.#oldest, this.next - rememberedPayloads);
    return sequence;
  }

  answer(sequence: number): AnswerKind {
    const isKnown = sequence < this.next && sequence >= this.next - rememberedPayloads && sequence >= 0;
    if (!isKnown) return { kind: 'unknown' };
    const place = sequence % rememberedPayloads;
    if (this.#states[place] === answered) return { kind: 'again' };
    this.#states[place] = answered;
    this.answered++;
    return { kind: 'first', sentAt: this.#sentAt[place] ?? 0 };
  }

  /** How many may still be on their way, when one that was sent longer ago than `lifeMs` no longer is. */
  inFlight(now: number, lifeMs: number): number {
    while (this.#oldest < this.next && !this.#isAwaited(this.#oldest, now, lifeMs)) this.#oldest++;
    return this.next - this.#oldest;
  }

  /** How many have not come back and were sent less than `lifeMs` ago. */
  pending(now: number, lifeMs: number): number {
    let count = 0;
    for (let one = Math.max(0, this.next - rememberedPayloads); one < this.next; one++) {
      if (this.#isAwaited(one, now, lifeMs)) count++;
    }
    return count;
  }

  /** The number whose lowest 32 bits these are, nearest before the next one. */
  widen(bits: number): number {
    const behind = (this.next - bits) % 2 ** 32;
    return this.next - (behind > 0 ? behind : behind + 2 ** 32);
  }

  #isAwaited(sequence: number, now: number, lifeMs: number): boolean {
    const place = sequence % rememberedPayloads;
    return this.#states[place] === unanswered && now - (this.#sentAt[place] ?? 0) < lifeMs;
  }
}
