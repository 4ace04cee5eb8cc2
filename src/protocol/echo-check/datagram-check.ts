import {
  compareBytes,
  type EchoCheck,
  type EchoCounts,
  type Reply,
  Outstanding,
  type PayloadMaker,
} from './echo-check.ts';

/** A datagram that has not come back by then makes room for another one on its way. Whether it is lost is told later. */
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
