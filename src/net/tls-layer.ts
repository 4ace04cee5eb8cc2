import type net from 'node:net';
import type { Duplex } from 'node:stream';
import type tls from 'node:tls';
import { errorCode, TnetError } from '../errors.ts';
import { kBroken, PatientSocket, tellBreak } from './patient-socket.ts';
import { LayeredCarrier, takeDescriptor, TlsCarrier, type OuterLayer } from './tls-carrier.ts';
import { guarded } from './guard.ts';
import type { WriteCallback } from './held-errors.ts';

/** What setSecure() takes: a client's options of tls.connect(), a server's of tls.TLSSocket. */
export interface SecureUpgradeOptions extends tls.ConnectionOptions, Omit<tls.TLSSocketOptions, 'server'> {
  /** Which part of the handshake to take. Default: the server's for accepted connections, else the client's. */
  readonly isServer?: boolean | undefined;
  /** Of a server with `requestCert`: a client may show none, but not a wrong one. Default false. */
  readonly certificateOptional?: boolean | undefined;
}

/** TLS between a socket and its descriptor, or another layer; from setSecure() to the socket's end. */
export interface TlsLayer extends OuterLayer {
  readonly tls: tls.TLSSocket;
  /** Whether its handshake is done. */
  readonly isEstablished: boolean;
  /** Releases the descriptor, which the socket is about to close. */
  release(): void;
  /** Gives what is decrypted to another stream instead of the socket: a second layer is put on this one. */
  handOver(inner: PatientSocket): void;
}

interface SocketInternals {
  readonly _handle: object | null;
  readonly _server: object | null;
}

/**
 * Puts TLS under a connected socket once everything written to it in the clear is on its way.
 *
 *     socket ──▶ tls.TLSSocket ──▶ TlsCarrier ──▶ a net.Socket on the socket's handle
 *
 * On a connection that is secure already, this is TLS within TLS, as to a server behind a TLS proxy: the carrier of
 * the second layer is a stream on the first.
 *
 * `install` is called when the layer takes over; writes made before that wait for it.
 */
export function startTlsLayer(
  socket: net.Socket,
  present: TlsLayer | undefined,
  options: SecureUpgradeOptions,
  install: (layer: TlsLayer) => void,
): void {
  if (present && !present.isEstablished) {
    throw createStateError('ERR_INVALID_STATE', 'The connection is being secured already');
  }
  const { _handle: handle } = socket as unknown as SocketInternals;
  if (!handle || socket.connecting || socket.destroyed) {
    throw createStateError('ERR_SOCKET_CLOSED', 'There is no connection to secure');
  }
  if (socket.writableLength === 0) install(createLayer(socket, present, options));
  else waitForClearText(socket, () => install(createLayer(socket, present, options)));
}

