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
import { createChooser, pairCertificates } from './own-certificates.ts';
import { ThrowawayCertificates } from './throwaway-certificates.ts';
import { Deadline } from '../net/deadline.ts';
import { type ReadGreeting, hearGreeting } from './greeting/greeting.ts';

export interface TlsServerSettings extends TlsSettings {
  /** Whether clients have to show a certificate, may show one, or are asked for none. */
  readonly clientCertificate: 'required' | 'optional' | 'none';
  /** Chooses another certificate by the name that a client asks for. Undefined: there is only that of `context`. */
  readonly chooseContext?: ((name: string) => TlsSettings['context'] | undefined) | undefined;
  /** The one name that clients have to ask for. Default: any, or none. */
  readonly serverName?: string | undefined;
}

/** TLS of a server as users configure it: files by their paths. */
export interface TlsServerFiles extends TlsRules {
  /**
   * The certificates that clients see, each with its chain: the one for the name that a client asks for, or else the
   * first. Default: a throw-away one.
   */
  readonly certs?: readonly string[] | undefined;
  /** The key of each. Default: each is in its certificate's file. */
  readonly keys?: readonly string[] | undefined;
  /** Authorities: clients must show a certificate issued by one of them. Default: none is requested. */
  readonly clientCa?: string | undefined;
  /** A client may do without a certificate; one that it shows is checked all the same. Default false. */
  readonly clientOptional?: boolean | undefined;
  /** The one name that clients have to ask for. Default: any, or none. */
  readonly serverName?: string | undefined;
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
  { certs, keys, clientCa, clientOptional, serverName, alpn, minVersion, ciphers }: TlsServerFiles,
  endpoint: Endpoint,
  host: TlsHost,
): Promise<TlsServerSettings> {
  const { emit } = host;
  const rules = { ca: clientCa, minVersion, ciphers };
  const verify = clientCa !== undefined;
  const pairs = pairCertificates(certs, keys);
  const named = pairs.map((pair) => ({ ...rules, ...pair, own: readOwnCertificate(pair) }));
  // Errors in a file or a cipher are reported before a certificate is made and reported.
  const authorities = readAuthorities(rules, verify);
  if (ciphers !== undefined) createContext({ ciphers }, undefined, false);
  const contexts = named.map(({ own, ...files }) => createContext(files, own, verify, authorities));
  const throwaway = named.length > 0 ? undefined : await findThrowaway(endpoint, host);
  return {
    context: contexts[0] ?? createContext(rules, throwaway, verify, authorities),
    chooseContext:
      named.length > 1
        ? createChooser(named.map(({ own }, at) => ({ cert: own?.cert ?? '', value: contexts[at] })))
        : undefined,
    verify,
    clientCertificate: !verify ? 'none' : clientOptional ? 'optional' : 'required',
    serverName,
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
  const { chooseContext } = settings;
  await shakeHands(socket, settings, {
    name: 'client',
    signal,
    side: {
      isServer: true,
      requestCert: settings.clientCertificate !== 'none',
      certificateOptional: settings.clientCertificate === 'optional',
      ...(chooseContext && {
        SNICallback: (name: string, done: (error: Error | null, context?: TlsSettings['context']) => void) =>
          done(null, chooseContext(name)),
      }),
    },
  });
}

/**
 * Puts TLS, as the server, on a client's socket, in place. See ReadGreeting; also throws what serveTls() throws.
 */
export function createTlsReader(settings: TlsServerSettings): ReadGreeting {
  const { serverName } = settings;
  return async (client, soFar, limits) => {
    const { limitMs, signal } = limits;
    if (serverName !== undefined) {
      const { requireServerName } = await import('./greeting/server-name.ts');
      soFar = await requireServerName(client, serverName, soFar, limits);
    }
    using deadline = new Deadline('no TLS handshake', limitMs, signal);
    await hearGreeting(client, () => serveTls(client, settings, deadline.signal), signal);
    return soFar;
  };
}
