import net from 'node:net';
import type { Readable, Writable } from 'node:stream';
import {
  isDeadConnection,
  isEarlyBreak,
  isReadFailure,
  isTcp,
  toReadError,
  type Break,
  type HeldErrors,
  type WriteCallback,
} from './held-errors.ts';
import { noteHalfClose, resetAfterHalfClose } from './sure-reset.ts';

/** Set on sockets with `dataBeforeError`. Undefined while node:net's constructor runs: it already reads. */
export const kHeld = Symbol('tnet.held');

/**
 * Event of a socket with `dataBeforeError`: the connection is broken, which the socket keeps back until its reader
 * has taken what came before. Emitted once, from inside other calls: listeners must only take note. They get the
 * error, and whether the peer's stream had come to its end in order before.
 */
export const kBroken = Symbol('tnet.broken');

/**
 * Set on a socket whose descriptor has been half-closed by other means: its own end then changes no more than its
 * state.
 */
export const kHalfClosed = Symbol('tnet.halfClosed');

/** Which socket a read error came from: one that a program hands on to another socket ends that one at once. */
const origins = new WeakMap<Error, PatientSocket>();

/** node:net's Socket with what `dataBeforeError` asks for (see SocketOptions); without it, a net.Socket. */
export class PatientSocket extends net.Socket {
  declare [kHeld]: HeldErrors | undefined;
  declare [kHalfClosed]: boolean | undefined;
  /** node:net's own: set by resetAndDestroy() for the close that follows. */
  declare resetAndClosing: boolean | undefined;

  override destroy(error?: Error): this {
    const held = this[kHeld];
    if (!held) return super.destroy(error);
    if (error && awaitLastWords(this, held, error)) return this;
    if (error && isOwnReadError(this, error) && holdReadError(this, held, error)) return this;
    // Destroyed first: the error that ends the socket is this one, and the failed write only gets its callback.
    super.destroy(error);
    releaseWrite(held);
    return this;
  }

  /** Ends the socket with an error of its read side: with `dataBeforeError`, after the reader has taken every byte. */
  failReading(error: Error): void {
    const held = this[kHeld];
    if (held && holdReadError(this, held, error)) return;
    super.destroy(error);
    if (held) releaseWrite(held);
  }

  /**
   * The peer's stream has come to its end in order, as seen by the code that reads the descriptor in place of this
   * socket.
   */
  endReading(): void {
    const held = this[kHeld];
    if (held) held.ended = true;
    super.push(null);
  }

  override push(chunk: unknown, encoding?: BufferEncoding): boolean {
    const held = this[kHeld];
    if (held?.failedConnect) {
      if (chunk !== null) openBroken(this, held, held.failedConnect);
      else this.destroy(held.failedConnect);
      if (this.destroyed) return false;
    }
    if (chunk !== null || !held || held.ended) return super.push(chunk, encoding);
    held.ended = true;
    // Once our own end has been sent, a write of any length fails, and says nothing about the peer.
    const isOurs = !this.writableEnded && !held.isSecure;
    const error = held.connectionError ?? (isOurs ? probe(this) : undefined);
    if (error && codeOf(error) !== 'EPIPE') {
      this.destroy(toReadError(error));
      return false;
    }
    // EPIPE on TCP: a FIN was received, then a reset. The peer's bytes are whole; ours were not all taken.
    if (error && isTcp(this)) this.once('end', () => this.destroy(error));
    return super.push(null);
  }

  override read(size?: number): unknown {
    const held = this[kHeld];
    if (!held?.read) return super.read(size);
    const rest = this.readableLength;
    const chunk: unknown = super.read(size !== undefined && size > rest ? rest : size);
    if (this.readableLength === 0 && !this.destroyed) {
      const error = held.read;
      process.nextTick(() => this.destroy(error));
    }
    return chunk;
  }

  override _read(size: number): void {
    const held = this[kHeld];
    if (held && !this.connecting) held.isOpening = false;
    // The descriptor has already reported its error: reading it again would see a clean end instead.
    if (held && (held.read ?? held.ended)) return;
    super._read(size);
  }

  override _write(chunk: unknown, encoding: BufferEncoding, done: WriteCallback): void {
    const held = this[kHeld];
    super._write(chunk, encoding, held ? holdFailure(this, held, done) : done);
  }

