import type { TlsClientSettings } from '../../../dial/tls-client.ts';
import { createContext, readOwnCertificate } from '../../../dial/tls-files.ts';
import { TlsSessions } from '../../../dial/tls-sessions.ts';
import type { SecureValues } from '../pair.ts';

/** What a pair says of TLS with its targets. */
export interface TargetTlsValues extends SecureValues {
  /** The certificate that targets are shown, and its key where it is not in the same file. */
  readonly tlsOutCert?: string;
  readonly tlsOutKey?: string;
  /** SHA-256 of the public key or of the certificate; one of them must be a target's. */
  readonly tlsPin?: readonly Buffer[];
}

/**
 * What TLS with the targets of a pair is to be. Clients and health checks go on from each other's sessions.
 *
 * @throws TnetError TNET_E_USAGE for files that cannot be used
 */
export function readTargetTls(values: TargetTlsValues): TlsClientSettings {
  const verify = values.tlsInsecure !== true;
  const files = { ca: values.tlsCa, cert: values.tlsOutCert, key: values.tlsOutKey };
  return {
    context: createContext(files, readOwnCertificate(files), verify),
    verify,
    servername: values.tlsServername,
    alpn: values.tlsAlpn,
    pins: values.tlsPin,
    sessions: new TlsSessions(),
  };
}
