import type { Script, Side } from './script.ts';

/** Compares what a peer really does with what was recorded of its side. Says the first difference. */
export class Comparison {
  /** The first difference, once there is one. */
  difference: string | undefined;
  /** How many bytes have come. */
  receivedBytes = 0;
  /** How many were recorded. */
  readonly recordedBytes: number;
  readonly #chunks: readonly Buffer[];
  /** Whether the peer ended with a FIN. One that broke off, or was cut off, may end in any way. */
  readonly hadEnded: boolean;
  #chunk = 0;
  #offset = 0;

  constructor({ steps }: Script, side: Side) {
    const own = steps.filter((step) => step.side === side);
    this.#chunks = own.flatMap((step) => ('bytes' in step ? [step.bytes] : []));
    this.recordedBytes = this.#chunks.reduce((sum, { length }) => sum + length, 0);
    this.hadEnded = own.some((step) => 'end' in step && step.end === 'eof');
  }

  take(bytes: Buffer): void {
    for (let at = 0; at < bytes.length && this.difference === undefined;) {
      const recorded = this.#chunks[this.#chunk]?.subarray(this.#offset);
      if (!recorded) {
        this.#differ(`goes on after the ${this.recordedBytes} bytes that were recorded`);
        break;
      }
      const length = Math.min(recorded.length, bytes.length - at);
      if (bytes.compare(recorded, 0, length, at, at + length) !== 0) this.#tell(bytes, at, recorded, length);
      at += length;
      this.#offset += length;
      if (length === recorded.length) {
        this.#chunk++;
        this.#offset = 0;
      }
    }
    this.receivedBytes += bytes.length;
  }

  /** The peer is over: it has ended, broken off, or done nothing for too long. */
  end(how: 'eof' | 'reset' | 'silence'): void {
    const verb = { eof: 'ended', reset: 'broke off', silence: 'fell silent' }[how];
    if (this.receivedBytes < this.recordedBytes)
      this.#differ(`${verb} after ${this.receivedBytes} of ${this.recordedBytes} bytes`);
    else if (how !== 'eof' && this.hadEnded) this.#differ(`${verb}, and had ended in the recording`);
  }

  #tell(bytes: Buffer, at: number, recorded: Buffer, length: number): void {
    let same = 0;
    while (same < length && bytes[at + same] === recorded[same]) same++;
    const place = this.receivedBytes + at + same;
    this.#differ(`byte ${place} is ${describe(bytes[at + same])}, and was ${describe(recorded[same])}`);
  }

  #differ(text: string): void {
    this.difference ??= text;
  }
}

/** `0x41 'A'` */
function describe(byte = 0): string {
  const hex = `0x${byte.toString(16).padStart(2, '0')}`;
  return byte > 0x20 && byte < 0x7f ? `${hex} '${String.fromCharCode(byte)}'` : hex;
}
