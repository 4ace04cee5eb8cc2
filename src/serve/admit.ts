import type { Socket } from '../net/index.ts';
import { Deadline } from '../net/deadline.ts';
import { hearGreeting } from './said-nothing.ts';
import type { ServerSecureSettings } from './tls-server.ts';

export interface AdmitOptions {
  /** A PROXY header must come first. Default false. */
  readonly acceptProxy?: boolean;
  /** TLS must follow. Default: none. */
  readonly secure?: ServerSecureSettings;
  readonly signal?: AbortSignal;
}

/** How long a client may take to become secure. */
const handshakeMs = 10_000;

/**
 * Takes an accepted socket through what comes before its stream: the PROXY header of a proxy in front of us, then TLS.
 * When it throws, the connection is still the caller's to close.
 *
 * @throws what readHeader() and secureServer() throw, SaidNothing, or TnetError TNET_E_TIMEOUT.
 */
export async function admit(socket: Socket, { acceptProxy, secure, signal }: AdmitOptions): Promise<void> {
  if (acceptProxy) {
    const { readHeader } = await import('../dial/proxy-header.ts');
    await hearGreeting(socket, () => readHeader(socket, signal), signal);
  }
  if (!secure) return;
  const { secureServer } = await import('./tls-server.ts');
  using deadline = new Deadline('no TLS handshake', handshakeMs, signal);
  await hearGreeting(socket, () => secureServer(socket, secure, deadline.signal), signal);
}
