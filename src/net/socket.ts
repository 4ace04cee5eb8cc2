import { channel } from 'node:diagnostics_channel';
import net from 'node:net';
import type { AcceptedHandle } from './handles.ts';
import {
  createHeldErrors,
  isDeadConnection,
  isReadFailure,
  isTcp,
  toReadError,
  type HeldErrors,
  type WriteCallback,
} from './held-errors.ts';
import { internals, kState, type StatefulServer } from './server-state.ts';

export interface SocketOptions extends net.SocketConstructorOpts {
  /**
   * Deliver every byte that the peer sent before the error that ended the connection: `'error'` waits until the
   * reader has taken what was received, a failed write waits until the read side has come to its own end, and a
   * reset is never taken for a clean end. node:net drops bytes and can miss resets. A socket that nobody reads from
   * gets its write errors at once. Default false, as in node:net.
   */
  readonly dataBeforeError?: boolean | undefined;
  /** With `keepAlive`: milliseconds between probes. Default: node:net's, one second. */
  readonly keepAliveInterval?: number | undefined;
  /** With `keepAlive`: unanswered probes after which the connection fails. Default: node:net's, ten. */
  readonly keepAliveCount?: number | undefined;
}

/** Set on sockets with `dataBeforeError`. Undefined while node:net's constructor runs: it already reads. */
const kHeld = Symbol('held');

/** Which socket a read error came from: one that a program hands on to another socket ends that one at once. */
const origins = new WeakMap<Error, Socket>();

/**
 * A TCP or Unix socket: node:net's Socket, plus what the contract in docs/net-contract.md adds to it.
 * The socket belongs to whoever created it; `destroy()` or both sides' ends close it.
 */
export class Socket extends net.Socket {
  declare [kHeld]: HeldErrors | undefined;

  constructor(options: SocketOptions = {}) {
    super(options);
    if (options.dataBeforeError) this[kHeld] = createHeldErrors();
    const { keepAlive, keepAliveInitialDelay, keepAliveInterval, keepAliveCount } = options;
    if (keepAlive && (keepAliveInterval ?? keepAliveCount) !== undefined) {
      (this.setKeepAlive as SetKeepAlive)(true, keepAliveInitialDelay, keepAliveInterval, keepAliveCount);
    }
  }

  /** The read error that waits until the reader has taken every byte; only with `dataBeforeError`. */
  get heldError(): Error | undefined {
    return this[kHeld]?.read;
  }

  override connect(...args: unknown[]): this {
    if (this.destroyed && this[kHeld]) this[kHeld] = createHeldErrors();
    return (super.connect as (...args: unknown[]) => this)(...args);
  }

  override destroy(error?: Error): this {
    const held = this[kHeld];
    if (!held) return super.destroy(error);
    if (error && isOwnReadError(this, error) && this.readableLength > 0 && !this.destroyed && !held.read) {
      held.read = error;
      // A reader that waits for more than there is must come and take the rest, as at an end.
      if (this.listenerCount('readable') > 0) process.nextTick(() => this.emit('readable'));
      return this;
    }
    // Destroyed first: the error that ends the socket is this one, and the failed write only gets its callback.
    super.destroy(error);
    releaseWrite(held);
    return this;
  }

  override push(chunk: unknown, encoding?: BufferEncoding): boolean {
    const held = this[kHeld];
    if (chunk !== null || !held || held.ended) return super.push(chunk, encoding);
    held.ended = true;
    // Once our own end is on its way a write of any length fails, and says nothing of the peer.
    const error = held.connectionError ?? (this.writableEnded ? undefined : probe(this));
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
    // The descriptor has already told its error: reading it again would see a clean end instead.
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

  override _final(done: WriteCallback): void {
    // After the peer's FIN nothing is read any more, so a reset would pass unseen. Before it the read side tells.
    const error = this[kHeld]?.ended && !this.connecting ? probe(this) : undefined;
    if (error) done(error);
    else super._final(done);
  }
}

/** Makes an accepted connection a Socket of the server, with the server's options, and announces it. */
export function adoptHandle(server: StatefulServer, handle: AcceptedHandle): void {
  const fields = internals(server);
  const { dataBeforeError, keepAliveInterval, keepAliveCount } = server[kState].options;
  const socket = new Socket({
    handle,
    allowHalfOpen: fields.allowHalfOpen,
    pauseOnCreate: fields.pauseOnConnect,
    readable: true,
    writable: true,
    readableHighWaterMark: fields.highWaterMark,
    writableHighWaterMark: fields.highWaterMark,
    dataBeforeError,
  } as unknown as SocketOptions);
  if (fields.noDelay) socket.setNoDelay(true);
  if (fields.keepAlive) {
    const idleMs = fields.keepAliveInitialDelay * 1000;
    (socket.setKeepAlive as SetKeepAlive)(true, idleMs, keepAliveInterval, keepAliveCount);
  }
  fields._connections++;
  Object.assign(socket, { server, _server: server });
  server.emit('connection', socket);
  if (serverSocketChannel.hasSubscribers) serverSocketChannel.publish({ socket });
}

/** Node 24.19's, which the installed types may not know yet. Times in milliseconds. */
type SetKeepAlive = (enable: boolean, idleMs?: number, intervalMs?: number, count?: number) => Socket;

/** Node's own channel for accepted connections. Source: Node doc, diagnostics_channel, "Net". */
const serverSocketChannel = channel('net.server.socket');

function isOwnReadError(socket: Socket, error: Error): boolean {
  if (!isReadFailure(error)) return false;
  const origin = origins.get(error);
  if (!origin) origins.set(error, socket);
  return (origin ?? socket) === socket;
}

function holdFailure(socket: Socket, held: HeldErrors, done: WriteCallback): WriteCallback {
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
    socket.once('end', () => releaseWrite(held));
  };
}

function isBeingRead(socket: Socket): boolean {
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
function probe(socket: Socket): Error | undefined {
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
