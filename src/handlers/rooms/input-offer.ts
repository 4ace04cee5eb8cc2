import { once } from 'node:events';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { guarded } from '../../net/guard.ts';

/** How long a client must stay before it is given anything: a port check is gone by then, or has ended its side. */
const arrivalMs = 100;

/**
 * The same after a client has ended its side. One that has closed looks like one that merely has nothing to say.
 */
const endedMs = 400;

/** How much is read for a client that may not stay. */
const firstBytes = 16 * 1024;

/** How long what a client was given is kept for the next one, in case it was not read, and how much of it. */
const keptMs = 1_000;
const keptBytes = 1024 * 1024;

/**
 * An input for the first client that takes it. A client that leaves without having taken a byte, as a port check
 * does, loses nothing of it: what was read for it, and all the rest, goes to the next one. The same is true for a
 * client that resets its connection right after it was given the first bytes: they had reached its system, but its
 * program, delayed on a busy machine, closed without reading them.
 */
export class InputOffer {
  readonly #input: Readable;
  #holder: InputClaim | undefined;
  /** The clients that would get it if the holder left it, in the order in which they arrived. */
  readonly #waiting = new Set<InputClaim>();
  #first: Promise<Buffer | null> | undefined;
  #coming: Promise<Buffer | null> | undefined;
  /** What the holder was given, as long as the next client may still get it. */
  #kept: Buffer[] | undefined;
  #keptTimer: NodeJS.Timeout | undefined;
  #isTaken = false;
  #taker: Readable | undefined;

  constructor(input: Readable) {
    this.#input = input;
  }

