import type { ServerSecureSettings } from '../../serve/tls-server.ts';
import { createContext, readOwnCertificate } from '../../dial/tls-files.ts';
import type { SecureValues } from './pair.ts';

/**
 * What TLS is to be with clients.
 *
 * @throws TnetError TNET_E_USAGE for files that cannot be used
 */
export function readClientTls(values: SecureValues): ServerSecureSettings {
  const files = { cert: values.tlsCert, key: values.tlsKey };
  return {
    context: createContext(files, readOwnCertificate(files), false),
    verify: false,
    requireCertificate: false,
    alpn: values.tlsAlpn,
  };
}
