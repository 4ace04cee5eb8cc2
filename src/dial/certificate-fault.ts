import type { X509Certificate } from 'node:crypto';
import { errorCode } from '../errors.ts';
import { isIP } from '../address/ip.ts';
import { listNames } from './certificate.ts';

type Explain = (chain: readonly X509Certificate[], name: string) => string;

const unknownIssuer: Explain = (chain) =>
  `the certificate's issuer is not trusted here: ${nameOf(chain.at(-1)?.issuer)}`;

/**
 * What OpenSSL's and Node's codes of a refused certificate mean, in a sentence with what the certificate says.
 * Source: openssl-verify(1), "Diagnostics"; Node doc, "X509 certificate error codes".
 */
const sentences: Readonly<Record<string, Explain>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: ([leaf]) =>
    `the certificate is self-signed, and nobody known vouches for it: ${nameOf(leaf?.subject)}`,
  SELF_SIGNED_CERT_IN_CHAIN: unknownIssuer,
  UNABLE_TO_GET_ISSUER_CERT: unknownIssuer,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: unknownIssuer,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: unknownIssuer,
  CERT_HAS_EXPIRED(chain) {
    const expired = chain.find(({ validTo }) => Date.parse(validTo) < Date.now()) ?? chain[0];
    const whose = expired === chain[0] ? '' : ` of ${nameOf(expired?.subject)} in its chain`;
    return `the certificate${whose} expired on ${dateOf(expired?.validTo)}`;
  },
  CERT_NOT_YET_VALID(chain) {
    const early = chain.find(({ validFrom }) => Date.parse(validFrom) > Date.now()) ?? chain[0];
    return `the certificate is valid only from ${dateOf(early?.validFrom)} on`;
  },
  CERT_REVOKED: () => 'the certificate has been revoked',
  INVALID_PURPOSE: () => 'the certificate is not made for this purpose',
  ERR_TLS_CERT_ALTNAME_INVALID([leaf], name) {
    const names = leaf ? listNames(leaf) : [];
    const what = isIP(name) === 0 ? 'name' : 'address';
    return names.length === 0
      ? `the certificate names nobody, so not ${name} either`
      : `the certificate is not for the ${what} ${name}, but for ${names.join(', ')}`;
  },
};

/** A refused certificate's error with a sentence that says why. Any other error is given back as it is. */
export function explainFault(error: Error, chain: readonly X509Certificate[], name: string): Error {
  const code = errorCode(error) ?? '';
  const explain = sentences[code];
  if (!explain) return error;
  return Object.assign(new Error(explain(chain, name), { cause: error }), { code });
}

function dateOf(text: string | undefined): string {
  return text === undefined ? 'a day it does not name' : new Date(text).toISOString().slice(0, 10);
}

function nameOf(name: string | undefined): string {
  return (name ?? 'nobody').split('\n').join(', ');
}
