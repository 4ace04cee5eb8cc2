import { describeCertificate, listChain } from '../../dial/certificate.ts';
import { readTlsNames } from '../../net/tls-names.ts';
import type { TLSSocket } from '../../net/tls.ts';
import type { tlsVariables } from '../../dial/local/program.ts';

/**
 * TLS with a program's peer, for the program's environment: what was agreed on, and the peer's certificate if it has
 * been verified. What there is not is empty.
 */
export function describeTls(layer: TLSSocket): Readonly<Record<(typeof tlsVariables)[number], string>> {
  const { alpn = '', serverName = '' } = readTlsNames(layer);
  const [leaf] = layer.authorized ? listChain(layer.getPeerCertificate(true)) : [];
  const certificate = leaf && describeCertificate(leaf, 0);
  return {
    TNET_TLS_PROTOCOL: layer.getProtocol() ?? '',
    TNET_TLS_CIPHER: (layer.getCipher() as { name?: string } | undefined)?.name ?? '',
    TNET_TLS_SERVERNAME: serverName,
    TNET_TLS_ALPN: alpn,
    TNET_TLS_SUBJECT: certificate?.subject ?? '',
    TNET_TLS_ISSUER: certificate?.issuer ?? '',
    TNET_TLS_NAMES: certificate?.names.join(', ') ?? '',
    TNET_TLS_FINGERPRINT: certificate?.fingerprint ?? '',
  };
}
