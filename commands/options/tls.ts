import type { TableFlags } from './row.ts';
import type { tls } from './table/tls.ts';
import type { Endpoint } from '../../src/address/endpoint.ts';
import {
  openKeylog,
  createContext as createTlsContext,
  parsePin,
  readOwnCertificate,
} from '../../src/dial/tls-files.ts';
import type { TlsClientSettings } from '../../src/dial/tls-client.ts';
import { reportHandshake } from '../../src/dial/tls-handshake.ts';
import { TnetError } from '../../src/errors.ts';
import type { Reporter } from '../../src/report/reporter.ts';

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
  const nameless = { unix: 'a Unix socket', vsock: 'vsock', fd: 'a descriptor' } as const;
  const what = nameless[endpoint.kind as keyof typeof nameless] as string | undefined;
  if (verify && what !== undefined && flags.tlsServername === undefined) {
    const message = `${what} has no name that its certificate could be for: name one with --tls-servername`;
    throw new TnetError('TNET_E_USAGE', message);
  }
  const files = {
    ca: flags.tlsCa,
    cert: onlyOne(flags.tlsCert, '--tls-cert'),
    key: onlyOne(flags.tlsKey, '--tls-key'),
  };
  const rules = { minVersion: flags.tlsMin, ciphers: flags.tlsCiphers };
  const context = createTlsContext({ ...files, ...rules }, readOwnCertificate(files), verify);
  if (!verify) {
    const message =
      pins.length > 0
        ? '--tls-insecure: only the pin of the certificate is checked'
        : '--tls-insecure: the certificate is NOT checked; anyone may be at the other end';
    reporter.emit({ event: 'warning', message });
  }
  return {
    alpn: flags.tlsAlpn,
    onKeylog: openKeylog((file, error) => reporter.fail(file, error)),
    context,
    verify,
    pins,
    servername: flags.tlsServername,
    starttls: flags.starttls,
    onHandshake: (report) => reportHandshake((event) => reporter.emit(event), name, report),
  };
}

/** @throws TnetError TNET_E_USAGE for several: servers choose by name, and a client has no such choice */
function onlyOne(files: readonly string[] | undefined, flag: string): string | undefined {
  if (files === undefined || files.length <= 1) return files?.[0];
  throw new TnetError('TNET_E_USAGE', `${flag} is given once: a client has one certificate`);
}
