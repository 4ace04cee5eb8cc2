import {
  secureClient,
  secureServer,
  type ClientSecureSettings,
  type ServerSecureSettings,
} from '../dial/secure.ts';
import { hearGreeting } from '../serve/said-nothing.ts';
import { createContext, readOwnCertificate } from '../dial/secure-settings.ts';
import { TnetError } from '../errors.ts';
import type { Socket } from '../net/index.ts';
import type { IntakeStep } from './intake.ts';
import type { SecureValues } from './pair.ts';

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
