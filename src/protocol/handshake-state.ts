import { badInput, ProtocolError, type ProtocolName } from './protocol-error.ts';

const EMPTY = Buffer.alloc(0);

/**
 * Bytes that have arrived and are not parsed yet, as one contiguous view. Appending is amortised constant per byte
 * (a peer that sends one byte at a time costs no more than one that sends all at once), and a message that comes in
 * a single chunk is never copied: the queue then keeps a reference to the chunk, so callers that reuse their read
 * buffer must hand in copies.
 *
 * The queue has no limit of its own; each codec checks its named limit after every append.
 */
export class ByteQueue {
  #store: Buffer = EMPTY;
  #start = 0;
  #end = 0;
  /** False while `#store` is a caller's chunk, which must not be written to. */
  #isOwned = false;

  /** How many bytes are waiting. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Adds a chunk at the end. */
  append(chunk: Buffer): void {
    if (chunk.length === 0) return;
    if (this.length === 0) {
      this.#store = chunk;
      this.#start = 0;
      this.#end = chunk.length;
      this.#isOwned = false;
      return;
    }
    const needed = this.length + chunk.length;
    if (!this.#isOwned || this.#end + chunk.length > this.#store.length) {
      const grown = Buffer.allocUnsafe(Math.max(256, needed * 2));
      this.#store.copy(grown, 0, this.#start, this.#end);
      this.#end = this.length;
      this.#start = 0;
      this.#store = grown;
      this.#isOwned = true;
    }
    chunk.copy(this.#store, this.#end);
    this.#end += chunk.length;
  }

  /** A view of everything that waits, valid until the next append. */
  peek(): Buffer {
    return this.#store.subarray(this.#start, this.#end);
  }

  /** Forgets the first `count` bytes. */
  drop(count: number): void {
    this.#start += Math.min(count, this.length);
  }

  /** Takes the first `count` bytes out (fewer when fewer wait), as a view that later appends leave alone. */
  take(count: number): Buffer {
    const taken = this.#store.subarray(this.#start, Math.min(this.#start + count, this.#end));
    this.drop(count);
    return taken;
  }

  /** Takes everything out and frees the memory. */
  takeAll(): Buffer {
    const all = this.peek();
    this.#store = EMPTY;
    this.#start = this.#end = 0;
    return all;
  }
}

/**
 * What every handshake codec shares: the bytes not parsed yet, and its end. A handshake ends once, by `finish()` or
 * by the first error, and from then on takes nothing more.
 */
export class HandshakeState {
  readonly queue = new ByteQueue();
  readonly #protocol: ProtocolName;
  #isFinished = false;
  /** The error it ended with; thrown again for whatever comes later. */
  #failure: ProtocolError | undefined;

  constructor(protocol: ProtocolName) {
    this.#protocol = protocol;
  }

  /**
   * Takes a chunk and parses on.
   * @throws ProtocolError what `parse` throws, then and ever after; TNET_E_PROTOCOL_INPUT after the end.
   */
  receive<Step>(chunk: Buffer, parse: () => Step): Step {
    if (this.#failure) throw this.#failure;
    if (this.#isFinished) {
      throw badInput(
        this.#protocol,
        'already-finished',
        'the handshake is over, and these bytes belong to the stream',
      );
    }
    this.queue.append(chunk);
    try {
      return parse();
    } catch (error) {
      if (error instanceof ProtocolError) this.#failure = error;
      this.queue.takeAll();
      throw error;
    }
  }

  /** Ends the handshake and hands over the bytes that came after it. */
  finish(): Buffer {
    this.#isFinished = true;
    return this.queue.takeAll();
  }
}