/**
 * Node joins queued writes, so what comes after setSecure() must not join what came before. Until the clear text is
 * written, calls of the socket's own write() and end() are queued, and made then.
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

function createLayer(
  socket: net.Socket,
  outer: TlsLayer | undefined,
  options: SecureUpgradeOptions,
): TlsLayer {
  const carrier = new TlsCarrier(outer ? layOn(outer) : takeDescriptor(socket), takeBuffered(socket));
  /** What takes the decrypted stream: the socket, until another layer is put on this one. */
  let owner = socket;
  const hasSaidAll = () => owner.writableFinished || carrier.isLeaving;
  const isServer = options.isServer ?? (socket as unknown as SocketInternals)._server !== null;
  const secure = startTls(carrier, options, isServer);
  let isEstablished = false;
  let isEnded = false;
  // What one read brought is passed on as one chunk: four records of 16 KiB would be written to their sink one by
  // one.
  let records: Buffer[] = [];
  const flush = () => {
    const [first, second] = records;
    if (!first) return;
    const chunk = second ? Buffer.concat(records) : first;
    records = [];
    if (!owner.push(chunk)) carrier.pauseReading();
  };
  const establish = () => {
    const refusal = isServer ? findClientFault(secure, options) : undefined;
    if (refusal) {
      fail(refusal);
      return;
    }
    isEstablished = true;
    const tell = () => {
      if (!socket.destroyed) socket.emit('secure');
    };
    // A server gets the event while its handshake is not quite over: an end() would then go out without
    // close_notify.
    if (isServer) setImmediate(guarded(tell));
    else tell();
  };
  let failure: Error | undefined;
  const fail = (error: Error) => {
    flush();
    isEnded = true;
    failure = error;
    if (owner instanceof PatientSocket) owner.failReading(error);
    else owner.destroy(error);
  };
  secure.once(isServer ? 'secure' : 'secureConnect', establish);
  // TLS always flows, so that nothing decrypted waits where an error would drop it: the connection is held instead.
  secure.on('data', (chunk: Buffer) => {
    records.push(chunk);
    if (!carrier.isPushing) flush();
  });
  carrier.onPushed = flush;
  const end = () => {
    if (isEnded) return;
    if (!isEstablished) fail(describeRawEnd(carrier, handshakeCut));
    else if (carrier.rawEnd !== 'open') fail(describeRawEnd(carrier, streamCut));
    else {
      isEnded = true;
      owner.push(null);
    }
  };
  secure.on('end', end);
  secure.on('error', (error: Error) => {
    if (isEnded && hasSaidAll()) return;
    const isCut = !isEstablished && carrier.rawEnd !== 'open';
    fail(isCut ? describeRawEnd(carrier, handshakeCut) : error);
  });
  secure.on('close', () => {
    if (!isEnded) owner.destroy();
  });
  carrier.on('raw-end', () => {
    // node:tls no longer notices the peer's end once its own has been sent.
    setImmediate(guarded(end));
    // After the peer's proper end, a failure is one of writing.
    if (isEnded && carrier.rawEnd instanceof Error && !hasSaidAll()) owner.destroy(carrier.rawEnd);
  });
  // Held back while the socket's reader takes nothing, as the socket itself does.
  carrier.on(kBroken, (error: Error) => tellBreak(owner, error));
  carrier.resumeReading();
  /** Where TLS is gone, what ended it is the reason, which may be known only later. */
  const answer = (done: WriteCallback) => (error?: Error | null) => {
    const isGone = errorCode(error) === 'ERR_STREAM_DESTROYED';
    const tell = () => {
      if (!isGone) done(error);
      else if (failure) done(failure);
      else if (carrier.rawEnd instanceof Error) done(carrier.rawEnd);
      else if (isEnded) done(error);
      // Else the read side is about to fail, and tells.
    };
    if (!isGone || failure || carrier.rawEnd !== 'open') tell();
    else carrier.once('raw-end', tell);
  };
  return {
    tls: secure,
    get isEstablished() {
      return isEstablished;
    },
    handOver(inner) {
      owner = inner;
      if (isEnded) inner.endReading();
    },
    read: () => carrier.resumeReading(),
    write(chunks, done) {
      secure.cork();
      const last = chunks.length - 1;
      chunks.forEach(({ chunk, encoding }, index) => {
        secure.write(chunk as Buffer, encoding, index === last ? answer(done) : undefined);
      });
      secure.uncork();
    },
    end: (done) => void secure.end(answer(done)),
    release() {
      isEnded = true;
      carrier.release();
      secure.destroy();
    },
  };
}

function layOn(outer: TlsLayer): PatientSocket {
  const inner = new LayeredCarrier(outer);
  outer.handOver(inner);
  return inner;
}

function startTls(carrier: Duplex, options: SecureUpgradeOptions, isServer: boolean): tls.TLSSocket {
  // Loaded when it is first needed: node:tls costs more to load than all of this module.
  const { connect, TLSSocket, createSecureContext } = process.getBuiltinModule('node:tls');
  if (!isServer) return connect({ ...options, socket: carrier });
  const secureContext = options.secureContext ?? createSecureContext(options);
  const wants = options.certificateOptional ? { rejectUnauthorized: false } : {};
  return new TLSSocket(carrier, { ...options, ...wants, isServer: true, secureContext });
}

/**
 * tls.Server checks a client's certificate; for a lone socket nothing does. Source: onServerSocketSecure in
 * node:tls.
 */
function findClientFault(secure: tls.TLSSocket, options: SecureUpgradeOptions): Error | undefined {
  if (!options.requestCert) return undefined;
  // Without a certificate Node gives an empty object.
  if (options.certificateOptional && !('raw' in secure.getPeerCertificate())) return undefined;
  const { _handle: handle } = secure as unknown as { _handle: { verifyError(): Error | null } };
  const fault = handle.verifyError() ?? undefined;
  secure.authorized = fault === undefined;
  return options.rejectUnauthorized === false ? undefined : fault;
}

const handshakeCut = {
  code: 'TNET_E_TLS',
  message: 'the peer ended the connection during the TLS handshake',
} as const;
const streamCut = {
  code: 'TNET_E_TRUNCATED',
  message: 'the peer ended the connection without ending TLS, so its data may be cut short',
} as const;

function describeRawEnd({ rawEnd }: TlsCarrier, cut: typeof handshakeCut | typeof streamCut): Error {
  return rawEnd instanceof Error ? rawEnd : new TnetError(cut.code, cut.message);
}

/** Bytes that were read in the clear and not consumed: the beginning of the handshake. */
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
