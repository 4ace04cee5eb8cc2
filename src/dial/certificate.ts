import { X509Certificate, createHash } from 'node:crypto';
import { errorCode, ExplainedError } from '../errors.ts';
import { isIP } from '../address/ip.ts';
import type { DetailedPeerCertificate } from '../net/tls.ts';

type Explain = (chain: readonly X509Certificate[], name: string) => string;

const unknownIssuer: Explain = (chain) =>
  `the certificate's issuer is not trusted: ${nameOf(chain.at(-1)?.issuer)}`;

/**
 * What OpenSSL's and Node's codes of a refused certificate mean, in a sentence with what the certificate says.
 * Source: openssl-verify(1), "Diagnostics"; Node doc, "X509 certificate error codes".
 */
const sentences: Readonly<Record<string, Explain>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: ([leaf]) =>
    `the certificate is self-signed and not trusted: ${nameOf(leaf?.subject)}`,
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
    return `the certificate is not valid until ${dateOf(early?.validFrom)}`;
  },
  CERT_REVOKED: () => 'the certificate has been revoked',
  INVALID_PURPOSE: () => 'the certificate is not for this purpose',
  ERR_TLS_CERT_ALTNAME_INVALID([leaf], name) {
    const names = leaf ? listNames(leaf) : [];
    const what = isIP(name) === 0 ? 'name' : 'address';
    return names.length === 0
      ? `the certificate contains no names, so it is not for ${name}`
      : `the certificate is not for the ${what} ${name}, but for ${names.join(', ')}`;
  },
};

interface Advice {
  readonly server: string;
  /** For a proxy on the way. */
  readonly proxy?: string;
}

const trustAdvice: Advice = {
  server: 'to trust it, give --tls-ca FILE or --tls-pin SHA256; --tls-insecure accepts any certificate',
  proxy: 'to trust it, give --proxy-ca FILE',
};
const timeAdvice: Advice = {
  server: 'check the clock of this machine; --tls-insecure accepts any certificate',
  proxy: 'check the clock of this machine',
};

/** What a client can do about a refused certificate. */
const advice: Readonly<Record<string, Advice>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: trustAdvice,
  SELF_SIGNED_CERT_IN_CHAIN: trustAdvice,
  UNABLE_TO_GET_ISSUER_CERT: trustAdvice,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: trustAdvice,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: trustAdvice,
  CERT_HAS_EXPIRED: timeAdvice,
  CERT_NOT_YET_VALID: timeAdvice,
  ERR_TLS_CERT_ALTNAME_INVALID: { server: 'to check another name, give --tls-servername NAME' },
};

/** The peer whose certificate was refused. */
interface RefusedPeer {
  readonly name: string;
  /** Whether it was checked as a server's. */
  readonly isServer: boolean;
  /** Whether it is a proxy on the way, and not the target. Default false. */
  readonly isProxy?: boolean;
}

/**
 * A refused certificate's error with a sentence that says why, and what to do. Any other error is returned as it
 * is.
 */
export function explainFault(
  error: Error,
  chain: readonly X509Certificate[],
  { name, isServer, isProxy }: RefusedPeer,
): Error {
  const code = errorCode(error) ?? '';
  const explain = sentences[code];
  if (!explain) return error;
  const todo = isServer ? advice[code]?.[isProxy ? 'proxy' : 'server'] : undefined;
  const sentence = explain(chain, name);
  return new ExplainedError(error, todo === undefined ? sentence : `${sentence}; ${todo}`);
}

function dateOf(text: string | undefined): string {
  return text === undefined ? 'a day it does not name' : new Date(text).toISOString().slice(0, 10);
}

function nameOf(name: string | undefined): string {
  return (name ?? 'nobody').split('\n').join(', ');
}

/** One certificate of a chain, for people and programs. */
export interface CertificateReport {
  /** 0 is the peer's own; the next one issued it, and so on. */
  readonly depth: number;
  readonly subject: string;
  readonly issuer: string;
  /** The names it is for: `example.com`, `192.0.2.1`, `*.example.com`. */
  readonly names: readonly string[];
  /** ISO times. */
  readonly validFrom: string;
  readonly validTo: string;
  /** Whole days until `validTo`; below zero once it has passed. */
  readonly daysLeft: number;
  /** The kind and size of its public key: `RSA 2048`, `EC prime256v1`, `ed25519`. */
  readonly key: string;
  /** SHA-256 of the certificate, as openssl x509 -fingerprint writes it. */
  readonly fingerprint: string;
  /** SHA-256 of its public key (SPKI), in base64: what curl calls sha256//… */
  readonly keyPin: string;
}

const dayMs = 86_400_000;
/** A chain of certificates that name each other as issuers would have no end. */
const chainLimit = 16;

/**
 * The certificates that a peer sent, its own first. Read through getPeerCertificate(): getPeerX509Certificate()
 * removes the peer's certificate from the connection, and Node's own check of the name then finds none.
 */
export function listChain(leaf: DetailedPeerCertificate): X509Certificate[] {
  const chain: X509Certificate[] = [];
  // Without a certificate Node gives an empty object.
  let next: Partial<DetailedPeerCertificate> | undefined = leaf;
  while (next?.raw && chain.length < chainLimit) {
    chain.push(new X509Certificate(next.raw));
    // A root names itself as its issuer.
    next = next.issuerCertificate === next ? undefined : next.issuerCertificate;
  }
  return chain;
}

/** Describes a certificate at `depth` of its chain. */
export function describeCertificate(certificate: X509Certificate, depth: number): CertificateReport {
  const validTo = new Date(certificate.validTo);
  return {
    depth,
    subject: oneLine(certificate.subject),
    issuer: oneLine(certificate.issuer),
    names: listNames(certificate),
    validFrom: new Date(certificate.validFrom).toISOString(),
    validTo: validTo.toISOString(),
    daysLeft: Math.floor((validTo.getTime() - Date.now()) / dayMs),
    key: describeKey(certificate),
    fingerprint: certificate.fingerprint256,
    keyPin: hashKey(certificate).toString('base64'),
  };
}

/** The names of the subjectAltName extension, without the kind before each. */
function listNames({ subjectAltName }: X509Certificate): string[] {
  // Names that hold commas or control characters are quoted (CVE-2021-44532): such a name is shown as it is.
  const parts = subjectAltName?.match(/[^,"]+("[^"]*")?/g) ?? [];
  return parts.map((part) => part.trim().replace(/^(DNS|IP Address|URI|email):/, ''));
}

/** Whether a pin is the SHA-256 of the certificate's public key, or of the certificate. */
export function matchesPin(certificate: X509Certificate, pin: Buffer): boolean {
  const whole = createHash('sha256').update(certificate.raw).digest();
  return pin.equals(hashKey(certificate)) || pin.equals(whole);
}

function hashKey({ publicKey }: X509Certificate): Buffer {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest();
}

function describeKey({ publicKey }: X509Certificate): string {
  const { asymmetricKeyType: type = 'unknown', asymmetricKeyDetails: { modulusLength, namedCurve } = {} } =
    publicKey;
  const name = ['rsa', 'dsa', 'ec'].includes(type) ? type.toUpperCase() : type;
  return [name, modulusLength ?? namedCurve].filter((part) => part !== undefined).join(' ');
}

/** Joins to `CN=example.com, O=Example` what node:crypto writes on a line for each part. */
function oneLine(name: string | undefined): string {
  return (name ?? '').split('\n').join(', ');
}
