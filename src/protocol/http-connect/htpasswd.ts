import { createHash, timingSafeEqual } from 'node:crypto';
import { violation } from '../protocol-error.ts';
import { hashSecret, type DigestAlgorithm } from './digest-server.ts';

const ROUNDS = 1000;
const ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** The order in which the bytes of the digest are written, three to four characters. */
const GROUPS = [
  [0, 6, 12],
  [1, 7, 13],
  [2, 8, 14],
  [3, 9, 15],
  [4, 10, 5],
] as const;

function md5(...parts: Buffer[]): Buffer {
  const hash = createHash('md5');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function writeGroup(value: number, length: number): string {
  return Array.from({ length }, (_, index) => ALPHABET[(value >> (6 * index)) & 63]).join('');
}

/**
 * Poul-Henning Kamp's MD5 password hash: `$1$` of FreeBSD's crypt(3), `$apr1$` of Apache's htpasswd, which differs in
 * the prefix only. Kept for reading old files; bcrypt is what a new one should hold.
 * @param salt at most 8 characters are used.
 * @returns the whole text: prefix, salt, `$` and 22 characters.
 */
function hashMd5Crypt(password: string, salt: string, prefix: '$apr1$' | '$1$'): string {
  const secret = Buffer.from(password);
  const saltBytes = Buffer.from(salt.slice(0, 8));
  const inner = md5(secret, saltBytes, secret);
  const parts: Buffer[] = [secret, Buffer.from(prefix), saltBytes];
  for (let left = secret.length; left > 0; left -= 16) parts.push(inner.subarray(0, Math.min(left, 16)));
  for (let bits = secret.length; bits > 0; bits >>= 1) {
    parts.push(bits & 1 ? Buffer.from([0]) : secret.subarray(0, 1));
  }
  let digest = md5(...parts);
  for (let round = 0; round < ROUNDS; round += 1) {
    digest = md5(
      round & 1 ? secret : digest,
      round % 3 ? saltBytes : Buffer.alloc(0),
      round % 7 ? secret : Buffer.alloc(0),
      round & 1 ? digest : secret,
    );
  }
  const byte = (index: number) => digest[index] ?? 0;
  const written = GROUPS.map(([a, b, c]) => writeGroup((byte(a) << 16) | (byte(b) << 8) | byte(c), 4));
  return `${prefix}${saltBytes.toString()}$${written.join('')}${writeGroup(byte(11), 2)}`;
}

/** Compares a password with a bcrypt hash; given by the caller, as bcrypt needs a library (bcryptjs' `compare`). */
export type CompareBcrypt = (password: string, hash: string) => boolean | Promise<boolean>;

const forms = {
  bcrypt: /^\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}$/,
  sha: /^\{SHA\}[A-Za-z0-9+/]{27}=$/,
  md5: /^(\$apr1\$|\$1\$)([^$]{0,8})\$[./A-Za-z0-9]{22}$/,
  plain: /^\{PLAIN\}/,
};

/**
 * The users of a file and what it has of their passwords: a hash as htpasswd writes it, or `{PLAIN}` and the password.
 * Those of htdigest are `{DIGEST}realm:hash`, where a user may have a hash of each kind, with a comma between them.
 */
export type HtpasswdUsers = ReadonlyMap<string, string>;

const digestLine = /^([^:]+):([^:]*):([0-9a-f]{32}|[0-9a-f]{64})$/i;
const digestForm = /^\{DIGEST\}([^:]*):(.*)$/;

/** The hash functions of Digest for which an entry has a secret, see hashSecret(). */
function readSecrets(
  hash: string,
): { realm: string; secrets: ReadonlyMap<DigestAlgorithm, string> } | undefined {
  const [, realm, secrets] = digestForm.exec(hash) ?? [];
  if (realm === undefined || secrets === undefined) return undefined;
  return { realm, secrets: new Map(secrets.split(',').map((one) => [algorithmOf(one), one])) };
}

function algorithmOf(secret: string): DigestAlgorithm {
  return secret.length === 32 ? 'MD5' : 'SHA-256';
}

/**
 * Reads a file of users: `user:hash` a line as htpasswd writes it, `user:realm:hash` as htdigest does (MD5, and SHA-256
 * in the same form), or `user:{PLAIN}password`; blank lines and lines starting with `#` left out. bcrypt, `$apr1$`, `$1$`
 * and `{SHA}` are taken; crypt(3)'s DES and a plain password without its mark are refused rather than guessed at.
 * @throws ProtocolError TNET_E_PROTOCOL that names the line, `bad-line`, `bad-hash` or `user-twice`.
 */
export function parseHtpasswd(text: string): HtpasswdUsers {
  const users = new Map<string, string>();
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const fail = (reason: string, what: string) => violation('htpasswd', reason, `line ${index + 1} ${what}`);
    if (addSecret(users, line)) continue;
    const [, user, hash = ''] =
      splitUser(raw.replace(/\r$/, '')) ?? /^([^:]+):([^:]+)(?::.*)?$/.exec(line) ?? [];
    if (user === undefined) throw fail('bad-line', 'is not user:hash');
    if (!Object.values(forms).some((form) => form.test(hash))) {
      throw fail('bad-hash', 'has a hash that is not bcrypt, apr1 or {SHA}');
    }
    if (users.has(user)) throw fail('user-twice', 'names a user for the second time');
    users.set(user, hash);
  }
  return users;
}