  // node:net's Socket has _writev although its type does not say so.
  override _writev(chunks: { chunk: unknown; encoding: BufferEncoding }[], done: WriteCallback): void {
    const held = this[kHeld];
    const callback = held ? holdFailure(this, held, done) : done;
    (super._writev as NonNullable<typeof this._writev>).call(this, chunks, callback);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (this.resetAndClosing) resetAfterHalfClose(this);
    super._destroy(error, done);
  }

  override _final(done: WriteCallback): void {
    if (this[kHalfClosed]) {
      done();
      return;
    }
    // After the peer's FIN nothing is read any more, so a reset would go unnoticed. Before it the read side reports
    // one.
    const error = this[kHeld]?.ended && !this.connecting ? probe(this) : undefined;
    if (error) done(error);
    else super._final(noteHalfClose(this, done));
  }
}

// The following are not private methods: those mark each object, which costs every connection.

/** Keeps an error of the read side until the reader has taken every byte. Returns false when there is none left. */
function holdReadError(socket: PatientSocket, held: HeldErrors, error: Error): boolean {
  if (socket.readableLength === 0 || socket.destroyed || held.read) return false;
  held.read = error;
  tellBreak(socket, error);
  // A reader that waits for more than there is must come and take the rest, as at an end.
  if (socket.listenerCount('readable') > 0) process.nextTick(() => socket.emit('readable'));
  return true;
}

/**
 * Reads on when connecting failed because the peer had already broken the connection: if it has sent something,
 * this is a connection like any other that breaks, else the failure stands.
 */
function awaitLastWords(socket: PatientSocket, held: HeldErrors, error: Error): boolean {
  if (!held.isOpening || socket.connecting || socket.destroyed || !isEarlyBreak(error)) return false;
  held.isOpening = false;
  held.failedConnect = error;
  // Not by read(): a reader that came before waits in it for 'connect'.
  socket._read(0);
  return true;
}

/** What the peer sent before it broke the connection is here: node:net's part once a connection stands. */
function openBroken(socket: PatientSocket, held: HeldErrors, failure: Error): void {
  held.failedConnect = undefined;
  const hasEnded = codeOf(failure) === 'EPIPE';
  held.connectionError = toReadError(failure, hasEnded ? 'write' : 'read');
  tellBreak(socket, held.connectionError, hasEnded);
  socket.emit('connect');
  socket.emit('ready');
}

function isOwnReadError(socket: PatientSocket, error: Error): boolean {
  if (!isReadFailure(error)) return false;
  const origin = origins.get(error);
  if (!origin) origins.set(error, socket);
  return (origin ?? socket) === socket;
}

function holdFailure(socket: PatientSocket, held: HeldErrors, done: WriteCallback): WriteCallback {
  return (error) => {
    if (!error || socket.destroyed || !isDeadConnection(error)) {
      done(error);
      return;
    }
    held.connectionError ??= error;
    if (socket.readableEnded || !isBeingRead(socket)) {
      done(error);
      return;
    }
    held.write = { error, done };
    tellBreak(socket, error);
    socket.once('end', () => releaseWrite(held));
  };
}

/** Announces that a socket's connection is broken; see kBroken. */
export function tellBreak(socket: net.Socket, error: Error, hasEnded?: boolean): void {
  const held = socket instanceof PatientSocket ? socket[kHeld] : undefined;
  if (!held || held.told) return;
  held.told = { error, hasEnded: hasEnded ?? held.ended };
  socket.emit(kBroken, error, held.told.hasEnded);
}

/** The break that a stream has announced and may still hold back, for listeners added after that. */
export function findBreak(stream: Readable | Writable): Break | undefined {
  return stream instanceof PatientSocket ? stream[kHeld]?.told : undefined;
}

function isBeingRead(socket: PatientSocket): boolean {
  return socket.readableFlowing !== null || socket.listenerCount('readable') > 0;
}

function releaseWrite(held: HeldErrors): void {
  const failed = held.write;
  held.write = undefined;
  failed?.done(failed.error);
}

const plain = net.Socket.prototype;
const nothing = Buffer.alloc(0);

/**
 * Asks the kernel for a TCP connection's error with a write of no bytes. It uses the error up, so it comes only
 * after the read side's end. Unix sockets answer EPIPE after any close, so they are not asked.
 */
function probe(socket: PatientSocket): Error | undefined {
  if (socket.destroyed || socket.writableFinished || socket.writableLength > 0 || !isTcp(socket)) {
    return undefined;
  }
  let failure: Error | undefined;
  plain._write.call(socket, nothing, 'buffer' as BufferEncoding, (error) => {
    failure = error ?? undefined;
  });
  return failure;
}

function codeOf(error: Error): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
