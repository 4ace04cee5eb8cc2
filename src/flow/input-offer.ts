import { once } from 'node:events';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';

/** How long a client must have been there before it is given anything: who only looks is gone by then, or has ended its side. */
const arrivalMs = 100;

/** How long after the end of its side. A client that has closed looks like one that only has nothing to say. */
const endedMs = 400;

/** How much is read for a client of which it is not known whether it stays. */
const firstBytes = 16 * 1024;

/**
 * An input that is for the first client that takes it. A client that leaves without having taken a byte, as a port check
 * does, loses nothing of it: what was read for it, and all the rest, is the next one's.
 */
export class InputOffer {
  readonly #input: Readable;
  #holder: InputClaim | undefined;
  #first: Promise<Buffer | null> | undefined;
  #isTaken = false;
  #taker: Readable | undefined;

  constructor(input: Readable) {
    this.#input = input;
  }

  /**
   * Offers the input to a client. Undefined when it is another one's. One that has ended its side, and been given nothing
   * yet, gives way to the next one that stays.
   *
   * @param whenTaken settles once the client has what was written to it from now on (true), or is gone (false)
   */
  offer(whenTaken: () => Promise<boolean>): InputClaim | undefined {
    const holder = this.#holder;
    if (this.#isTaken || (holder && !holder.mayGiveWay)) return undefined;
    const claim = new InputClaim(this, whenTaken);
    if (holder) void delay(arrivalMs).then(() => this.#choose(claim));
    else this.#setHolder(claim);
    return claim;
  }

  /** The claim is over. Returns whether the input is to be had again. */
  leave(claim: InputClaim): boolean {
    if (this.#holder === claim) this.#holder = undefined;
    return !this.#isTaken;
  }

  /** The input itself, for a client that cannot give it back. Undefined when it is another one's. */
  takeWhole(): Readable | undefined {
    if (this.#isTaken || this.#holder) return undefined;
    this.#isTaken = true;
    this.#taker = this.#input;
    return this.#input;
  }

  /** Whether somebody has it. */
  get isTaken(): boolean {
    return this.#isTaken;
  }

  /** Whether the input has gone to who got this stream. */
  isTakenBy(stream: Readable): boolean {
    return this.#taker === stream;
  }

  /** What comes first; it stays the first until somebody has it. Null: the input is empty. */
  first(): Promise<Buffer | null> {
    return (this.#first ??= this.#pull(firstBytes));
  }

  /** What comes next. Null: the end. */
  next(): Promise<Buffer | null> {
    return this.#pull();
  }

  /** The holder has the first bytes: the rest is its own too. */
  take({ stream }: InputClaim): void {
    this.#isTaken = true;
    this.#taker = stream;
    this.#first = undefined;
  }

  #setHolder(claim: InputClaim): void {
    this.#holder = claim;
    void claim.start();
  }

  /** A second client came while the first had ended its side. */
  #choose(claim: InputClaim): void {
    if (claim.isOver()) return;
    const holder = this.#holder;
    const isFree = !this.#isTaken && (!holder || (holder.mayGiveWay && !claim.hasEnded));
    if (!isFree) return claim.giveUp();
    holder?.giveUp();
    this.#setHolder(claim);
  }

  async #pull(most = Infinity): Promise<Buffer | null> {
    const input = this.#input;
    for (;;) {
      const size = Math.min(most, input.readableLength);
      const chunk = (size > 0 ? input.read(size) : input.read()) as Buffer | null;
      if (chunk !== null) return chunk;
      if (input.readableEnded || input.destroyed) return null;
      const wait = new AbortController();
      const { signal } = wait;
      await Promise.race([once(input, 'readable', { signal }), once(input, 'end', { signal })]);
      wait.abort();
    }
  }
}

/** What one client gets of an offered input. */
export class InputClaim {
  /** The client's input. */
  readonly stream: Readable;
  readonly #offer: InputOffer;
  readonly #whenTaken: () => Promise<boolean>;
  readonly #joinedAt = performance.now();
  #endedAt: number | undefined;
  #hasGiven = false;
  #isGivenUp = false;
  #wanted = Promise.withResolvers<undefined>();

  constructor(offer: InputOffer, whenTaken: () => Promise<boolean>) {
    this.#offer = offer;
    this.#whenTaken = whenTaken;
    this.stream = new Readable({ highWaterMark: 1, read: () => this.#wanted.resolve(undefined) });
  }

  get hasEnded(): boolean {
    return this.#endedAt !== undefined;
  }

  isOver(): boolean {
    return this.#isGivenUp || this.stream.destroyed;
  }

  /** Whether another client may have the input in this one's place. */
  get mayGiveWay(): boolean {
    return this.hasEnded && !this.#hasGiven;
  }

  /** The client has ended its side. */
  peerEnded(): void {
    this.#endedAt ??= performance.now();
  }

  /** Another one has the input: there is none for this client. */
  giveUp(): void {
    this.#isGivenUp = true;
    this.stream.push(null);
  }

  /** The session is over. Returns whether the client has left the whole input for the next one. */
  leave(): boolean {
    this.stream.destroy();
    return this.#offer.leave(this);
  }

  /** Gives the client what there is, from the first byte on. Never rejects. */
  async start(): Promise<void> {
    try {
      await this.#pass();
    } catch (error) {
      this.stream.destroy(error as Error);
    }
  }

  async #pass(): Promise<void> {
    await this.#untilReady();
    const first = await this.#offer.first();
    await this.#untilReady();
    if (this.isOver()) return;
    if (first !== null) {
      this.#hasGiven = true;
      this.stream.push(first);
      const isTaken = await this.#whenTaken();
      if (this.isOver()) return;
      // A socket whose peer has ended its side is not read any more, and does not tell of a reset by itself.
      if (!isTaken) throw Object.assign(new Error('the client is gone'), { code: 'ECONNRESET' });
    }
    this.#offer.take(this);
    for (let chunk = first; chunk !== null && !this.isOver();) {
      await this.#wanted.promise;
      chunk = await this.#offer.next();
      if (this.isOver()) return;
      this.#wanted = Promise.withResolvers();
      this.stream.push(chunk);
    }
    if (first === null) this.stream.push(null);
  }

  /** Until the client has shown, as far as time can, that it stays. */
  async #untilReady(): Promise<void> {
    for (;;) {
      const readyAt = Math.max(this.#joinedAt + arrivalMs, (this.#endedAt ?? -Infinity) + endedMs);
      const leftMs = readyAt - performance.now();
      if (leftMs <= 0 || this.isOver()) return;
      await delay(leftMs);
    }
  }
}
