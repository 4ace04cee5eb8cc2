import { ProtocolError } from '../../../src/protocol/protocol-error.ts';

/** A codec as the property tests and the fuzzer see it. */
export interface CodecTarget {
  readonly name: string;
  /** Correct input, from which mutated input is made. */
  readonly seeds: readonly Buffer[];
  /**
   * Feeds the chunks to a fresh codec and returns everything it gave back, in a form that does not depend on where
   * the chunks were cut. Throws {@link Finding} when the codec keeps more than its limit.
   */
  run(chunks: readonly Buffer[]): unknown;
}

/** A broken promise of a codec. */
export class Finding extends Error {}

/** Checks the bytes a codec keeps against its limit and the chunk that has just been given to it. */
export function checkBuffered(bufferedBytes: number, limitBytes: number): void {
  if (bufferedBytes > limitBytes)
    throw new Finding(`${bufferedBytes} bytes are kept, the limit is ${limitBytes}`);
}

/** What a thrown error says, when it is the codec's own; anything else is passed on as it is. */
export function describeError(error: unknown): object {
  if (!(error instanceof ProtocolError)) throw error;
  const { code, protocol, reason, message, reply, status } = error;
  return { code, protocol, reason, message, reply: reply?.toString('hex'), status };
}

/** One change to an input. `at` is taken modulo the length. */
export interface Edit {
  readonly kind: 'set' | 'flip' | 'insert' | 'delete' | 'repeat' | 'truncate' | 'zero-run';
  readonly at: number;
  readonly value: number;
}

export const editKinds: readonly Edit['kind'][] = [
  'set',
  'flip',
  'insert',
  'delete',
  'repeat',
  'truncate',
  'zero-run',
];

/** Applies edits one after the other. */
export function applyEdits(seed: Buffer, edits: readonly Edit[]): Buffer {
  let bytes = Buffer.from(seed);
  for (const { kind, at, value } of edits) {
    const index = bytes.length === 0 ? 0 : at % bytes.length;
    const [head, tail] = [bytes.subarray(0, index), bytes.subarray(index)];
    if (kind === 'insert') bytes = Buffer.concat([head, Buffer.from([value & 255]), tail]);
    else if (kind === 'delete') bytes = Buffer.concat([head, tail.subarray(1 + (value % 8))]);
    else if (kind === 'repeat') {
      bytes = Buffer.concat([
        head,
        ...new Array<Buffer>(value % 20).fill(tail.subarray(0, 1 + (value % 40))),
        tail,
      ]);
    } else if (kind === 'truncate') bytes = Buffer.concat([head]);
    else if (kind === 'zero-run') bytes.subarray(index, index + (value % 7)).fill(value & 1 ? 255 : 0);
    else if (bytes.length > 0)
      bytes[index] = kind === 'set' ? value & 255 : bytes[index]! ^ (1 << (value & 7));
  }
  return bytes;
}

/** Cuts bytes at each position given (modulo the length); empty chunks may come out and are kept. */
export function cutAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const sorted = cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b);
  const ends = [...sorted, bytes.length];
  return ends.map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end));
}

/** Every byte a chunk of its own. */
export function cutEverywhere(bytes: Buffer): Buffer[] {
  return Array.from({ length: bytes.length }, (_, index) => bytes.subarray(index, index + 1));
}
