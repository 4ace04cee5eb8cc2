import { createHash, X509Certificate } from 'node:crypto';
import type { DetailedPeerCertificate } from '../net/tls.ts';

/** One certificate of a chain, for people and programs. */
export interface CertificateReport {
  /** 0 is the peer's own; the next has issued it, and so on. */
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
  /** SHA-256 of the certificate, as openssl x509 -fingerprint writes it. */
  readonly fingerprint: string;
  /** SHA-256 of its public key (SPKI), in base64: what curl calls sha256//… */
  readonly keyPin: string;
}

const dayMs = 86_400_000;
/** A chain of certificates that name each other as issuers would have no end. */
const chainLimit = 16;

/**
 * The certificates that a peer sent, its own first. Read through getPeerCertificate(): getPeerX509Certificate() takes
 * the peer's certificate out of the connection, and Node's own check of the name then sees none.
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

/** What there is to say about a certificate at `depth` of its chain. */
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
    fingerprint: certificate.fingerprint256,
    keyPin: hashKey(certificate).toString('base64'),
  };
}

/** The names of the subjectAltName extension, without the kind before each. */
export function listNames({ subjectAltName }: X509Certificate): string[] {
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

/** `CN=example.com, O=Example`: node:crypto writes a line for each part. */
function oneLine(name: string | undefined): string {
  return (name ?? '').split('\n').join(', ');
}
