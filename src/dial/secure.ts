import type { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { TnetError } from '../errors.ts';
import { isIP } from '../address/ip.ts';
import { withoutRootDot } from '../net/lookup.ts';
import type { Socket } from '../net/index.ts';
import type { SecureUpgradeOptions } from '../net/secure-layer.ts';
import { createSecureContext, type SecureSocket } from '../net/secure.ts';
import { createStarttls } from '../protocol/starttls/create-starttls.ts';
import type { StarttlsProtocol } from '../protocol/starttls/dialogue.ts';
import { describeCertificate, listChain, matchesPin, type CertificateReport } from './certificate.ts';
import { explainFault } from './certificate-fault.ts';
import { converse } from '../net/converse.ts';
import { createContext } from './secure-settings.ts';

type SecureContext = ReturnType<typeof createSecureContext>;

/** What TLS is to be, for one side of any number of connections. */
export interface SecureSettings {
  /** Certificates, keys and authorities, made ready once. */
  readonly context: SecureContext;
  /** Whether the peer's certificate is checked against the authorities, and by a client against the name. */
  readonly verify: boolean;
  /** Protocols to offer (client) or to accept (server), the preferred first. */
  readonly alpn?: readonly string[] | undefined;
  /** Called with each line for SSLKEYLOGFILE. */
  readonly onKeylog?: ((line: Buffer) => void) | undefined;
  /** Called when the handshake is done, also when the peer is then refused. */
  readonly onHandshake?: ((report: SecureReport, socket: Socket) => void) | undefined;
}

export interface ClientSecureSettings extends SecureSettings {
  /** The name to ask for and to find in the certificate. Default: the host that was dialled. */
  readonly servername?: string | undefined;
  /** SHA-256 of the public key or of the certificate; one of them must be the peer's. Default: none is asked for. */
  readonly pins?: readonly Buffer[] | undefined;
  /** The plain protocol that is led to TLS first. */
  readonly starttls?: StarttlsProtocol | undefined;
}

export interface ServerSecureSettings extends SecureSettings {
  /** Clients must show a certificate. */
  readonly requireCertificate: boolean;
}

/** What a handshake came to. */
export interface SecureReport {
  readonly protocol: string;
  readonly cipher: string;
  readonly alpn: string | undefined;
  /** Whether the peer's certificate has been checked and accepted. */
  readonly verified: boolean;
  /** The peer's certificates, its own first. Empty: it showed none. */
  readonly chain: readonly CertificateReport[];
}

/** A client that checks the server's certificate against the authorities of this machine. */
export function createDefaultSettings(): ClientSecureSettings {
  return { context: createContext({}, undefined, true), verify: true };
}

/**
 * Makes a connected socket a TLS client's, in place, after STARTTLS if that is asked for. `host` is the name dialled.
 * When it throws, the connection is still the caller's to close.
 *
 * @throws an Error with OpenSSL's code and a sentence for a refused certificate, TnetError TNET_E_TLS for a wrong pin or
 *   a broken handshake, ProtocolError from STARTTLS, or the signal's reason.
 */
export async function secureClient(
  socket: Socket,
  settings: ClientSecureSettings,
  host: string,
  signal?: AbortSignal,
): Promise<void> {
  const name = withoutRootDot(settings.servername ?? host);
  if (settings.starttls) await leadToTls(socket, settings.starttls, name, signal);
  await handshake(socket, settings, name, signal, {
    isServer: false,
    host: name,
    servername: isIP(name) === 0 ? name : '',
  });
}

/** Makes an accepted socket a TLS server's, in place. Throws as secureClient() does. */
export async function secureServer(
  socket: Socket,
  settings: ServerSecureSettings,
  signal?: AbortSignal,
): Promise<void> {
  await handshake(socket, settings, 'client', signal, {
    isServer: true,
    requestCert: settings.requireCertificate,
  });
}

async function handshake(
  socket: Socket,
  settings: SecureSettings,
  name: string,
  signal: AbortSignal | undefined,
  side: SecureUpgradeOptions,
): Promise<void> {
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
  let seen: SecureReport | undefined;
  let chain: readonly X509Certificate[] = [];
  // First in line: of a connection whose certificate is refused nothing can be asked any more.
  layer.prependOnceListener('secure', () => {
    chain = listChain(layer.getPeerCertificate(true));
    seen = describeLayer(layer, chain);
  });
  const report = (verified: boolean) => {
    if (seen) settings.onHandshake?.({ ...seen, verified }, socket);
  };
  // Who closes the socket meanwhile tells no error: nobody would hear of its end.
  const closed = new AbortController();
  const onClose = () => closed.abort();
  socket.once('close', onClose);
  try {
    await once(socket, 'secure', { signal: AbortSignal.any([closed.signal, ...(signal ? [signal] : [])]) });
  } catch (error) {
    if (signal?.aborted) throw signal.reason as Error;
    if (closed.signal.aborted) throw new TnetError('TNET_E_TLS', 'the connection was closed before TLS');
    report(false);
    throw explainFault(error as Error, chain, name);
  } finally {
    socket.off('close', onClose);
  }
  report(settings.verify && layer.authorized);
  const { pins = [] } = settings as ClientSecureSettings;
  const [leaf] = chain;
  if (pins.length > 0 && !(leaf && pins.some((pin) => matchesPin(leaf, pin)))) {
    throw new TnetError('TNET_E_TLS', "the server's key is not the one of --tls-pin");
  }
}

function describeLayer(layer: SecureSocket, chain: readonly X509Certificate[]): SecureReport {
  const { alpnProtocol: alpn } = layer;
  return {
    protocol: layer.getProtocol() ?? 'unknown',
    cipher: (layer.getCipher() as { name?: string } | undefined)?.name ?? 'unknown',
    alpn: typeof alpn === 'string' ? alpn : undefined,
    verified: false,
    chain: chain.map(describeCertificate),
  };
}

async function leadToTls(
  socket: Socket,
  protocol: StarttlsProtocol,
  host: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const dialogue = createStarttls(protocol, { host });
  await converse(socket, {
    first: dialogue.start(),
    receive(chunk) {
      const { send, ready } = dialogue.receive(chunk);
      return { send, done: ready && { value: true, rest: Buffer.alloc(0) } };
    },
    cut: { code: 'TNET_E_TLS', message: `the server ended the connection before TLS (${protocol})` },
    signal,
  });
}
