/** What every payload begins with: the number of the run and its own, 32 bits each, the most significant byte first. */
export const payloadHeaderBytes = 8;

/** How many different beginnings in the noise payloads have. A prime, so that no pattern of sizes meets it. */
const shifts = 4093;

/** How much noise payloads of a size need. */
export function noiseBytes(sizeBytes: number): number {
  return sizeBytes + shifts;
}

/**
 * Makes numbered payloads that can be made again when they come back: the header, and noise from a place that depends
 * on the number, so that one payload's bytes in another's place are noticed.
 */
export class PayloadMaker {
  readonly sizeBytes: number;
  readonly #run: number;
  readonly #noise: Uint8Array;

  /**
   * @param run 32 bits that tell this run from others
   * @param sizeBytes of each payload, at least payloadHeaderBytes
   * @param noise noiseBytes(sizeBytes) random bytes
   */
  constructor(run: number, sizeBytes: number, noise: Uint8Array) {
    this.sizeBytes = sizeBytes;
    this.#run = run;
    this.#noise = noise;
  }

  make(sequence: number): Buffer {
    const payload = Buffer.allocUnsafe(this.sizeBytes);
    const at = (sequence * 61) % shifts;
    payload.set(this.#noise.subarray(at, at + this.sizeBytes));
    payload.writeUInt32BE(this.#run, 0);
    payload.writeUInt32BE(sequence % 2 ** 32, 4);
    return payload;
  }

  /** The 32 bits of the number that a payload of this run has; undefined when it has none or is of another run. */
  readNumber(payload: Buffer): number | undefined {
    if (payload.length < payloadHeaderBytes || payload.readUInt32BE(0) !== this.#run) return undefined;
    return payload.readUInt32BE(4);
  }
}

/** How many payloads are remembered, answered or not. An older one is given up. */
const rememberedPayloads = 65_536;

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

/** A payload that has come back as a whole. */
export interface Reply {
  readonly sequence: number;
  /** From the writing of its first byte to the coming of its last, in milliseconds. */
  readonly roundTripMs: number;
  readonly isWrong: boolean;
}

export interface EchoCounts {
  readonly sent: number;
  readonly sentBytes: number;
  /** Payloads that came back as a whole, with wrong bytes or not. */
  readonly received: number;
  readonly receivedBytes: number;
  /** Payloads with a wrong byte, and what belongs to no payload. */
  readonly wrong: number;
  readonly wrongBytes: number;
  readonly duplicates: number;
  readonly reordered: number;
  /** Where the first wrong byte was; no sequence when it belongs to no payload. */
  readonly firstWrong: { readonly sequence?: number; readonly offset: number } | undefined;
}

/** Makes payloads and checks every byte that comes back. Times are of a clock that never goes back, in milliseconds. */
export interface EchoCheck {
  readonly counts: EchoCounts;
  /** The next payload, which is sent now. */
  send(now: number): Buffer;
  /** Takes what came back: a chunk of a stream, cut anywhere, or one datagram. */
  receive(chunk: Buffer, now: number): readonly Reply[];
  /** How many payloads may still be on their way. */
  inFlight(now: number): number;
  /** How many have not come back and were sent less than `lifeMs` ago. */
  pending(now: number, lifeMs: number): number;
}

/** How many bytes differ, and where the first of them is; what one is longer than the other differs. */
export function compareBytes(
  actual: Uint8Array,
  wanted: Uint8Array,
): { readonly count: number; readonly first: number } {
  const common = Math.min(actual.length, wanted.length);
  let count = Math.max(actual.length, wanted.length) - common;
  let first = count > 0 ? common : -1;
  if (Buffer.compare(actual.subarray(0, common), wanted.subarray(0, common)) === 0) return { count, first };
  for (let at = common - 1; at >= 0; at--) {
    if (actual[at] === wanted[at]) continue;
    count++;
    first = at;
  }
  return { count, first };
}
