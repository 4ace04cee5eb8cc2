import { X509Certificate } from 'node:crypto';
import { TnetError } from '../errors.ts';

/** The files of a certificate and its key. */
export interface CertificateFiles {
  readonly cert: string;
  /** Default: the key is in the certificate's file. */
  readonly key?: string | undefined;
}

/**
 * The certificates with their keys, both in the order in which they were given.
 *
 * @throws TnetError TNET_E_USAGE unless there is a key for each certificate, or for none
 */
export function pairCertificates(
  certs: readonly string[] = [],
  keys: readonly string[] = [],
): readonly CertificateFiles[] {
  if (certs.length === 0 && keys.length > 0)
    throw new TnetError('TNET_E_USAGE', '--tls-key needs --tls-cert');
  if (keys.length > 0 && keys.length !== certs.length) {
    const message = `there are ${certs.length} of --tls-cert and ${keys.length} of --tls-key: give a key for each, or none where each is in its certificate's file`;
    throw new TnetError('TNET_E_USAGE', message);
  }
  return certs.map((cert, index) => ({ cert, key: keys[index] }));
}

/** A certificate, in PEM, and what is done with it. */
export interface NamedBy<Value> {
  readonly cert: string;
  readonly value: Value;
}

/**
 * Chooses by the names that certificates are for: one that contains the name itself, or else one with a wildcard for
 * it; of several the first that was given. Undefined: none is for that name.
 */
export function createChooser<Value>(list: readonly NamedBy<Value>[]): (name: string) => Value | undefined {
  const known = list.map(({ cert, value }) => ({ certificate: new X509Certificate(cert), value }));
  const find = (name: string, wildcards: boolean) =>
    known.find(
      ({ certificate }) => certificate.checkHost(name, { wildcards, partialWildcards: false }) !== undefined,
    );
  return (name) => (find(name, false) ?? find(name, true))?.value;
}
