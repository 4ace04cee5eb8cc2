import type { TableFlags } from './row.ts';
import type { tls } from './table/tls.ts';
import { formatEndpoint, type Endpoint } from '../../src/address/endpoint.ts';
import { createKeylog } from '../../src/dial/keylog.ts';
import { createContext as createTlsContext, parsePin, readOwnCertificate } from '../../src/dial/tls-files.ts';
import type { TlsClientSettings } from '../../src/dial/tls-client.ts';
import type { TlsReport } from '../../src/dial/tls-handshake.ts';
import type { ServerSecureSettings } from '../../src/serve/tls-server.ts';
import { formatRemote } from '../../src/serve/serve.ts';
import { TnetError } from '../../src/errors.ts';
import type { Reporter } from '../../src/report/reporter.ts';

/** The TLS flags that both sides have. Each implies --tls: a flag of TLS must never leave a connection in the clear. */
export type SecureFlags = TableFlags<typeof tls, 'listen'>;

/** The TLS flags of a client. */
export type ClientSecureFlags = TableFlags<typeof tls, 'connect'>;

/**
 * What the flags make of a client's TLS: files read, pins parsed, warnings said. `name` is what reports call the peer.
 *
 * @throws TnetError TNET_E_USAGE
 */
export function readClientSecure(
  flags: ClientSecureFlags,
  endpoint: Endpoint,
  name: string,
  reporter: Reporter,
): TlsClientSettings {
  const pins = (flags.tlsPin ?? []).map(parsePin);
  const verify = flags.tlsInsecure !== true;
  if (verify && endpoint.kind === 'unix' && flags.tlsServername === undefined) {
    const message =
      'a Unix socket has no name that its certificate could be for: name one with --tls-servername';
    throw new TnetError('TNET_E_USAGE', message);
  }
  const files = { ca: flags.tlsCa, cert: flags.tlsCert, key: flags.tlsKey };
  const context = createTlsContext(files, readOwnCertificate(files), verify);
  if (!verify) {
    const message =
      pins.length > 0
        ? '--tls-insecure: nothing but the pin of the certificate is checked'
        : '--tls-insecure: the certificate is NOT checked; anybody may be at the other end';
    reporter.emit({ event: 'warning', message });
  }
  return {
    ...common(flags, reporter),
    context,
    verify,
    pins,
    servername: flags.tlsServername,
    starttls: flags.starttls,
    onHandshake: (report) => reportHandshake(reporter, name, report),
  };
}

/**
 * What the flags make of a server's TLS. Without a certificate it makes one and says its fingerprint.
 *
 * @throws TnetError TNET_E_USAGE
 */
export async function readServerSecure(
  flags: SecureFlags & { readonly workers?: number },
  endpoint: Endpoint,
  reporter: Reporter,
): Promise<ServerSecureSettings> {
  const files = { ca: flags.tlsCa, cert: flags.tlsCert, key: flags.tlsKey };
  const given = readOwnCertificate(files);
  if (!given && flags.workers !== undefined) {
    const message = 'every process would make a certificate of its own: name one with --tls-cert';
    throw new TnetError('TNET_E_USAGE', message, { subject: '--workers' });
  }
  const own = given ?? (await makeThrowaway(endpoint, reporter));
  const requireCertificate = flags.tlsCa !== undefined;
  return {
    ...common(flags, reporter),
    context: createTlsContext(files, own, requireCertificate),
    verify: requireCertificate,
    requireCertificate,
    onHandshake: (report, socket) =>
      reportHandshake(reporter, formatRemote(socket, formatEndpoint(endpoint)), report),
  };
}

async function makeThrowaway(endpoint: Endpoint, reporter: Reporter) {
  const { createThrowawayCertificate } = await import('../../src/serve/throwaway-certificate.ts');
  const host = 'host' in endpoint ? endpoint.host : undefined;
  const made = await createThrowawayCertificate(host);
  reporter.emit({ event: 'throwaway-certificate', fingerprint: made.fingerprint });
  return made;
}

function common(flags: SecureFlags, reporter: Reporter) {
  const keylogFile = process.env['SSLKEYLOGFILE'];
  return {
    alpn: flags.tlsAlpn,
    onKeylog: keylogFile ? createKeylog(keylogFile, (error) => reporter.fail(keylogFile, error)) : undefined,
  };
}

function reportHandshake(reporter: Reporter, remote: string, report: TlsReport): void {
  const { protocol, cipher, alpn, verified, chain } = report;
  reporter.emit({ event: 'tls', remote, protocol, cipher, ...(alpn !== undefined && { alpn }), verified });
  for (const certificate of chain) reporter.emit({ event: 'certificate', remote, ...certificate });
}
