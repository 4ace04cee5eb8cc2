import type { Rate } from '../quantities.ts';

/** How many clients are remembered; beyond it, those whose allowance is full again are forgotten. */
const rememberedClients = 10_000;

/** A token bucket for every client: `count` at once, and `count` more in every `perMs`. */
export class RateLimit {
  readonly #rate: Rate;
  /** The moment at which a client's allowance is full again. */
  readonly #fullAt = new Map<string, number>();

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /**
   * Takes one from the client's allowance, if there is one left.
   *
   * @param now milliseconds, never going back
   */
  take(client: string, now: number): boolean {
    const { count, perMs } = this.#rate;
    const fullAt = Math.max(this.#fullAt.get(client) ?? 0, now);
    const next = fullAt + perMs / count;
    // A little is allowed for the rounding of sums of fractions.
    if (next - now > perMs + 1e-6) return false;
    this.#fullAt.delete(client);
    this.#fullAt.set(client, next);
    if (this.#fullAt.size > rememberedClients) this.#forget(now);
    return true;
  }

  /** Clients are kept in the order of their last connection. */
  #forget(now: number): void {
    for (const [client, fullAt] of this.#fullAt) {
      if (fullAt <= now || this.#fullAt.size > rememberedClients * 2) this.#fullAt.delete(client);
    }
  }
}
