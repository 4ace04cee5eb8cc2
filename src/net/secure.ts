import { once } from 'node:events';
import type net from 'node:net';
import tls from 'node:tls';
import { TnetError } from '../errors.ts';
import { longestDelayMs } from '../quantities.ts';
import { connectTcp, type RaceOptions } from './happy-eyeballs.ts';
import { isIP } from '../address/ip.ts';
import { withoutRootDot } from './lookup.ts';

/** node:tls's own types, so that no other folder imports it. */
export type {
  ConnectionOptions,
  DetailedPeerCertificate,
  PeerCertificate,
  Server as SecureServer,
  TLSSocket as SecureSocket,
  TlsOptions,
} from 'node:tls';

export interface SecureConnectOptions {
  /** The server's name for SNI and for the certificate's check. Default: the host, if it is a name. */
  readonly servername?: string | undefined;
  /** The rest of tls.connect()'s options: ca, cert, key, ALPNProtocols, rejectUnauthorized, … */
  readonly tls?: tls.ConnectionOptions | undefined;
}

/**
 * Connects by TCP as connectTcp() does and then by TLS, within the same limit and signal.
 * Resolves when the handshake is done and the certificate accepted; the socket belongs to the caller.
 * Rejects as connectTcp() does, or with the handshake's error; then nothing stays open.
 */
export async function connectSecure(options: RaceOptions & SecureConnectOptions): Promise<tls.TLSSocket> {
  const started = performance.now();
  const socket = await connectTcp(options);
  const { host = 'localhost', servername, timeoutMs } = options;
  const limit = timeoutMs === undefined || timeoutMs === Infinity ? undefined : timeoutMs;
  const leftMs = limit && Math.max(1, limit - (performance.now() - started));
  return upgrade(socket, {
    ...options.tls,
    servername: withoutRootDot(servername ?? options.tls?.servername ?? (isIP(host) === 0 ? host : '')),
    host: withoutRootDot(host),
    timeoutMs: leftMs,
    signal: options.signal,
  });
}

/** Creates a TLS server; see tls.createServer() in the Node documentation. */
export function createSecureServer(
  options: tls.TlsOptions,
  listener?: (socket: tls.TLSSocket) => void,
): tls.Server {
  return tls.createServer(options, listener);
}

export interface UpgradeOptions extends Omit<tls.ConnectionOptions, 'socket' | 'signal'> {
  /** Take the server's part of the handshake. Needs `cert` and `key`, or `secureContext`. Default false. */
  readonly isServer?: boolean | undefined;
  /** With `isServer`: ask the client for a certificate. */
  readonly requestCert?: boolean | undefined;
  /** The limit for the handshake, in milliseconds. Default: no limit. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Puts TLS on a connected socket, as either side, and resolves with the secure socket when the handshake is done.
 * The given socket must not be used any more; closing the secure socket closes it, and so does a failed handshake.
 * See Socket.setSecure() for the upgrade of a socket in place.
 */
export async function upgrade(socket: net.Socket, options: UpgradeOptions): Promise<tls.TLSSocket> {
  const { isServer, timeoutMs, signal, ...rest } = options;
  const secure = isServer
    ? new tls.TLSSocket(socket, {
        ...rest,
        isServer,
        secureContext: rest.secureContext ?? tls.createSecureContext(rest),
      })
    : tls.connect({ ...rest, socket });
  const limit = new AbortController();
  const timer =
    timeoutMs === undefined || timeoutMs > longestDelayMs
      ? undefined
      : setTimeout(() => limit.abort(createTimeoutError(timeoutMs)), timeoutMs);
  const ends = signal ? AbortSignal.any([signal, limit.signal]) : limit.signal;
  try {
    await once(secure, isServer ? 'secure' : 'secureConnect', { signal: ends });
    return secure;
  } catch (error) {
    secure.on('error', () => undefined).destroy();
    throw ends.aborted ? (ends.reason as Error) : error;
  } finally {
    clearTimeout(timer);
  }
}

function createTimeoutError(timeoutMs: number): Error {
  return new TnetError('TNET_E_TIMEOUT', `no TLS handshake within ${Math.round(timeoutMs)} ms`);
}

/** Makes the certificates and keys of a connection ready for use; see tls.createSecureContext(). */
export const { createSecureContext, checkServerIdentity, getCACertificates, getCiphers } = tls;