/** A plain password may have colons, and blanks at its end. */
function splitUser(line: string): RegExpExecArray | null {
  return /^\s*([^:]+):(\{PLAIN\}.*)$/.exec(line);
}

/** Takes a line of htdigest; false: it is none, or the user is there already with such a hash. */
function addSecret(users: Map<string, string>, line: string): boolean {
  const [, user, realm, secret] = digestLine.exec(line) ?? [];
  if (user === undefined || realm === undefined || secret === undefined) return false;
  const before = users.get(user);
  const known = readSecrets(before ?? '');
  if (before !== undefined && (known?.realm !== realm || known.secrets.has(algorithmOf(secret))))
    return false;
  users.set(user, before === undefined ? `{DIGEST}${realm}:${secret}` : `${before},${secret}`);
  return true;
}

/** What a file of users has for Digest (RFC 7616). */
export interface DigestUsers {
  readonly realm: string;
  /** Those for which every user has a secret, the stronger one first. */
  readonly algorithms: readonly DigestAlgorithm[];
  /** See hashSecret(); undefined for an unknown user. */
  secretOf(user: string, algorithm: DigestAlgorithm): string | undefined;
}

/** The realm of users that have none. */
export const defaultRealm = 'tnet';

/** What users have for Digest, or why they cannot use it. */
export function findDigestUsers(users: HtpasswdUsers): DigestUsers | { readonly obstacle: string } {
  const realms = new Set<string>();
  let algorithms: readonly DigestAlgorithm[] = ['SHA-256', 'MD5'];
  for (const [user, hash] of users) {
    if (forms.plain.test(hash)) continue;
    const found = readSecrets(hash);
    const named = JSON.stringify(user);
    if (!found) {
      const obstacle = `Digest needs {PLAIN}password or user:realm:HASH of htdigest, and ${named} has a hash of htpasswd`;
      return { obstacle };
    }
    realms.add(found.realm);
    algorithms = algorithms.filter((one) => found.secrets.has(one));
  }
  const [realm = defaultRealm, ...others] = realms;
  if (others.length > 0) return { obstacle: 'Digest has one realm, and the users have several' };
  if (!/^[\x20-\x7e]*$/.test(realm))
    return { obstacle: 'the realm of Digest has printable ASCII characters only' };
  if (algorithms.length === 0)
    return { obstacle: 'Digest needs hashes of one kind, MD5 or SHA-256, for all users' };
  return {
    realm,
    algorithms,
    secretOf(user, algorithm) {
      const hash = users.get(user);
      if (hash === undefined) return undefined;
      if (!forms.plain.test(hash)) return readSecrets(hash)?.secrets.get(algorithm);
      return hashSecret(algorithm, user, realm, hash.slice('{PLAIN}'.length));
    },
  };
}

function isSame(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/**
 * Whether the password of a user is right. An unknown user, or one with a hash that is quicker to compare, costs as
 * much as the costliest hash of the file: the time does not reveal which users exist.
 * @param compareBcrypt used for bcrypt hashes; without it they match nothing.
 */
export async function verifyHtpasswd(
  users: HtpasswdUsers,
  user: string,
  password: string,
  compareBcrypt?: CompareBcrypt,
): Promise<boolean> {
  const hash = users.get(user);
  const costliest = findCostliest(users);
  const asked = { user, password };
  const isRight = hash !== undefined && (await isPasswordOf(hash, asked, compareBcrypt));
  if (hash === undefined || costOf(hash) < costOf(costliest))
    await isPasswordOf(costliest, asked, compareBcrypt);
  return isRight;
}

/** Of the same length for each password. */
function digestOf(password: string): string {
  return createHash('sha256').update(password).digest('hex');
}

/** Compared with when there is no user at all. */
const nobody = '$apr1$$......................';

const costliestOf = new WeakMap<HtpasswdUsers, string>();

function findCostliest(users: HtpasswdUsers): string {
  const known = costliestOf.get(users);
  if (known !== undefined) return known;
  const found = [...users.values()].reduce(
    (most, hash) => (costOf(hash) > costOf(most) ? hash : most),
    nobody,
  );
  costliestOf.set(users, found);
  return found;
}

/** In an order only: {SHA}, then MD5, then bcrypt by its cost, whose step is twice the time. */
function costOf(hash: string): number {
  if (forms.bcrypt.test(hash)) return 10 + Number(hash.slice(4, 6));
  return forms.md5.test(hash) ? 1 : 0;
}

async function isPasswordOf(
  hash: string,
  { user, password }: { readonly user: string; readonly password: string },
  compareBcrypt?: CompareBcrypt,
): Promise<boolean> {
  if (forms.plain.test(hash)) return isSame(digestOf(hash.slice('{PLAIN}'.length)), digestOf(password));
  const found = readSecrets(hash);
  if (found) {
    const { realm, secrets } = found;
    return [...secrets].every(([algorithm, secret]) =>
      isSame(secret.toLowerCase(), hashSecret(algorithm, user, realm, password)),
    );
  }
  if (forms.bcrypt.test(hash)) return (await compareBcrypt?.(password, hash)) ?? false;
  if (forms.sha.test(hash)) {
    return isSame(hash, `{SHA}${createHash('sha1').update(password).digest('base64')}`);
  }
  const [, prefix = '$apr1$', salt = ''] = forms.md5.exec(hash) ?? [];
  return isSame(hash, hashMd5Crypt(password, salt, prefix === '$1$' ? '$1$' : '$apr1$'));
}
