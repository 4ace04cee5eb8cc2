import { Duplex } from 'node:stream';
import type { Credentials } from '../native/messages.ts';
import { flushMark } from './connection.ts';

/** What carries a peer's datagrams: the socket, as far as this peer is concerned. */
export interface DatagramChannel {
  /** Undefined on a Unix socket. */
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  /** What the peer of a Unix socket is called, if it has a name. */
  readonly peerName?: string | undefined;
  readonly credentials?: Credentials | undefined;
  /** The longest datagram that can be sent. Default: maxDatagramBytes. */
  readonly mostBytes?: number;
  send(datagram: Buffer, done: (error: Error | null) => void): void;
  /**
   * So much waits for the peer's reader that no more is to be received, or no longer. Absent: that cannot be held
   * up, and what is too much is lost.
   */
  hold?(isFull: boolean): void;
  /** The peer has been destroyed: nothing is delivered to it or sent for it any more. */
  close(): void;
}

/** The longest payload of a UDP datagram over IPv4: 65535 less the headers. Source: RFC 768, RFC 791. */
export const maxDatagramBytes = 65_507;

/**
 * The longest message that is sent on a Unix socket: what Linux takes with its usual buffers, 212,992 bytes less its
 * book-keeping. One that is received may have any length.
 */
export const maxUnixMessageBytes = 212_960;

/** How much is kept for a reader that is slower than the peer. Beyond it datagrams are lost, which is reported. */
export const receiveQueueBytes = 4 * 1024 * 1024;

/** How much may wait before a socket that can be held up is, and how much when it goes on. */
const holdBytes = 1024 * 1024;
const resumeBytes = holdBytes / 2;

/** A datagram's own cost in the queue: one without bytes takes memory too. */
const overheadBytes = 256;

/** Datagrams that were lost because the reader was too slow. */
export interface LostDatagrams {
  readonly datagrams: number;
  readonly bytes: number;
}

/** A chunk as the messages that it is sent as: at least one. */
export function toParts(chunk: Buffer, mostBytes: number): Buffer[] {
  if (chunk.length <= mostBytes) return [chunk];
  const count = Math.ceil(chunk.length / mostBytes);
  return Array.from({ length: count }, (_, nth) => chunk.subarray(nth * mostBytes, (nth + 1) * mostBytes));
}

/**
 * One peer of a datagram socket as a stream: each chunk that is read is one datagram, each chunk that is written is
 * sent as one, and one without bytes is a chunk without bytes. It has no end: its reader decides when it is over.
 *
 * A chunk over maxDatagramBytes (on a Unix socket maxUnixMessageBytes) is sent as several datagrams. 'cut' (bytes) reports that, 'lost' (LostDatagrams)
 * datagrams for which the reader was too slow. Destroy it to release the peer.
 */
export class DatagramPeer extends Duplex {
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  readonly peerName: string | undefined;
  readonly credentials: Credentials | undefined;
  /** Datagrams received, including empty ones and excluding lost ones. */
  received = 0;
  readonly #channel: DatagramChannel;
  readonly #queue: Buffer[] = [];
  #queuedBytes = 0;
  #isReaderWaiting = false;
  #isHeld = false;
  #lost = { datagrams: 0, bytes: 0 };

  constructor(channel: DatagramChannel) {
    super({ readableObjectMode: true, readableHighWaterMark: 1, allowHalfOpen: true });
    this.#channel = channel;
    this.remoteAddress = channel.remoteAddress;
    this.remotePort = channel.remotePort;
    this.localAddress = channel.localAddress;
    this.localPort = channel.localPort;
    this.peerName = channel.peerName;
    this.credentials = channel.credentials;
  }

  /** The longest datagram that is sent as it is. */
  get mostBytes(): number {
    return this.#channel.mostBytes ?? maxDatagramBytes;
  }

  /** Takes a datagram that came from the peer. */
  deliver(datagram: Buffer): void {
    if (this.destroyed) return;
    const cost = datagram.length + overheadBytes;
    if (this.#channel.hold === undefined && this.#queuedBytes + cost > receiveQueueBytes) {
      this.#lost = { datagrams: this.#lost.datagrams + 1, bytes: this.#lost.bytes + datagram.length };
      return;
    }
    this.received++;
    this.#queue.push(datagram);
    this.#queuedBytes += cost;
    if (this.#isReaderWaiting) this._read();
    if (this.#queuedBytes > holdBytes) this.#hold(true);
  }

  override _read(): void {
    this.#isReaderWaiting = true;
    while (this.#isReaderWaiting) {
      const datagram = this.#queue.shift();
      if (!datagram) break;
      this.#queuedBytes -= datagram.length + overheadBytes;
      this.#isReaderWaiting = this.push(datagram);
    }
    if (this.#queuedBytes <= resumeBytes) this.#hold(false);
    if (this.#queue.length === 0) this.#tellLost();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (chunk === flushMark) return done();
    const parts = toParts(chunk, this.mostBytes);
    if (parts.length > 1) this.emit('cut', chunk.length);
    const sendFrom = (nth: number): void => {
      const part = parts[nth];
      // The socket may be gone with the peer before it has sent the first part.
      if (!part || (nth > 0 && this.destroyed)) {
        done();
        return;
      }
      this.#channel.send(part, (error) => (error ? done(error) : sendFrom(nth + 1)));
    };
    sendFrom(0);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#lost.datagrams += this.#queue.length;
    this.#queue.length = 0;
    this.#hold(false);
    this.#tellLost();
    this.#channel.close();
    done(error);
  }

  #hold(isFull: boolean): void {
    if (isFull === this.#isHeld) return;
    this.#isHeld = isFull;
    this.#channel.hold?.(isFull);
  }

  #tellLost(): void {
    if (this.#lost.datagrams === 0) return;
    const lost: LostDatagrams = this.#lost;
    this.#lost = { datagrams: 0, bytes: 0 };
    this.emit('lost', lost);
  }
}
