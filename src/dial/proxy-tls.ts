import { formatProxy, type ProxyHop } from '../address/proxy-url.ts';
import { TnetError } from '../errors.ts';
import type { TlsClientSettings } from './tls-client.ts';
import { createContext, openKeylog } from './tls-files.ts';
import type { TlsReport } from './tls-handshake.ts';

/** Where TLS to proxies is reported. */
export interface ProxyTlsHost {
  /** A file that could not be written. */
  readonly fail: (file: string, error: Error) => void;
  /** A handshake with a proxy, which is named as formatProxy() does. Default: not reported. */
  readonly onHandshake?: (proxy: string, report: TlsReport) => void;
}

/**
 * The TLS settings for the https:// proxies of a connection: each proxy's certificate has to be for its host, and
 * issued by an authority of `ca`, a file in PEM, or of this machine. Undefined when no proxy speaks TLS.
 *
 * @throws TnetError TNET_E_USAGE for a file that cannot be used, or that no proxy needs
 */
export function readProxyTls(
  proxies: readonly ProxyHop[],
  ca: string | undefined,
  { fail, onHandshake }: ProxyTlsHost,
): ((hop: ProxyHop) => TlsClientSettings) | undefined {
  if (proxies.every(({ protocol }) => protocol !== 'https')) {
    if (ca === undefined) return undefined;
    throw new TnetError('TNET_E_USAGE', '--proxy-ca needs a -x https://HOST:PORT');
  }
  const settings = {
    context: createContext({ ca }, undefined, true),
    verify: true,
    onKeylog: openKeylog(fail),
  };
  return (hop) => ({
    ...settings,
    onHandshake: onHandshake && ((report) => onHandshake(formatProxy(hop), report)),
  });
}
