import net from 'node:net';
import { makeCallable } from './callable.ts';
import { createHeldErrors, type WriteCallback } from './held-errors.ts';
import { kHalfClosed, kHeld, PatientSocket } from './patient-socket.ts';
import { startTlsLayer, type TlsLayer, type SecureUpgradeOptions } from './tls-layer.ts';
import { type SocketOptions, checkDescriptor, checkType, fitTarget, type SocketType } from './socket-type.ts';

const kType = Symbol('tnet.type');
const kTls = Symbol('tnet.tls');

/** Node 24.19's, which the installed types may not know yet. Times in milliseconds. */
export type SetKeepAlive = (
  enable: boolean,
  idleMs?: number,
  intervalMs?: number,
  count?: number,
) => net.Socket;

interface Chunk {
  readonly chunk: unknown;
  readonly encoding: BufferEncoding;
}

/** What Socket is without being callable; the module's own code constructs it directly. */
export class SocketClass extends PatientSocket {
  declare [kType]: SocketType | undefined;
  /** Set by setSecure(): from then on bytes go through it. */
  declare [kTls]: TlsLayer | undefined;

  /** Characters and bytes that wait in Node to be sent. Undefined without a connection, as in node:net. */
  declare readonly bufferSize: number;

  constructor(options?: SocketOptions) {
    super(withoutNulls(options));
    initialiseSocket(this, options);
  }

  /** The read error that waits until the reader has taken every byte; only with `dataBeforeError`. */
  get heldError(): Error | undefined {
    return this[kHeld]?.read;
  }

  /** The TLS connection after setSecure(), with its certificates and protocol; until then undefined. */
  get secureLayer(): TlsLayer['tls'] | undefined {
    return this[kTls]?.tls;
  }

  /**
   * Upgrades the connection in place to TLS, as after STARTTLS. What is written before goes out in the clear, what
   * comes after is encrypted, and 'data' goes on with what is decrypted. 'secure' follows when the handshake is done
   * and the certificate accepted, else 'error'. An accepted connection takes the server's part unless
   * `isServer` says otherwise. Bytes of the handshake that were read already can be put back with unshift() first.
   * On a connection that is secure already this is TLS within TLS, and `secureLayer` the inner one.
   *
   * @throws Error ERR_SOCKET_CLOSED when there is no connection, ERR_INVALID_STATE while it is being secured.
   */
  setSecure(options: SecureUpgradeOptions = {}, listener?: () => void): this {
    if (listener) this.once('secure', listener);
    startTlsLayer(this, this[kTls], options, (layer) => {
      this[kTls] = layer;
      if (this[kHeld]) this[kHeld].isSecure = true;
    });
    return this;
  }

  override connect(options: net.SocketConnectOpts, listener?: () => void): this;
  override connect(port: number, host?: string, listener?: () => void): this;
  override connect(port: number, listener?: () => void): this;
  override connect(path: string, listener?: () => void): this;
  override connect(...args: unknown[]): this {
    if (this.destroyed) {
      this[kTls] = undefined;
      if (this[kHeld]) this[kHeld] = createHeldErrors();
    }
    if (this[kHeld]) this[kHeld].isOpening = true;
    const type = this[kType];
    if (type) args = [fitArguments(args, type)];
    return (super.connect as (...args: unknown[]) => this)(...args);
  }

  override _read(size: number): void {
    const layer = this[kTls];
    if (layer) layer.read();
    else super._read(size);
  }

  override _write(chunk: unknown, encoding: BufferEncoding, done: WriteCallback): void {
    const layer = this[kTls];
    if (layer) layer.write([{ chunk, encoding }], done);
    else super._write(chunk, encoding, done);
  }

  override _writev(chunks: Chunk[], done: WriteCallback): void {
    const layer = this[kTls];
    if (layer) layer.write(chunks, done);
    else super._writev(chunks, done);
  }

  override _final(done: WriteCallback): void {
    const layer = this[kTls];
    if (layer) layer.end(done);
    else super._final(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this[kTls]?.release();
    super._destroy(error, done);
  }
}

// Defined on the prototype: looking up a property that no object has costs more, several times per connection.
Object.assign(SocketClass.prototype, {
  [kHeld]: undefined,
  [kType]: undefined,
  [kTls]: undefined,
  [kHalfClosed]: undefined,
});

function initialiseSocket(socket: SocketClass, options: SocketOptions | null | undefined): void {
  if (typeof options !== 'object' || options === null) return;
  if (options.dataBeforeError) socket[kHeld] = createHeldErrors();
  if (options.type != null) {
    socket[kType] = checkType(options.type);
    if (options.fd != null) checkDescriptor(socket, options.type);
  }
  const { keepAlive, keepAliveInitialDelay, keepAliveInterval, keepAliveCount } = options;
  if (keepAlive && (keepAliveInterval ?? keepAliveCount) !== undefined) {
    (socket.setKeepAlive as SetKeepAlive)(true, keepAliveInitialDelay, keepAliveInterval, keepAliveCount);
  }
}

/** node:net takes `fd: null` for a wrong descriptor; the seed's default is null. */
function withoutNulls(options: SocketOptions | undefined): net.SocketConstructorOpts | undefined {
  if (options?.type != null) checkType(options.type);
  return (options?.fd === null ? { ...options, fd: undefined } : options) as net.SocketConstructorOpts;
}

type NormalizedArguments = [options: object, listener: (() => void) | null];

const { _normalizeArgs: normalizeArguments } = net as unknown as {
  _normalizeArgs: (args: unknown[]) => NormalizedArguments;
};

function fitArguments(args: unknown[], type: SocketType): NormalizedArguments {
  // node:net passes on what it has normalized already, marked as such: the array itself has to stay.
  const normalized = (Array.isArray(args[0]) ? args[0] : normalizeArguments(args)) as NormalizedArguments;
  normalized[0] = fitTarget(normalized[0], type);
  return normalized;
}

/**
 * A TCP or Unix socket: node:net's Socket, plus what the contract in docs/net-contract.md adds to it. The socket
 * belongs to its creator; `destroy()` or both sides' ends close it.
 *
 * As with node:net it may be called without `new`. `instanceof` says yes to every socket of node:net too.
 */
export const Socket = makeCallable(SocketClass, net.Socket, 'Socket', (socket, options) => {
  (net.Socket as unknown as (this: net.Socket, options?: object) => void).call(socket, withoutNulls(options));
  initialiseSocket(socket, options);
});
export type Socket = SocketClass;
