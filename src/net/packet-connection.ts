import { Duplex } from 'node:stream';
import { isReset } from '../errors.ts';
import type { NativeAddon } from '../native/addon.ts';
import type { Credentials, ReceivedMessage } from '../native/messages.ts';
import { flushMark } from './connection.ts';
import { readCredentials } from './credentials.ts';
import { maxUnixMessageBytes, toParts } from './datagram-peer.ts';
import { calling } from './message-calls.ts';
import { WatchedDescriptor } from './watched-descriptor.ts';

type Done = (error?: Error | null) => void;

/**
 * A connection of Unix packets (SOCK_SEQPACKET) as a stream: each chunk that is read is one packet, each chunk that is
 * written is sent as one, and one without bytes is a chunk without bytes. Both directions have an end of their own.
 *
 * A chunk over maxUnixMessageBytes is sent as several packets; 'cut' (bytes) reports that. What was received comes
 * before an error. Destroy it to close the connection.
 */
export class PacketConnection extends Duplex {
  /** Who is at the other end; undefined when the system does not tell. */
  readonly credentials: Credentials | undefined;
  /** The longest packet that is sent as it is. */
  readonly mostBytes = maxUnixMessageBytes;
  readonly #addon: NativeAddon;
  readonly #descriptor: WatchedDescriptor;
  /** What broke the connection, which its reader learns after the last packet. */
  #broken: Error | undefined;
  #hasEnded = false;
  /** A write that met the break, until the reader has learnt of it. */
  #failedWrite: Done | undefined;
  #retry: (() => void) | undefined;

  /** @param fd becomes the connection's own. @throws the system's error; then it is still the caller's */
  constructor(addon: NativeAddon, fd: number) {
    super({ readableObjectMode: true, readableHighWaterMark: 1, allowHalfOpen: true });
    this.#addon = addon;
    calling(() => addon.tellsSenders(fd));
    this.credentials = readCredentials(addon, fd);
    this.#descriptor = new WatchedDescriptor(addon, fd, {
      onReadable: () => this.#receive(),
      onWritable: () => this.#sendAgain(),
    });
  }

  override _read(): void {
    if (this.#hasEnded) this.#finishReading();
    else this.#descriptor.awaitReadable(true);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    // Asks whether the peer is still there, once it has ended its side.
    if (chunk === flushMark) return done(this.#findGone());
    if (chunk.length > maxUnixMessageBytes) this.emit('cut', chunk.length);
    this.#sendParts(toParts(chunk, maxUnixMessageBytes), done);
  }

  override _final(done: Done): void {
    try {
      if (!this.#broken) calling(() => this.#addon.endSending(this.#descriptor.fd));
      done();
    } catch (error) {
      // The peer had closed already, which is nothing that our end needs to say.
      done((error as NodeJS.ErrnoException).code === 'ENOTCONN' ? null : (error as Error));
    }
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#descriptor.close();
    this.#giveUpWriting(error);
    done(error);
  }

  #receive(): void {
    for (let more = true; more && !this.destroyed;) {
      const message = this.#take();
      if (message === undefined) return;
      if (message === null) {
        this.#hasEnded = true;
        this.#descriptor.awaitReadable(false);
        if (this.readableLength === 0) this.#finishReading();
        return;
      }
      more = this.push(message[0]);
    }
    if (!this.destroyed) this.#descriptor.awaitReadable(false);
  }

  /** The system reports a break before the packets that it still has. */
  #take(): ReceivedMessage | undefined | null {
    for (;;) {
      try {
        return this.#descriptor.receive();
      } catch (error) {
        if (this.#broken || !isReset(error)) {
          this.#broken ??= error as Error;
          return null;
        }
        this.#broken = error as Error;
      }
    }
  }

  #finishReading(): void {
    if (this.#broken) this.destroy(this.#broken);
    else this.push(null);
  }

  #sendParts(parts: readonly Buffer[], done: Done): void {
    const [part, ...rest] = parts;
    if (!part || this.destroyed) return done();
    try {
      if (this.#descriptor.send(part)) return this.#sendParts(rest, done);
    } catch (error) {
      return this.#fail(error as Error, done);
    }
    this.#retry = () => this.#sendParts(parts, done);
    this.#descriptor.awaitWritable();
  }

  #sendAgain(): void {
    const retry = this.#retry;
    this.#retry = undefined;
    retry?.();
  }

  /** What the peer sent before it left is still to be read, if somebody reads. */
  #fail(error: Error, done: Done): void {
    const isRead = this.readableFlowing !== null || this.listenerCount('readable') > 0;
    if (!isReset(error) || this.readableEnded || this.#hasEnded || !isRead) return done(error);
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') this.#broken ??= error;
    this.#failedWrite = done;
    this.once('end', () => this.#giveUpWriting(error));
  }

  #giveUpWriting(error: Error | null): void {
    const failed = this.#failedWrite;
    this.#failedWrite = undefined;
    failed?.(error);
  }

  #findGone(): Error | null {
    if (!this.#hasEnded || this.destroyed || this.#addon.isGone(this.#descriptor.fd) === 0) return null;
    return Object.assign(new Error('write EPIPE'), { code: 'EPIPE', syscall: 'write' });
  }
}
