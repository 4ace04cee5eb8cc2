import { generateKeyPair, randomBytes, sign, X509Certificate } from 'node:crypto';
import { hostname } from 'node:os';
import { promisify } from 'node:util';
import { ipToBytes } from '../address/address.ts';
import type { OwnCertificate } from '../dial/tls-files.ts';

/** How long a throw-away certificate is valid: a server that runs longer should have a real one. */
const validDays = 30;

/** Source: RFC 5758 section 3.2, RFC 5280 sections 4.2 and A.1. */
const identifiers = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  commonName: '2.5.4.3',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
} as const;

/**
 * Makes a key and a self-signed certificate for this machine's names and `host`, for one run. node:crypto can read
 * X.509 but not write it; the libraries that can are larger than the rest of tnet, and only this one form is
 * needed.
 *
 * @returns the pair, and the SHA-256 fingerprint as openssl x509 -fingerprint writes it.
 */
export async function createThrowawayCertificate(
  host?: string,
): Promise<OwnCertificate & { fingerprint: string }> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const names = new Set(['localhost', hostname(), '127.0.0.1', '::1', ...(host ? [host] : [])]);
  const signed = writeSigned(publicKey, [...names], new Date());
  const algorithm = derSequence(derIdentifier(identifiers.ecdsaWithSha256));
  const der = derSequence(signed, algorithm, derBitString(sign('sha256', signed, privateKey)));
  const certificate = new X509Certificate(der);
  return { cert: certificate.toString(), key: privateKey, fingerprint: certificate.fingerprint256 };
}

/** TBSCertificate, version 3. Source: RFC 5280 section 4.1. */
function writeSigned(publicKey: Buffer, names: readonly string[], now: Date): Buffer {
  const version3 = derExplicit(0, derInteger(Buffer.from([2])));
  const serial = randomBytes(16);
  // Positive and without a leading zero byte, as section 4.1.2.2 and DER require.
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const name = derSequence(
    derSetOf(derSequence(derIdentifier(identifiers.commonName), derText('tnet throw-away'))),
  );
  // A clock that is a little behind ours must not find it not yet valid.
  const from = new Date(now.getTime() - 3_600_000);
  const until = new Date(now.getTime() + validDays * 86_400_000);
  return derSequence(
    version3,
    derInteger(serial),
    derSequence(derIdentifier(identifiers.ecdsaWithSha256)),
    name,
    derSequence(derTime(from), derTime(until)),
    name,
    publicKey,
    derExplicit(3, derSequence(writeConstraints(), writeNames(names))),
  );
}

/** It may sign itself, so that a client that trusts it has a complete chain. Critical: section 4.2.1.9. */
function writeConstraints(): Buffer {
  const value = derOctetString(derSequence(derTrue));
  return derSequence(derIdentifier(identifiers.basicConstraints), derTrue, value);
}

/** GeneralNames: 2 is a DNS name, 7 an address. Source: RFC 5280 section 4.2.1.6. */
function writeNames(names: readonly string[]): Buffer {
  const list = names.map((name) => {
    const address = ipToBytes(name);
    return address ? derImplicit(7, address) : derImplicit(2, Buffer.from(name, 'latin1'));
  });
  return derSequence(derIdentifier(identifiers.subjectAltName), derOctetString(derSequence(...list)));
}

/**
 * Writes values in DER, the encoding of X.509. Each function gives the bytes of one whole value: tag, length, content.
 * Source: ITU-T X.690, sections 8 and 10.
 */

/** Tags of the universal class, with the bit for "constructed" where it belongs. */
const tags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  identifier: 0x06,
  utf8: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

function encode(tag: number, content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([tag]), encodeLength(content.length), content]);
}

/** One byte up to 127; above that the number of bytes that follow, and those bytes. */
function encodeLength(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const bytes = toBase256(length);
  return Buffer.from([0x80 | bytes.length, ...bytes]);
}

function toBase256(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return bytes;
}

export const derTrue = encode(tags.boolean, Buffer.from([0xff]));

/** @param bytes a positive number, its first bit 0 and its first byte not 0. */
export function derInteger(bytes: Uint8Array): Buffer {
  return encode(tags.integer, bytes);
}

/** Whole bytes only. */
export function derBitString(bytes: Uint8Array): Buffer {
  return encode(tags.bitString, Buffer.concat([Buffer.from([0]), bytes]));
}

export function derOctetString(bytes: Uint8Array): Buffer {
  return encode(tags.octetString, bytes);
}

/** @param dotted an object identifier, such as 2.5.4.3. */
export function derIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return encode(tags.identifier, Buffer.from([first * 40 + second, ...rest.flatMap(toBase128)]));
}

/** Seven bits per byte, the first bit set on all but the last. */
function toBase128(value: number): number[] {
  const bytes = [value % 128];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) {
    bytes.unshift(0x80 | (rest % 128));
  }
  return bytes;
}

export function derText(text: string): Buffer {
  return encode(tags.utf8, Buffer.from(text, 'utf8'));
}

/** In whole seconds. UTCTime until 2049, GeneralizedTime after. Source: RFC 5280 section 4.1.2.5. */
export function derTime(date: Date): Buffer {
  const digits = `${date
    .toISOString()
    .replace(/\..*|\D/g, '')
    .slice(0, 14)}Z`;
  return date.getUTCFullYear() < 2050
    ? encode(tags.utcTime, Buffer.from(digits.slice(2), 'latin1'))
    : encode(tags.generalizedTime, Buffer.from(digits, 'latin1'));
}

export function derSequence(...values: readonly Uint8Array[]): Buffer {
  return encode(tags.sequence, Buffer.concat(values));
}

/** A set of one element, which needs no order. */
export function derSetOf(value: Uint8Array): Buffer {
  return encode(tags.set, value);
}

/** A value under a context-specific tag: `[3] EXPLICIT`. */
export function derExplicit(tag: number, value: Uint8Array): Buffer {
  return encode(0xa0 | tag, value);
}

/** Bytes under a context-specific tag in place of their own: `[7] IMPLICIT OCTET STRING`. */
export function derImplicit(tag: number, content: Uint8Array): Buffer {
  return encode(0x80 | tag, content);
}
