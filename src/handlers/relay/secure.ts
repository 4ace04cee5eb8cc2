import { secureClient, type ClientSecureSettings, type ServerSecureSettings } from '../../dial/secure.ts';
import { createContext, readOwnCertificate } from '../../dial/secure-settings.ts';
import { TnetError } from '../../errors.ts';
import type { Socket } from '../../net/index.ts';
import type { SecureValues } from './settings/tls.ts';

/**
 * What TLS is to be with clients.
 *
 * @throws TnetError TNET_E_USAGE for files that cannot be used
 */
export function readServerSettings(values: SecureValues): ServerSecureSettings {
  const files = { cert: values.tlsCert, key: values.tlsKey };
  return {
    context: createContext(files, readOwnCertificate(files), false),
    verify: false,
    requireCertificate: false,
    alpn: values.tlsAlpn,
  };
}

/** Makes a connected target speak TLS; `host` is the name that was dialled. */
export type SecureTarget = (
  socket: Socket,
  host: string,
  limitMs: number,
  signal: AbortSignal,
) => Promise<void>;

/**
 * What makes targets speak TLS.
 *
 * @throws TnetError TNET_E_USAGE for files that cannot be used
 */
export function createSecureTarget(values: SecureValues): SecureTarget {
  const verify = values.tlsInsecure !== true;
  const settings: ClientSecureSettings = {
    context: createContext({ ca: values.tlsCa }, undefined, verify),
    verify,
    servername: values.tlsServername,
    alpn: values.tlsAlpn,
  };
  return (socket, host, limitMs, outer) =>
    within(limitMs, (limit) => secureClient(socket, settings, host, AbortSignal.any([limit, outer])));
}

async function within(limitMs: number, run: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const limit = new AbortController();
  const timer = setTimeout(() => {
    limit.abort(new TnetError('TNET_E_TIMEOUT', `no TLS handshake within ${Math.ceil(limitMs)} ms`));
  }, limitMs);
  try {
    await run(limit.signal);
  } finally {
    clearTimeout(timer);
  }
}
