import { createHash, timingSafeEqual } from 'node:crypto';
import { parseChallenges } from './credentials.ts';

/** The hash functions that a server offers, by their names in RFC 7616, with Node's: the stronger one first. */
const hashes = { 'SHA-256': 'sha256', MD5: 'md5' } as const;

export type DigestAlgorithm = keyof typeof hashes;

export const digestAlgorithms = Object.keys(hashes) as DigestAlgorithm[];

/** What a client says in Proxy-Authorization to prove that it knows a password: RFC 7616 section 3.4. */
export interface DigestAnswer {
  readonly user: string;
  readonly realm: string;
  readonly algorithm: DigestAlgorithm;
  readonly nonce: string;
  /** The target of the request as the client names it; one character a byte. */
  readonly uri: string;
  /** How often the client has used the nonce: from 1. */
  readonly count: number;
  /** `count` as it was written, which is part of what is hashed. */
  readonly nc: string;
  readonly cnonce: string;
  readonly response: string;
}

function digest(algorithm: DigestAlgorithm, bytes: Buffer): string {
  return createHash(hashes[algorithm]).update(bytes).digest('hex');
}

/** Header text is one character a byte, and names are UTF-8 there. */
function toUtf8(text: string): string {
  return Buffer.from(text, 'latin1').toString();
}

/** Reads `username*`, RFC 8187: UTF-8 in per cent. */
function readExtended(value: string): string | undefined {
  const [, encoded] = /^utf-8''(.*)$/i.exec(value) ?? [];
  try {
    return encoded === undefined ? undefined : decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}

/**
 * Reads a Proxy-Authorization value of Digest with `qop=auth`; undefined for anything else, such as RFC 2069's form, a
 * `-sess` algorithm, or one that is not offered.
 */
export function readDigestAnswer(value: string): DigestAnswer | undefined {
  let found;
  try {
    found = parseChallenges(value);
  } catch {
    return undefined;
  }
  const [answer] = found;
  if (found.length !== 1 || answer?.scheme !== 'digest') return undefined;
  const read = (name: string) => answer.parameters.get(name);
  const name = (read('algorithm') ?? 'MD5').toUpperCase();
  const algorithm = digestAlgorithms.find((one) => one === name);
  const [plain, extended] = [read('username'), read('username*')];
  const user = plain === undefined ? readExtended(extended ?? '') : toUtf8(plain);
  const [realm, nonce, uri, nc, cnonce, response] = (
    ['realm', 'nonce', 'uri', 'nc', 'cnonce', 'response'] as const
  ).map(read);
  if (algorithm === undefined || user === undefined || (plain !== undefined && extended !== undefined))
    return undefined;
  if (realm === undefined || nonce === undefined || uri === undefined || cnonce === undefined)
    return undefined;
  if (read('qop')?.toLowerCase() !== 'auth' || read('userhash')?.toLowerCase() === 'true') return undefined;
  if (nc === undefined || !/^[0-9a-f]{8}$/i.test(nc) || response === undefined) return undefined;
  const count = Number.parseInt(nc, 16);
  return { user, realm: toUtf8(realm), algorithm, nonce, uri, count, nc, cnonce, response };
}

/** H(user:realm:password), which is all that a server has to know of a password: RFC 7616 section 3.4.2. */
export function hashSecret(
  algorithm: DigestAlgorithm,
  user: string,
  realm: string,
  password: string,
): string {
  return digest(algorithm, Buffer.from(`${user}:${realm}:${password}`));
}

/** Whether an answer proves that its client knows the password behind `secret`, see hashSecret(). */
export function isRightAnswer(answer: DigestAnswer, secret: string, method: string): boolean {
  const { algorithm, nonce, nc, cnonce, uri, response } = answer;
  const a2 = digest(algorithm, Buffer.from(`${method}:${uri}`, 'latin1'));
  const text = `${secret.toLowerCase()}:${nonce}:${nc}:${cnonce}:auth:${a2}`;
  const [wanted, given] = [digest(algorithm, Buffer.from(text, 'latin1')), response.toLowerCase()].map(
    (one) => Buffer.from(one, 'latin1'),
  ) as [Buffer, Buffer];
  return wanted.length === given.length && timingSafeEqual(wanted, given);
}

/** The value of Proxy-Authenticate that asks for Digest. @param realm printable ASCII */
export function digestChallenge(
  algorithm: DigestAlgorithm,
  { realm, nonce, isStale }: { readonly realm: string; readonly nonce: string; readonly isStale: boolean },
): string {
  const quoted = realm.replaceAll(/["\\]/g, '\\$&');
  return [
    `Digest realm="${quoted}"`,
    'qop="auth"',
    `algorithm=${algorithm}`,
    `nonce="${nonce}"`,
    ...(isStale ? ['stale=true'] : []),
    'charset=UTF-8',
  ].join(', ');
}
