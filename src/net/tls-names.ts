import type { TLSSocket } from './tls.ts';

/** Names that TLS has agreed on, as far as there are any. node:tls has false or null for what there is not. */
export interface TlsNames {
  /** The protocol, by ALPN. */
  readonly alpn?: string;
  /** The name that the client asked for. */
  readonly serverName?: string;
}

export function readTlsNames(layer: TLSSocket): TlsNames {
  const { alpnProtocol: alpn, servername } = layer as { alpnProtocol: unknown; servername?: unknown };
  return {
    ...(typeof servername === 'string' && { serverName: servername }),
    ...(typeof alpn === 'string' && { alpn }),
  };
}