  /**
   * Offers the input to a client. Undefined when it belongs to another one for good. A temporary holder that has
   * ended its side and been given nothing yet gives way to the next client that stays.
   *
   * @param whenTaken settles once the client has received what is written to it from now on (true), or is gone
   *   (false)
   */
  offer(whenTaken: () => Promise<boolean>): InputClaim | undefined {
    if (this.#isTaken) return undefined;
    const claim = new InputClaim(this, whenTaken);
    if (!this.#holder) {
      this.#setHolder(claim);
      return claim;
    }
    this.#waiting.add(claim);
    void delay(arrivalMs).then(guarded(() => this.#choose(claim)));
    return claim;
  }

  /** The claim is over. Returns whether the client held the input and has left the whole of it for the next one. */
  leave(claim: InputClaim, wasReset: boolean): boolean {
    this.#waiting.delete(claim);
    if (this.#holder !== claim) return claim.hasHeld;
    if (this.#kept && !wasReset) this.#settle();
    if (this.#isTaken) return false;
    if (this.#kept) this.#first = Promise.resolve(Buffer.concat(this.#kept));
    this.#forget();
    this.#taker = undefined;
    this.#holder = undefined;
    const [next] = this.#waiting;
    if (next) this.#setHolder(next);
    return true;
  }

  /** A claim's client has ended its side: it is not kept waiting for an input that belongs to another one. */
  peerEnded(claim: InputClaim): void {
    if (this.#waiting.delete(claim)) claim.giveUp();
  }

  /** The input itself, for a client that cannot give it back. Undefined when it belongs to another one. */
  takeWhole(): Readable | undefined {
    if (this.#isTaken || this.#holder) return undefined;
    this.#isTaken = true;
    this.#taker = this.#input;
    return this.#input;
  }

  /** Whether a client has it. */
  get isTaken(): boolean {
    return this.#taker !== undefined;
  }

  /** Whether the input has gone to the client with this stream. */
  isTakenBy(stream: Readable): boolean {
    return this.#taker === stream;
  }

  /** The first chunk; it stays the first until a client has it. Null: the input is empty. */
  first(): Promise<Buffer | null> {
    return (this.#first ??= this.#pull(firstBytes));
  }

  /** The next chunk for the holder. Null: the end, or it belongs to another client by now. */
  async next(claim: InputClaim): Promise<Buffer | null> {
    if (this.#kept && countBytes(this.#kept) > keptBytes) {
      // More than a system buffers for a program that does not read.
      await claim.untilTaken();
      if (this.#holder === claim) this.#settle();
    }
    // What is read after the holder has left goes to the next client.
    const chunk = await (this.#coming ??= this.#pull());
    if (this.#holder !== claim) return null;
    this.#coming = undefined;
    if (chunk !== null) this.#kept?.push(chunk);
    return chunk;
  }

  /**
   * The holder's system has the first bytes: the rest goes to the holder too, unless it turns out to have read
   * nothing.
   */
  async take({ stream }: InputClaim): Promise<void> {
    this.#taker = stream;
    const first = await this.first();
    this.#first = undefined;
    if (first === null) {
      this.#settle();
      return;
    }
    this.#kept = [first];
    this.#keptTimer = setTimeout(
      guarded(() => this.#settle()),
      keptMs,
    );
  }

  /** The input belongs to the holder for good. */
  #settle(): void {
    this.#isTaken = true;
    this.#forget();
    for (const claim of this.#waiting) claim.giveUp();
    this.#waiting.clear();
  }

  #forget(): void {
    clearTimeout(this.#keptTimer);
    this.#kept = undefined;
  }

  #setHolder(claim: InputClaim): void {
    this.#waiting.delete(claim);
    this.#holder = claim;
    void claim.start();
  }

  /** A client that came while another one held the input has shown that it stays. */
  #choose(claim: InputClaim): void {
    if (!this.#waiting.has(claim)) return;
    const holder = this.#holder;
    if (!holder?.mayGiveWay) return;
    holder.giveUp();
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
  #hasHeld = false;
  #wanted = Promise.withResolvers<undefined>();

  constructor(offer: InputOffer, whenTaken: () => Promise<boolean>) {
    this.#offer = offer;
    this.#whenTaken = whenTaken;
    this.stream = new Readable({ highWaterMark: 1, read: () => this.#wanted.resolve(undefined) });
  }

  get hasHeld(): boolean {
    return this.#hasHeld;
  }

  isOver(): boolean {
    return this.#isGivenUp || this.stream.destroyed;
  }

  /** Whether another client may have the input in this one's place. */
  get mayGiveWay(): boolean {
    return this.#endedAt !== undefined && !this.#hasGiven;
  }

  /** The client has ended its side. */
  peerEnded(): void {
    this.#endedAt ??= performance.now();
    if (this.#isGivenUp) this.#end();
    else this.#offer.peerEnded(this);
  }

  /** Another client has the input: there is none for this one, which may send for as long as it likes. */
  giveUp(): void {
    this.#isGivenUp = true;
    if (this.#endedAt !== undefined) this.#end();
  }

  /** The session is over. Returns whether the client held the input and has left the whole of it for the next one. */
  leave(wasReset: boolean): boolean {
    this.stream.destroy();
    return this.#offer.leave(this, wasReset);
  }

  /** Gives the client the input, from the first byte on. Never rejects. */
  async start(): Promise<void> {
    this.#hasHeld = true;
    try {
      await this.#pass();
    } catch (error) {
      this.stream.destroy(error as Error);
    }
  }

  /** @throws Error ECONNRESET the client is gone */
  async untilTaken(): Promise<void> {
    const isTaken = await this.#whenTaken();
    // A socket whose peer has ended its side is no longer read, and does not report a reset by itself.
    if (!isTaken) throw Object.assign(new Error('the client is gone'), { code: 'ECONNRESET' });
  }

  #end(): void {
    if (!this.stream.destroyed && !this.stream.readableEnded) this.stream.push(null);
  }

  async #pass(): Promise<void> {
    await this.#untilReady();
    const first = await this.#offer.first();
    await this.#untilReady();
    if (this.isOver()) return;
    if (first !== null) {
      this.#hasGiven = true;
      this.stream.push(first);
      await this.untilTaken();
      if (this.isOver()) return;
    }
    await this.#offer.take(this);
    for (let chunk = first; chunk !== null && !this.isOver();) {
      await this.#wanted.promise;
      if (this.isOver()) return;
      chunk = await this.#offer.next(this);
      if (this.isOver()) return;
      this.#wanted = Promise.withResolvers();
      this.stream.push(chunk);
    }
    if (first === null) this.stream.push(null);
  }

  /** Waits until the client has shown, as far as time can tell, that it stays. */
  async #untilReady(): Promise<void> {
    for (;;) {
      const readyAt = Math.max(this.#joinedAt + arrivalMs, (this.#endedAt ?? -Infinity) + endedMs);
      const leftMs = readyAt - performance.now();
      if (leftMs <= 0 || this.isOver()) return;
      await delay(leftMs);
    }
  }
}

function countBytes(chunks: readonly Buffer[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0);
}
