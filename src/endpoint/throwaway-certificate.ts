import { generateKeyPair, randomBytes, X509Certificate } from 'node:crypto';
import { hostname } from 'node:os';
import { promisify } from 'node:util';
import { isIP } from '../net/ip.ts';
import type { OwnCertificate } from './secure-settings.ts';

/** How long a throw-away certificate is good for: a server that runs longer should have a real one. */
const validDays = 30;

/**
 * Makes a key and a self-signed certificate for this machine's names and `host`, for one run. node:crypto can read
 * X.509 but not write it, so node-forge does that; the key is node:crypto's.
 *
 * @returns the pair, and the SHA-256 fingerprint as openssl x509 -fingerprint writes it.
 */
export async function createThrowawayCertificate(
  host?: string,
): Promise<OwnCertificate & { fingerprint: string }> {
  const [{ default: forge }, { publicKey, privateKey }] = await Promise.all([
    import('node-forge'),
    promisify(generateKeyPair)('rsa', {
      modulusLength: 2048,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    }),
  ]);
  const { pki, md } = forge;
  const certificate = pki.createCertificate();
  certificate.publicKey = pki.publicKeyFromPem(publicKey);
  // Positive, as RFC 5280 section 4.1.2.2 wants it: the first bit is 0.
  certificate.serialNumber = `0${randomBytes(16).toString('hex').slice(1)}`;
  const now = Date.now();
  // A clock that is a little behind ours must not call it unborn.
  certificate.validity.notBefore = new Date(now - 3_600_000);
  certificate.validity.notAfter = new Date(now + validDays * 86_400_000);
  const name = [{ name: 'commonName', value: 'tnet throw-away' }];
  certificate.setSubject(name);
  certificate.setIssuer(name);
  const names = new Set(['localhost', hostname(), '127.0.0.1', '::1', ...(host ? [host] : [])]);
  certificate.setExtensions([
    { name: 'basicConstraints', cA: true },
    { name: 'subjectAltName', altNames: [...names].map(toAltName) },
  ]);
  certificate.sign(pki.privateKeyFromPem(privateKey), md.sha256.create());
  const cert = pki.certificateToPem(certificate);
  return { cert, key: privateKey, fingerprint: new X509Certificate(cert).fingerprint256 };
}

/** GeneralName of RFC 5280 section 4.2.1.6: 2 is a DNS name, 7 an address. */
function toAltName(name: string): object {
  return isIP(name) === 0 ? { type: 2, value: name } : { type: 7, ip: name };
}
