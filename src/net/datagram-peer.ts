import { Duplex } from 'node:stream';
import { flushMark } from './connection.ts';

/** What carries a peer's datagrams: the socket, as far as this peer is concerned. */
export interface DatagramChannel {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  send(datagram: Buffer, done: (error: Error | null) => void): void;
  /** The peer has been destroyed: nothing is delivered to it or sent for it any more. */
  close(): void;
}

/** The longest payload of a UDP datagram over IPv4: 65535 less the headers. Source: RFC 768, RFC 791. */
export const maxDatagramBytes = 65_507;

/** How much is kept for a reader that is slower than the peer. Beyond it datagrams are lost, which is reported. */
export const receiveQueueBytes = 4 * 1024 * 1024;

/** A datagram's own cost in the queue: one without bytes takes memory too. */
const overheadBytes = 256;

/** Datagrams that were lost because the reader was too slow. */
export interface LostDatagrams {
  readonly datagrams: number;
  readonly bytes: number;
}

/**
 * One peer of a datagram socket as a stream: each chunk that is read is one datagram, each chunk that is written is
 * sent as one, and one without bytes is a chunk without bytes. It has no end: its reader decides when it is over.
 *
 * A chunk over maxDatagramBytes is sent as several datagrams. 'cut' (bytes) reports that, 'lost' (LostDatagrams)
 * datagrams for which the reader was too slow. Destroy it to release the peer.
 */
export class DatagramPeer extends Duplex {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  /** Datagrams received, including empty ones and excluding lost ones. */
  received = 0;
  readonly #channel: DatagramChannel;
  readonly #queue: Buffer[] = [];
  #queuedBytes = 0;
  #isReaderWaiting = false;
  #lost = { datagrams: 0, bytes: 0 };

  constructor(channel: DatagramChannel) {
    super({ readableObjectMode: true, readableHighWaterMark: 1, allowHalfOpen: true });
    this.#channel = channel;
    this.remoteAddress = channel.remoteAddress;
    this.remotePort = channel.remotePort;
    this.localAddress = channel.localAddress;
    this.localPort = channel.localPort;
  }

  /** Takes a datagram that came from the peer. */
  deliver(datagram: Buffer): void {
    if (this.destroyed) return;
    const cost = datagram.length + overheadBytes;
    if (this.#queuedBytes + cost > receiveQueueBytes) {
      this.#lost = { datagrams: this.#lost.datagrams + 1, bytes: this.#lost.bytes + datagram.length };
      return;
    }
    this.received++;
    this.#queue.push(datagram);
    this.#queuedBytes += cost;
    if (this.#isReaderWaiting) this._read();
  }

  override _read(): void {
    this.#isReaderWaiting = true;
    while (this.#isReaderWaiting) {
      const datagram = this.#queue.shift();
      if (!datagram) break;
      this.#queuedBytes -= datagram.length + overheadBytes;
      this.#isReaderWaiting = this.push(datagram);
    }
    if (this.#queue.length === 0) this.#tellLost();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (chunk === flushMark) return done();
    if (chunk.length <= maxDatagramBytes) return this.#channel.send(chunk, done);
    this.emit('cut', chunk.length);
    const sendFrom = (start: number): void => {
      // The socket may be gone with the peer before it has sent the first part.
      if (start >= chunk.length || this.destroyed) return done();
      const end = start + maxDatagramBytes;
      this.#channel.send(chunk.subarray(start, end), (error) => (error ? done(error) : sendFrom(end)));
    };
    sendFrom(0);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#lost.datagrams += this.#queue.length;
    this.#queue.length = 0;
    this.#tellLost();
    this.#channel.close();
    done(error);
  }

  #tellLost(): void {
    if (this.#lost.datagrams === 0) return;
    const lost: LostDatagrams = this.#lost;
    this.#lost = { datagrams: 0, bytes: 0 };
    this.emit('lost', lost);
  }
}
