import { readTlsNames } from '../net/tls-names.ts';
import type { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { TnetError } from '../errors.ts';
import type { SecureUpgradeOptions, Socket } from '../net/index.ts';
import type { createSecureContext, TLSSocket } from '../net/tls.ts';
import type { Event } from '../report/events.ts';
import { describeCertificate, listChain, type CertificateReport, explainFault } from './certificate.ts';

/** The TLS settings for one side of any number of connections. */
export interface TlsSettings {
  /** Certificates, keys and authorities, prepared once. */
  readonly context: ReturnType<typeof createSecureContext>;
  /** Whether the peer's certificate is checked against the authorities, and by a client against the name. */
  readonly verify: boolean;
  /** Protocols to offer (client) or to accept (server), the preferred first. */
  readonly alpn?: readonly string[] | undefined;
  /** Called with each line for SSLKEYLOGFILE. */
  readonly onKeylog?: ((line: Buffer) => void) | undefined;
  /** Called when the handshake is done, even if the peer is then refused. */
  readonly onHandshake?: ((report: TlsReport, socket: Socket) => void) | undefined;
}

/** The result of a handshake. */
export interface TlsReport {
  readonly protocol: string;
  readonly cipher: string;
  readonly alpn: string | undefined;
  /** Whether the peer's certificate has been checked and accepted. */
  readonly verified: boolean;
  /** Whether it resumed the session of an earlier connection. */
  readonly isReused: boolean;
  /** The peer's certificates, its own first. Empty: it showed none, as in a reused session. */
  readonly chain: readonly CertificateReport[];
}

export interface Handshake {
  /** The name of the peer in errors. */
  readonly name: string;
  /** The peer is a proxy on the way. Default false. */
  readonly isProxy?: boolean | undefined;
  readonly signal: AbortSignal | undefined;
  /** Which side to take, and the options that only that side has. */
  readonly side: SecureUpgradeOptions;
  /** Called with the layer before anything has gone over it. */
  readonly onLayer?: (layer: TLSSocket) => void;
}

/**
 * Puts TLS on a connected socket, in place.
 *
 * @returns the peer's certificates, its own first
 * @throws an Error with OpenSSL's code and a sentence for a refused certificate, TnetError TNET_E_TLS for a broken
 *   handshake, or the signal's reason. Closing the connection is then still up to the caller.
 */
export async function shakeHands(
  socket: Socket,
  settings: TlsSettings,
  { name, isProxy = false, signal, side, onLayer }: Handshake,
): Promise<readonly X509Certificate[]> {
  signal?.throwIfAborted();
  // The layer starts at once when nothing waits to be written in the clear.
  if (socket.writableLength > 0) await new Promise((resolve) => socket.write('', resolve));
  socket.setSecure({
    ...side,
    secureContext: settings.context,
    ALPNProtocols: settings.alpn && [...settings.alpn],
    rejectUnauthorized: settings.verify,
  });
  const layer = socket.secureLayer;
  if (!layer) throw new TnetError('TNET_E_TLS', 'the connection was closed before TLS');
  if (settings.onKeylog) layer.on('keylog', settings.onKeylog);
  onLayer?.(layer);
  let seen: TlsReport | undefined;
  let chain: readonly X509Certificate[] = [];
  // First in line: once a certificate is refused, the connection cannot be asked for anything.
  layer.prependOnceListener('secure', () => {
    chain = listChain(layer.getPeerCertificate(true));
    seen = describeLayer(layer, chain);
  });
  const report = (verified: boolean) => {
    if (seen) settings.onHandshake?.({ ...seen, verified }, socket);
  };
  // If the socket is closed meanwhile without an error, no other event would report its end.
  const closed = new AbortController();
  const onClose = () => closed.abort();
  socket.once('close', onClose);
  try {
    await once(socket, 'secure', { signal: AbortSignal.any([closed.signal, ...(signal ? [signal] : [])]) });
  } catch (error) {
    if (signal?.aborted) throw signal.reason as Error;
    if (closed.signal.aborted) throw new TnetError('TNET_E_TLS', 'the connection was closed before TLS');
    report(false);
    throw explainFault(error as Error, chain, { name, isServer: !side.isServer, isProxy });
  } finally {
    socket.off('close', onClose);
  }
  report(settings.verify && layer.authorized);
  return chain;
}

function describeLayer(layer: TLSSocket, chain: readonly X509Certificate[]): TlsReport {
  return {
    protocol: layer.getProtocol() ?? 'unknown',
    cipher: (layer.getCipher() as { name?: string } | undefined)?.name ?? 'unknown',
    alpn: readTlsNames(layer).alpn,
    verified: false,
    isReused: layer.isSessionReused(),
    chain: chain.map(describeCertificate),
  };
}

/** Reports the result of a handshake, and the certificates that the peer has shown. */
export function reportHandshake(emit: (event: Event) => void, remote: string, report: TlsReport): void {
  const { protocol, cipher, alpn, verified, chain } = report;
  emit({ event: 'tls', remote, protocol, cipher, ...(alpn !== undefined && { alpn }), verified });
  for (const certificate of chain) emit({ event: 'certificate', remote, ...certificate });
}
