import { Duplex } from 'node:stream';
import type net from 'node:net';
import { createHeldErrors, type WriteCallback } from './held-errors.ts';
import { kBroken, kHeld, PatientSocket } from './patient-socket.ts';
import { guarded } from './guard.ts';

interface WithHandle {
  _handle: object | null;
  _parent: net.Socket | null;
}

/** Reads and writes the descriptor, and leaves it open when it fails or is done: the socket closes it. */
class Carrier extends PatientSocket {
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    (this as unknown as WithHandle)._handle = null;
    super._destroy(error, done);
  }
}

/** What a layer of TLS offers the one that runs within it; see TlsLayer. */
export interface OuterLayer {
  read(): void;
  write(chunks: readonly { chunk: unknown; encoding: BufferEncoding }[], done: WriteCallback): void;
  end(done: WriteCallback): void;
  release(): void;
}

/** The decrypted stream of another layer, in place of a descriptor: TLS within TLS. */
export class LayeredCarrier extends PatientSocket {
  /** Whether everything has gone into the outer layer, which now takes its own leave. */
  isLeaving = false;
  readonly #outer: OuterLayer;

  constructor(outer: OuterLayer) {
    super({ allowHalfOpen: true });
    this[kHeld] = { ...createHeldErrors(), isSecure: true };
    this.#outer = outer;
  }

  override _read(): void {
    this.#outer.read();
  }

  override _write(chunk: unknown, encoding: BufferEncoding, done: WriteCallback): void {
    this.#outer.write([{ chunk, encoding }], done);
  }

  override _writev(chunks: { chunk: unknown; encoding: BufferEncoding }[], done: WriteCallback): void {
    this.#outer.write(chunks, done);
  }

  override _final(done: WriteCallback): void {
    this.isLeaving = true;
    this.#outer.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#outer.release();
    super._destroy(error, done);
  }
}

/** The carrier of a socket's own descriptor, which it takes over. */
export function takeDescriptor(socket: net.Socket): PatientSocket {
  const carrier = new Carrier({
    handle: (socket as unknown as WithHandle)._handle,
    allowHalfOpen: true,
    manualStart: true,
  } as unknown as net.SocketConstructorOpts);
  carrier[kHeld] = createHeldErrors();
  // Activity on the carrier refreshes the socket's own timeout.
  (carrier as unknown as WithHandle)._parent = socket;
  return carrier;
}

/**
 * The encrypted bytes of a connection, as a stream for TLS to run on.
 *
 * node:tls neither distinguishes a cut connection from a proper end (close_notify) nor delivers what it decrypted
 * before a reset. So it gets this stream instead of the descriptor: the stream alone sees the connection's own end
 * and failures, shows TLS an end in every case, and keeps the real one (`rawEnd`) for the layer to judge.
 */
export class TlsCarrier extends Duplex {
  /** How the connection under TLS ended: set a turn after everything before it has been decrypted. */
  rawEnd: 'open' | 'ended' | Error = 'open';
  /** Whether TLS is being shown bytes, which it decrypts at once, a record at a time. */
  isPushing = false;
  /** Called when it has decrypted what it was shown. */
  onPushed: (() => void) | undefined;
  readonly #carrier: PatientSocket;

  /** Runs on `carrier`: a descriptor, or another layer. `early` are bytes from it that were read already. */
  constructor(carrier: PatientSocket, early: Buffer) {
    // Does not close by itself: the socket closes the descriptor, and TLS its own parts.
    super({ allowHalfOpen: true, autoDestroy: false, emitClose: false });
    if (early.length > 0) carrier.unshift(early);
    carrier.on('data', (chunk: Buffer) => this.#show(chunk));
    carrier.once('end', () => this.#finish('ended'));
    carrier.on('error', (error: Error) => this.#finish(error));
    (carrier as Duplex).on(kBroken, (error: Error) => this.emit(kBroken, error));
    this.#carrier = carrier;
  }

  /** Stops reading the connection until `resumeReading()`. */
  pauseReading(): void {
    this.#carrier.pause();
  }

  resumeReading(): void {
    this.#carrier.resume();
  }

  /** Releases the descriptor, which stays open. */
  release(): void {
    this.#carrier.destroy();
  }

  override _read(): void {
    // Bytes come as they arrive: the layer pauses the connection, not this stream.
  }

  // A failed write is never answered: the connection's failure follows on the read side, after the last byte.
  override _write(chunk: Buffer, encoding: BufferEncoding, done: () => void): void {
    this.#carrier.write(chunk, encoding, (error) => {
      if (!error) done();
    });
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.#carrier.cork();
    const last = chunks.pop();
    for (const { chunk } of chunks) this.#carrier.write(chunk);
    this._write(last?.chunk ?? Buffer.alloc(0), 'buffer' as BufferEncoding, done);
    this.#carrier.uncork();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#carrier.end((error?: Error | null) => done(this.isLeaving ? null : error));
  }

  /**
   * Whether all that TLS has said, its end included, has gone into a layer below. If that layer then fails to take its
   * leave, because the peer has closed on our end, nothing of this stream is lost.
   */
  get isLeaving(): boolean {
    return this.#carrier instanceof LayeredCarrier && this.#carrier.isLeaving;
  }

  #show(chunk: Buffer): void {
    this.isPushing = true;
    try {
      this.push(chunk);
    } finally {
      this.isPushing = false;
      this.onPushed?.();
    }
  }

  #finish(how: 'ended' | Error): void {
    // A turn later: by then the end that TLS found in the bytes before this one has been reported.
    const tell = () => {
      if (this.rawEnd instanceof Error) return;
      const isFirst = this.rawEnd === 'open';
      this.rawEnd = how;
      if (isFirst) this.push(null);
      this.emit('raw-end');
    };
    setImmediate(guarded(tell));
  }
}
