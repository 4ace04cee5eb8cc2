import net from 'node:net';
import { isReset } from '../errors.ts';

export interface SocketOptions extends net.SocketConstructorOpts {
  /**
   * Deliver every byte that the peer sent before the error that ended the connection: `'error'` waits until the
   * reader has taken what was received, and a failed write waits until the read side has come to its own end.
   * node:net drops both. Default false, as in node:net.
   */
  readonly dataBeforeError?: boolean | undefined;
}

type WriteCallback = (error?: Error | null) => void;

/**
 * A TCP or Unix socket: node:net's Socket, plus what the contract in docs/net-contract.md adds to it.
 * The socket belongs to whoever created it; `destroy()` or both sides' ends close it.
 */
export class Socket extends net.Socket {
  readonly #dataBeforeError: boolean;
  /** Set when reading failed while bytes were waiting for the reader; emitted when they are gone. */
  #readError: Error | undefined;
  /** Set when a write failed while the peer's last bytes may still be unread; given back at the read side's end. */
  #failedWrite: { error: Error; done: WriteCallback } | undefined;

  constructor(options: SocketOptions = {}) {
    super(options);
    this.#dataBeforeError = options.dataBeforeError === true;
  }

  override destroy(error?: Error): this {
    if (
      this.#dataBeforeError &&
      error &&
      isReadFailure(error) &&
      !this.#readError &&
      this.readableLength > 0
    ) {
      this.#readError = error;
      return this;
    }
    if (#dataBeforeError in this) this.#releaseWrite();
    return super.destroy(error);
  }

  override read(size?: number): unknown {
    const chunk: unknown = super.read(size);
    if (#dataBeforeError in this && this.#readError && this.readableLength === 0 && !this.destroyed) {
      const error = this.#readError;
      process.nextTick(() => this.destroy(error));
    }
    return chunk;
  }

  override _read(size: number): void {
    // The descriptor has already told its error: reading it again would see a clean end instead.
    if (!(#dataBeforeError in this) || !this.#readError) super._read(size);
  }

  override _write(chunk: unknown, encoding: BufferEncoding, done: WriteCallback): void {
    super._write(chunk, encoding, this.#dataBeforeError ? this.#afterWrite(done) : done);
  }

  // node:net's Socket has _writev although its type does not say so.
  override _writev(chunks: { chunk: unknown; encoding: BufferEncoding }[], done: WriteCallback): void {
    const callback = this.#dataBeforeError ? this.#afterWrite(done) : done;
    (super._writev as NonNullable<typeof this._writev>).call(this, chunks, callback);
  }

  #afterWrite(done: WriteCallback): WriteCallback {
    return (error) => {
      if (error && isReset(error) && !this.readableEnded && !this.destroyed) {
        this.#failedWrite = { error, done };
        this.once('end', () => this.#releaseWrite());
        return;
      }
      done(error);
    };
  }

  #releaseWrite(): void {
    const failed = this.#failedWrite;
    this.#failedWrite = undefined;
    failed?.done(failed.error);
  }
}

function isReadFailure(error: Error): boolean {
  return (error as NodeJS.ErrnoException).syscall === 'read';
}
