import { HandshakeState } from '../handshake-state.ts';
import { decodeProxyHeader } from './decode.ts';
import type { ProxyHeader } from './header.ts';

/** A header and the bytes after it, the beginning of the stream. */
export interface ReceivedProxyHeader {
  readonly header: ProxyHeader;
  readonly rest: Buffer;
}

/**
 * Collects the PROXY header of a connection from chunks cut anywhere. Keeps less than V2_LIMIT_BYTES beside the last
 * chunk. The specification forbids guessing: use it only where a header must come.
 */
export class ProxyHeaderReceiver {
  readonly #state = new HandshakeState('proxy-protocol');

  /** How many bytes are kept for later. */
  get bufferedBytes(): number {
    return this.#state.queue.length;
  }

  /**
   * Takes a chunk; undefined while the header is not whole.
   * @throws ProtocolError as `decodeProxyHeader()` does; the connection is to be dropped.
   */
  receive(chunk: Buffer): ReceivedProxyHeader | undefined {
    return this.#state.receive(chunk, () => {
      const found = decodeProxyHeader(this.#state.queue.peek());
      if ('needBytes' in found) return undefined;
      this.#state.queue.drop(found.headerBytes);
      return { header: found.header, rest: this.#state.finish() };
    });
  }
}
