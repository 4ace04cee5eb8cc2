import { generateKeyPair, randomBytes, sign, X509Certificate } from 'node:crypto';
import { hostname } from 'node:os';
import { promisify } from 'node:util';
import { ipToBytes } from '../address/address.ts';
import {
  derBitString,
  derExplicit,
  derIdentifier,
  derImplicit,
  derInteger,
  derOctetString,
  derSequence,
  derSetOf,
  derText,
  derTime,
  derTrue,
} from './der.ts';
import type { OwnCertificate } from '../dial/tls-files.ts';

/** How long a throw-away certificate is good for: a server that runs longer should have a real one. */
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
 * X.509 but not write it; the libraries that can weigh more than the rest of tnet, for this one shape.
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
  // Positive and without a leading zero byte, as section 4.1.2.2 and DER want it.
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const name = derSequence(
    derSetOf(derSequence(derIdentifier(identifiers.commonName), derText('tnet throw-away'))),
  );
  // A clock that is a little behind ours must not call it unborn.
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

/** It may sign itself, so that a client that trusts it has a whole chain. Critical: section 4.2.1.9. */
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
