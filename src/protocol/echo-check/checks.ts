import {
  compareBytes,
  type EchoCheck,
  type EchoCounts,
  type Reply,
  Outstanding,
  type PayloadMaker,
} from './echo-check.ts';

/** Checks the echo of a stream: the same bytes in the same order, in chunks of any size. */
export class StreamCheck implements EchoCheck {
  readonly #maker: PayloadMaker;
  readonly #outstanding = new Outstanding();
  #receivedBytes = 0;
  #received = 0;
  #wrong = 0;
  #wrongBytes = 0;
  #firstWrong: EchoCounts['firstWrong'];
  /** The payload that is coming in, and how much of it has come. */
  #wanted: Buffer | undefined;
  #offset = 0;
  #isWrong = false;
  #hasSurplus = false;

  constructor(maker: PayloadMaker) {
    this.#maker = maker;
  }

  get counts(): EchoCounts {
    const sent = this.#outstanding.next;
    return {
      sent,
      sentBytes: sent * this.#maker.sizeBytes,
      received: this.#received,
      receivedBytes: this.#receivedBytes,
      wrong: this.#wrong,
      wrongBytes: this.#wrongBytes,
      duplicates: 0,
      reordered: 0,
      firstWrong: this.#firstWrong,
    };
  }

  send(now: number): Buffer {
    return this.#maker.make(this.#outstanding.add(now));
  }

  receive(chunk: Buffer, now: number): readonly Reply[] {
    const { sizeBytes } = this.#maker;
    const replies: Reply[] = [];
    for (let used = 0; used < chunk.length;) {
      if (this.#received === this.#outstanding.next) {
        this.#takeSurplus(chunk.length - used);
        break;
      }
      const offset = this.#offset;
      const length = Math.min(sizeBytes - offset, chunk.length - used);
      this.#wanted ??= this.#maker.make(this.#received);
      this.#compare(
        chunk.subarray(used, used + length),
        this.#wanted.subarray(offset, offset + length),
        offset,
      );
      this.#receivedBytes += length;
      used += length;
      this.#offset += length;
      if (this.#offset === sizeBytes) replies.push(this.#complete(now));
    }
    return replies;
  }

  /** A stream loses nothing: what has not come back is on its way. */
  inFlight(): number {
    return this.#outstanding.next - this.#received;
  }

  pending(): number {
    return this.inFlight();
  }

  #compare(actual: Buffer, wanted: Buffer, offset: number): void {
    const { count, first } = compareBytes(actual, wanted);
    if (count === 0) return;
    this.#isWrong = true;
    this.#wrongBytes += count;
    this.#firstWrong ??= { sequence: this.#received, offset: offset + first };
  }

  #complete(now: number): Reply {
    const sequence = this.#received++;
    const isWrong = this.#isWrong;
    if (isWrong) this.#wrong++;
    this.#isWrong = false;
    this.#offset = 0;
    this.#wanted = undefined;
    const answer = this.#outstanding.answer(sequence);
    return { sequence, roundTripMs: answer.kind === 'first' ? now - answer.sentAt : 0, isWrong };
  }

  /** More came back than was sent. */
  #takeSurplus(bytes: number): void {
    this.#firstWrong ??= { offset: this.#receivedBytes };
    if (!this.#hasSurplus) this.#wrong++;
    this.#hasSurplus = true;
    this.#receivedBytes += bytes;
    this.#wrongBytes += bytes;
  }
}

/**
 * A datagram that has not come back by then makes room for another one in flight. Whether it is lost is decided
 * later.
 */
const lifeMs = 200;

/** Checks the echo of datagrams, which may be lost, doubled, and out of order. */
export class DatagramCheck implements EchoCheck {
  readonly #maker: PayloadMaker;
  readonly #outstanding = new Outstanding();
  #receivedBytes = 0;
  #wrong = 0;
  #wrongBytes = 0;
  #duplicates = 0;
  #reordered = 0;
  #highest = -1;
  #firstWrong: EchoCounts['firstWrong'];

  constructor(maker: PayloadMaker) {
    this.#maker = maker;
  }

  get counts(): EchoCounts {
    const sent = this.#outstanding.next;
    return {
      sent,
      sentBytes: sent * this.#maker.sizeBytes,
      received: this.#outstanding.answered,
      receivedBytes: this.#receivedBytes,
      wrong: this.#wrong,
      wrongBytes: this.#wrongBytes,
      duplicates: this.#duplicates,
      reordered: this.#reordered,
      firstWrong: this.#firstWrong,
    };
  }

  send(now: number): Buffer {
    return this.#maker.make(this.#outstanding.add(now));
  }

  receive(datagram: Buffer, now: number): readonly Reply[] {
    this.#receivedBytes += datagram.length;
    const bits = this.#maker.readNumber(datagram);
    const sequence = bits === undefined ? undefined : this.#outstanding.widen(bits);
    const answer = sequence === undefined ? undefined : this.#outstanding.answer(sequence);
    if (sequence === undefined || answer === undefined || answer.kind === 'unknown') {
      this.#countWrong(datagram.length, { offset: 0 });
      return [];
    }
    const { count, first } = compareBytes(datagram, this.#maker.make(sequence));
    if (count > 0) this.#countWrong(count, { sequence, offset: first });
    if (answer.kind === 'again') {
      this.#duplicates++;
      return [];
    }
    if (sequence < this.#highest) this.#reordered++;
    this.#highest = Math.max(this.#highest, sequence);
    return [{ sequence, roundTripMs: now - answer.sentAt, isWrong: count > 0 }];
  }

  inFlight(now: number): number {
    return this.#outstanding.inFlight(now, lifeMs);
  }

  pending(now: number, withinMs: number): number {
    return this.#outstanding.pending(now, withinMs);
  }

  #countWrong(bytes: number, where: EchoCounts['firstWrong']): void {
    this.#wrong++;
    this.#wrongBytes += bytes;
    this.#firstWrong ??= where;
  }
}
