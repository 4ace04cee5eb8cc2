import { openKeylog, createContext, parsePin, readOwnCertificate } from '../../../dial/tls-files.ts';
import { type TlsClientSettings, TlsSessions } from '../../../dial/tls-client.ts';
import type { ProxyHost } from '../host.ts';
import type { TlsValues } from '../pair.ts';

/**
 * The TLS settings for the targets of a pair. Clients and health checks resume each other's sessions.
 *
 * @throws TnetError TNET_E_USAGE for files that cannot be used, and for a malformed pin
 */
export function readTargetTls(values: TlsValues, { fail }: Pick<ProxyHost, 'fail'>): TlsClientSettings {
  const verify = values.tlsInsecure !== true;
  const files = { ca: values.tlsCa, cert: values.tlsOutCert, key: values.tlsOutKey };
  const rules = { minVersion: values.tlsMin, ciphers: values.tlsCiphers };
  return {
    context: createContext({ ...files, ...rules }, readOwnCertificate(files), verify),
    verify,
    servername: values.tlsServername,
    alpn: values.tlsAlpn,
    onKeylog: openKeylog(fail),
    pins: values.tlsPin?.map(parsePin),
    sessions: new TlsSessions(),
  };
}
