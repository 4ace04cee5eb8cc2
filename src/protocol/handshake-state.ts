import { ByteQueue } from './byte-queue.ts';
import { badInput, ProtocolError, type ProtocolName } from './protocol-error.ts';

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
        "The handshake is over; these bytes are the stream's.",
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
