import { formatRemote } from '../net/connection.ts';
import type { Socket } from '../net/index.ts';
import { formatEndpoint, type Endpoint } from '../address/endpoint.ts';
import {
  createContext,
  openKeylog,
  readAuthorities,
  readOwnCertificate,
  type TlsRules,
} from '../dial/tls-files.ts';
import { reportHandshake, shakeHands, type TlsSettings } from '../dial/tls-handshake.ts';
import type { Books } from './ledger.ts';
import { ThrowawayCertificates } from './throwaway-certificates.ts';
import { Deadline } from '../net/deadline.ts';
import { type ReadGreeting, hearGreeting } from './greeting/greeting.ts';

export interface TlsServerSettings extends TlsSettings {
  /** Clients must show a certificate. */
  readonly requireCertificate: boolean;
}

/** TLS of a server as users configure it: files by their paths. */
export interface TlsServerFiles extends TlsRules {
  /** The certificate that clients see, with its chain. Default: a throw-away one. */
  readonly cert?: string | undefined;
  /** Its key. Default: it is in the certificate's file. */
  readonly key?: string | undefined;
  /** Authorities: clients must show a certificate issued by one of them. Default: none is requested. */
  readonly clientCa?: string | undefined;
  /** Protocols to accept, the preferred first. */
  readonly alpn?: readonly string[] | undefined;
}

/** What handshakes are reported to, and what keeps the certificates of the run; see ServeHost. */
type TlsHost = Pick<Books, 'emit' | 'fail'> & { readonly certificates?: ThrowawayCertificates };

/**
 * Reads the TLS settings for the clients of an endpoint. When no certificate is named, one is made, which is
 * reported. Handshakes are reported too, and their secrets written to the file of SSLKEYLOGFILE.
 *
 * @throws TnetError TNET_E_USAGE for files that cannot be used
 */
export async function readServerTls(
  { cert, key, clientCa, alpn, minVersion, ciphers }: TlsServerFiles,
  endpoint: Endpoint,
  host: TlsHost,
): Promise<TlsServerSettings> {
  const { emit } = host;
  const files = { ca: clientCa, cert, key, minVersion, ciphers };
  const requireCertificate = clientCa !== undefined;
  const named = readOwnCertificate(files);
  // Errors in a file or a cipher are reported before a certificate is made and reported.
  const authorities = readAuthorities(files, requireCertificate);
  if (ciphers !== undefined) createContext({ ciphers }, undefined, false);
  const own = named ?? (await findThrowaway(endpoint, host));
  return {
    context: createContext(files, own, requireCertificate, authorities),
    verify: requireCertificate,
    requireCertificate,
    alpn,
    onKeylog: openKeylog(host.fail),
    onHandshake: (report, socket) =>
      reportHandshake(emit, formatRemote(socket, formatEndpoint(endpoint)), report),
  };
}

function findThrowaway(
  endpoint: Endpoint,
  { emit, certificates }: TlsHost,
): ReturnType<ThrowawayCertificates['get']> {
  const ofRun =
    certificates ??
    new ThrowawayCertificates((fingerprint) => emit({ event: 'throwaway-certificate', fingerprint }));
  return ofRun.get('host' in endpoint ? endpoint.host : undefined);
}

/**
 * Puts TLS, as the server, on an accepted socket, in place. When it throws, closing the connection is still up to
 * the caller.
 *
 * @throws as shakeHands() does
 */
export async function serveTls(
  socket: Socket,
  settings: TlsServerSettings,
  signal?: AbortSignal,
): Promise<void> {
  await shakeHands(socket, settings, {
    name: 'client',
    signal,
    side: { isServer: true, requestCert: settings.requireCertificate },
  });
}

/**
 * Puts TLS, as the server, on a client's socket, in place. See ReadGreeting; also throws what serveTls() throws.
 */
export function createTlsReader(settings: TlsServerSettings): ReadGreeting {
  return async (client, soFar, { limitMs, signal }) => {
    using deadline = new Deadline('no TLS handshake', limitMs, signal);
    await hearGreeting(client, () => serveTls(client, settings, deadline.signal), signal);
    return soFar;
  };
}
