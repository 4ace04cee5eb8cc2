import { secureServer, type ServerSecureSettings } from '../serve/tls-server.ts';
import { hearGreeting } from '../serve/said-nothing.ts';
import { createContext, readOwnCertificate } from '../dial/tls-files.ts';
import { TnetError } from '../errors.ts';
import type { IntakeStep } from './intake.ts';
import type { SecureValues } from './secure-settings.ts';

/**
 * The step that makes clients speak TLS.
 *
 * @throws TnetError TNET_E_USAGE for files that cannot be used
 */
export function createSecureStep(values: SecureValues, limitMs: number): IntakeStep {
  const files = { cert: values.tlsCert, key: values.tlsKey };
  const settings: ServerSecureSettings = {
    context: createContext(files, readOwnCertificate(files), false),
    verify: false,
    requireCertificate: false,
    alpn: values.tlsAlpn,
  };
  return async (client, known) => {
    await hearGreeting(client, () => within(limitMs, (signal) => secureServer(client, settings, signal)));
    return known;
  };
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
