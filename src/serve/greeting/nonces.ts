import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** How long a nonce may be used. */
const lifetimeMs = 5 * 60_000;
/** How many nonces are remembered with what they were used for; the oldest are then too old. */
const rememberedNonces = 10_000;

const randomLength = 8;
const signatureLength = 16;

/**
 * The nonces of Digest: each says when it was made and is signed, so that nothing is kept of those that are only handed
 * out. Of those in use it is remembered how often, so that what was overheard cannot be sent again.
 */
export class Nonces {
  readonly #key: Buffer;
  readonly #now: () => number;
  /** What the clients have counted with each, in the order in which they were first used. */
  readonly #used = new Map<string, Set<number>>();
  /** Nonces made before this one have been forgotten. */
  #forgottenAt = 0;

  /** @param key a secret, the same in all processes that serve the same clients; now: in milliseconds */
  constructor(key: Buffer, now: () => number = Date.now) {
    this.#key = key;
    this.#now = now;
  }

  create(): string {
    const head = Buffer.alloc(6 + randomLength);
    head.writeUIntBE(this.#now(), 0, 6);
    randomBytes(randomLength).copy(head, 6);
    return Buffer.concat([head, this.#sign(head)]).toString('base64url');
  }

  #sign(head: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(head).digest().subarray(0, signatureLength);
  }

  /**
   * Uses a nonce, for an answer that is right in all else.
   *
   * @param count how often the client says that it has used it
   * @returns false: it is not ours, too old, or has been used with this count before
   */
  use(nonce: string, count: number): boolean {
    const madeAt = this.#readTime(nonce);
    const now = this.#now();
    if (madeAt === undefined || now - madeAt > lifetimeMs || madeAt < this.#forgottenAt) return false;
    const counts = this.#used.get(nonce) ?? new Set();
    if (counts.has(count)) return false;
    this.#used.set(nonce, counts.add(count));
    this.#forget(now);
    return true;
  }

  #readTime(nonce: string): number | undefined {
    const bytes = Buffer.from(nonce, 'base64url');
    if (bytes.length !== 6 + randomLength + signatureLength || bytes.toString('base64url') !== nonce)
      return undefined;
    const head = bytes.subarray(0, 6 + randomLength);
    return timingSafeEqual(this.#sign(head), bytes.subarray(head.length)) ? head.readUIntBE(0, 6) : undefined;
  }

  #forget(now: number): void {
    for (const nonce of this.#used.keys()) {
      const madeAt = this.#readTime(nonce) ?? 0;
      const isFull = this.#used.size > rememberedNonces;
      if (!isFull && now - madeAt <= lifetimeMs) return;
      if (isFull) this.#forgottenAt = Math.max(this.#forgottenAt, madeAt + 1);
      this.#used.delete(nonce);
    }
  }
}
