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
