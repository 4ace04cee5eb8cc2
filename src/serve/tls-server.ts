import type { Socket } from '../net/index.ts';
import { shakeHands, type TlsSettings } from '../dial/tls-handshake.ts';

export interface ServerSecureSettings extends TlsSettings {
  /** Clients must show a certificate. */
  readonly requireCertificate: boolean;
}

/**
 * Makes an accepted socket a TLS server's, in place. When it throws, the connection is still the caller's to close.
 *
 * @throws as shakeHands() does
 */
export async function secureServer(
  socket: Socket,
  settings: ServerSecureSettings,
  signal?: AbortSignal,
): Promise<void> {
  await shakeHands(socket, settings, {
    name: 'client',
    signal,
    side: { isServer: true, requestCert: settings.requireCertificate },
  });
}
