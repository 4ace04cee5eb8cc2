import { readFileSync, appendFileSync, closeSync, constants, openSync } from 'node:fs';
import { X509Certificate } from 'node:crypto';
import { errorCode, TnetError } from '../errors.ts';
import {
  createSecureContext,
  DEFAULT_CIPHERS,
  getCACertificates,
  type SecureContextOptions,
} from '../net/tls.ts';
import type { TlsVersion } from './tls-versions.ts';

/** Files in PEM, as the flags name them. */
export interface TlsFiles {
  /** Authorities to trust. */
  readonly ca?: string | undefined;
  /** Our certificate, followed by those that lead to its authority. */
  readonly cert?: string | undefined;
  /** The key of our certificate. Default: it is in the certificate's file. */
  readonly key?: string | undefined;
}

/** What may be spoken with the peer. */
export interface TlsRules {
  /** The oldest version of TLS. Default: 1.2, Node's own. */
  readonly minVersion?: TlsVersion | undefined;
  /** The cipher suites, as openssl-ciphers(1) writes them. Default: Node's. */
  readonly ciphers?: string | undefined;
}

/** Our certificate and its key, in PEM. */
export interface OwnCertificate {
  readonly cert: string;
  readonly key: string;
}

/**
 * Reads our certificate and key. Undefined when no file is named.
 *
 * @throws TnetError TNET_E_USAGE when a file cannot be read or holds something else.
 */
export function readOwnCertificate({ cert, key }: TlsFiles): OwnCertificate | undefined {
  if (cert === undefined) {
    if (key === undefined) return undefined;
    throw new TnetError('TNET_E_USAGE', '--tls-key needs --tls-cert');
  }
  const certText = readPem(cert, 'CERTIFICATE');
  return { cert: certText, key: readPem(key ?? cert, 'PRIVATE KEY') };
}

/**
 * Reads the authorities to trust. Without a `ca` file a client trusts those of the system and Node's own; without
 * verification none are needed.
 *
 * @throws TnetError TNET_E_USAGE when the file cannot be read or holds something else.
 */
export function readAuthorities({ ca }: TlsFiles, verify: boolean): string[] | undefined {
  if (ca !== undefined) return splitCertificates(ca);
  return verify ? defaultAuthorities() : undefined;
}

/**
 * Prepares certificates, key, authorities, versions and ciphers.
 *
 * @param ca the authorities, if they have been read before; see readAuthorities()
 * @throws TnetError TNET_E_USAGE when a file cannot be read, holds something else, or key and certificate do not
 *   belong together.
 */
export function createContext(
  files: TlsFiles & TlsRules,
  own: OwnCertificate | undefined,
  verify: boolean,
  ca = readAuthorities(files, verify),
): ReturnType<typeof createSecureContext> {
  try {
    return createSecureContext({ ca, ...own, ...readRules(files) });
  } catch (error) {
    if (files.ciphers !== undefined && errorCode(error) === 'ERR_SSL_NO_CIPHER_MATCH') {
      const message = 'no cipher suite has this name: openssl ciphers -s lists them';
      throw new TnetError('TNET_E_USAGE', message, { subject: files.ciphers, cause: error });
    }
    const isMismatch = errorCode(error) === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH';
    const reason = (error as { reason?: string }).reason ?? (error as Error).message;
    const message = isMismatch ? 'the key does not match the certificate' : `cannot be used: ${reason}`;
    const subject = (isMismatch ? files.key : undefined) ?? files.cert ?? files.ca;
    throw new TnetError('TNET_E_USAGE', message, { cause: error, ...(subject && { subject }) });
  }
}

function readRules({ minVersion, ciphers }: TlsRules): SecureContextOptions {
  const isOld = minVersion === '1.0' || minVersion === '1.1';
  return {
    ...(minVersion !== undefined && { minVersion: minVersion === '1.0' ? 'TLSv1' : `TLSv${minVersion}` }),
    // OpenSSL forbids versions before 1.2 from level 1 on. Source: SSL_CTX_set_security_level(3).
    ...((ciphers ?? isOld) && { ciphers: ciphers ?? `${DEFAULT_CIPHERS}:@SECLEVEL=0` }),
  };
}

/**
 * The system's store and Node's own, which is all there is on a system without one. Source: Node doc,
 * tls.getCACertificates().
 */
function defaultAuthorities(): string[] {
  return [...new Set([...getCACertificates('default'), ...getCACertificates('system')])];
}

/**
 * Reads a pin: SHA-256 in hex (with or without colons) or in base64 (with or without curl's `sha256//`).
 *
 * @throws TnetError TNET_E_USAGE
 */
export function parsePin(text: string): Buffer {
  const hex = text.replaceAll(':', '');
  if (/^[0-9a-f]{64}$/i.test(hex)) return Buffer.from(hex, 'hex');
  const base64 = text.replace(/^sha256\/\//, '');
  if (/^[A-Za-z0-9+/]{43}=?$/.test(base64)) return Buffer.from(base64, 'base64');
  throw new TnetError('TNET_E_USAGE', 'a pin is a SHA-256 in hex or in base64', { subject: text });
}

function splitCertificates(file: string): string[] {
  return readPem(file, 'CERTIFICATE').match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g) ?? [];
}

/**
 * A PEM file that holds at least one block of the kind; certificates are parsed once here, to find a broken one
 * early.
 */
function readPem(file: string, kind: 'CERTIFICATE' | 'PRIVATE KEY'): string {
  let text: string;
  try {
    text = readFileSync(file, 'latin1');
  } catch (error) {
    const message = `cannot be read (${errorCode(error) ?? 'unknown'})`;
    throw new TnetError('TNET_E_USAGE', message, { subject: file, cause: error });
  }
  if (!new RegExp(`-----BEGIN ([A-Z ]+ )?${kind}-----`).test(text)) {
    throw new TnetError('TNET_E_USAGE', `contains no PEM ${kind.toLowerCase()}`, { subject: file });
  }
  if (kind === 'CERTIFICATE') checkCertificate(file, text);
  return text;
}

function checkCertificate(file: string, text: string): void {
  try {
    new X509Certificate(text);
  } catch (error) {
    throw new TnetError('TNET_E_USAGE', 'contains a certificate that cannot be read', {
      subject: file,
      cause: error,
    });
  }
}

/**
 * Appends the secrets of TLS connections to a file that Wireshark reads, in NSS key log format; only its owner may
 * read it. The first failure is reported, and then nothing more is written.
 */
function createKeylog(file: string, onError: (error: Error) => void): (line: Buffer) => void {
  let hasFailed = false;
  return (line) => {
    if (hasFailed) return;
    try {
      append(file, line);
    } catch (error) {
      hasFailed = true;
      onError(error as Error);
    }
  };
}

/** A function that writes the secrets to the file that SSLKEYLOGFILE names; undefined when it names none. */
export function openKeylog(fail: (file: string, error: Error) => void): ((line: Buffer) => void) | undefined {
  const file = process.env['SSLKEYLOGFILE'];
  return file ? createKeylog(file, (error) => fail(file, error)) : undefined;
}

/** On a FIFO without a reader, open(2) would block, and the whole process with it. */
function append(file: string, line: Buffer): void {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = constants;
  const fd = openSync(file, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0o600);
  try {
    appendFileSync(fd, line);
  } finally {
    closeSync(fd);
  }
}
