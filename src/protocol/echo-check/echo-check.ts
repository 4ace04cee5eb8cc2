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
