import { isSecure, type Endpoint } from '../../src/address/endpoint.ts';
import type { ServeHost } from '../../src/serve/service.ts';
import type { TlsServerSettings } from '../../src/serve/tls-server.ts';
import type { TableFlags } from './row.ts';
import type { tls, tlsProtocol } from './table/tls.ts';

/**
 * What TLS is to be with clients, where the flags or one of the addresses ask for it.
 *
 * @throws TnetError TNET_E_USAGE for files that cannot be used
 */
export async function readTls(
  flags: TableFlags<typeof tls & typeof tlsProtocol, 'listen'>,
  endpoints: readonly Endpoint[],
  host: ServeHost,
): Promise<TlsServerSettings | undefined> {
  const secure = endpoints.find((endpoint) => flags.tls === true || isSecure(endpoint));
  if (!secure) return undefined;
  const { readServerTls } = await import('../../src/serve/tls-server.ts');
  const { tlsCert: certs, tlsKey: keys, tlsCa: clientCa, tlsAlpn: alpn } = flags;
  const { tlsClientOptional: clientOptional, tlsServername: serverName } = flags;
  const { tlsMin: minVersion, tlsCiphers: ciphers } = flags;
  const files = { certs, keys, clientCa, clientOptional, serverName, alpn, minVersion, ciphers };
  return readServerTls(files, secure, host);
}
