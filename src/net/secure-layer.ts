import net from 'node:net';
import type tls from 'node:tls';
import type { WriteCallback } from './held-errors.ts';

/** What setSecure() takes: a client's options of tls.connect(), a server's of tls.TLSSocket. */
export interface SecureUpgradeOptions extends tls.ConnectionOptions, Omit<tls.TLSSocketOptions, 'server'> {
  /** Which part of the handshake to take. Default: the server's for accepted connections, else the client's. */
  readonly isServer?: boolean | undefined;
}

/** TLS between a socket and its descriptor, from setSecure() to the socket's end. */
export interface SecureLayer {
  readonly tls: tls.TLSSocket;
  read(): void;
  write(chunks: readonly { chunk: unknown; encoding: BufferEncoding }[], done: WriteCallback): void;
  end(done: WriteCallback): void;
  /** What the socket closes as its handle when it is destroyed: node:tls has to close the true one. */
  closingHandle(): object;
}

interface SocketInternals {
  _handle: object | null;
  _parent: net.Socket | null;
  _server: object | null;
}

/**
 * Puts TLS under a connected socket once everything written to it in the clear is on its way.
 *
 *     socket ──▶ tls.TLSSocket ──▶ carrier: a net.Socket on the socket's handle
 *
 * `install` is called when the layer takes over; writes made before that wait for it.
 */
export function startSecureLayer(
  socket: net.Socket,
  present: SecureLayer | undefined,
  options: SecureUpgradeOptions,
  install: (layer: SecureLayer) => void,
): void {
  if (present) throw createStateError('ERR_INVALID_STATE', 'The connection is secure already');
  const { _handle: handle } = socket as unknown as SocketInternals;
  if (!handle || socket.connecting || socket.destroyed) {
    throw createStateError('ERR_SOCKET_CLOSED', 'There is no connection to secure');
  }
  if (socket.writableLength === 0) install(createLayer(socket, options));
  else waitForClearText(socket, () => install(createLayer(socket, options)));
}

/**
 * Node joins queued writes, so what comes after setSecure() must not join what came before. Until the clear text is
 * written, the socket's own write() and end() are kept aside, and made good then.
 */
function waitForClearText(socket: net.Socket, start: () => void): void {
  const waiting: (() => void)[] = [];
  const keep =
    (name: 'write' | 'end') =>
    (...args: unknown[]) => {
      waiting.push(() => void (socket[name] as (...args: unknown[]) => unknown)(...args));
      return name === 'end' ? socket : false;
    };
  socket.write('', () => {
    delete (socket as Partial<net.Socket>).write;
    delete (socket as Partial<net.Socket>).end;
    if (socket.destroyed) return;
    start();
    for (const call of waiting) call();
    socket.emit('drain');
  });
  Object.assign(socket, { write: keep('write'), end: keep('end') });
}

function createLayer(socket: net.Socket, options: SecureUpgradeOptions): SecureLayer {
  // Loaded when it is first needed: node:tls costs more to load than all of this module.
  const { connect, TLSSocket, createSecureContext } = process.getBuiltinModule('node:tls');
  const fields = socket as unknown as SocketInternals;
  const early = takeBuffered(socket);
  const carrier = new net.Socket({
    handle: fields._handle,
    allowHalfOpen: socket.allowHalfOpen,
    manualStart: true,
  } as unknown as net.SocketConstructorOpts);
  if (early.length > 0) carrier.unshift(early);
  const parts = carrier as unknown as SocketInternals;
  // Activity on the carrier refreshes the socket's own timeout.
  parts._parent = socket;

  const isServer = options.isServer ?? fields._server !== null;
  const secure = isServer
    ? new TLSSocket(carrier, {
        ...options,
        isServer: true,
        secureContext: options.secureContext ?? createSecureContext(options),
      })
    : connect({ ...options, socket: carrier });
  secure.once(isServer ? 'secure' : 'secureConnect', () => socket.emit('secure'));
  secure.on('data', (chunk: Buffer) => {
    if (!socket.push(chunk)) secure.pause();
  });
  secure.on('end', () => socket.push(null));
  secure.on('error', (error: Error) => socket.destroy(error));
  secure.on('close', () => socket.destroy());
  return {
    tls: secure,
    read: () => void secure.resume(),
    write(chunks, done) {
      secure.cork();
      const last = chunks.length - 1;
      chunks.forEach(({ chunk, encoding }, index) => {
        secure.write(chunk as Buffer, encoding, index === last ? done : undefined);
      });
      secure.uncork();
    },
    end: (done) => void secure.end(done),
    closingHandle: () => ({
      bytesRead: carrier.bytesRead,
      bytesWritten: carrier.bytesWritten,
      close(callback: () => void) {
        if (carrier.closed) setImmediate(callback);
        else carrier.once('close', callback);
        secure.destroy();
        carrier.destroy();
      },
    }),
  };
}

/** Bytes that were read in the clear and that nobody has taken: the beginning of the handshake. */
function takeBuffered(socket: net.Socket): Buffer {
  const chunks: Buffer[] = [];
  for (let chunk: unknown; socket.readableLength > 0 && (chunk = socket.read()) !== null;) {
    chunks.push(Buffer.from(chunk as Buffer));
  }
  return Buffer.concat(chunks);
}

function createStateError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
