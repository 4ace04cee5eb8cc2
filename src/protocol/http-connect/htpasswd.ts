import { createHash, timingSafeEqual } from 'node:crypto';
import { violation } from '../protocol-error.ts';

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
};

/** The users of a htpasswd file and their hashes. */
export type HtpasswdUsers = ReadonlyMap<string, string>;

/**
 * Reads a htpasswd file: `user:hash` a line, blank lines and lines starting with `#` left out. bcrypt, `$apr1$`, `$1$`
 * and `{SHA}` are taken; crypt(3)'s DES and a plain password are refused rather than guessed at.
 * @throws ProtocolError TNET_E_PROTOCOL that names the line, `bad-line`, `bad-hash` or `user-twice`.
 */
export function parseHtpasswd(text: string): HtpasswdUsers {
  const users = new Map<string, string>();
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const fail = (reason: string, what: string) => violation('htpasswd', reason, `line ${index + 1} ${what}`);
    const [, user, hash = ''] = /^([^:]+):([^:]+)(?::.*)?$/.exec(line) ?? [];
    if (user === undefined) throw fail('bad-line', 'is not user:hash');
    if (!Object.values(forms).some((form) => form.test(hash))) {
      throw fail('bad-hash', 'has a hash that is not bcrypt, apr1 or {SHA}');
    }
    if (users.has(user)) throw fail('user-twice', 'names a user for the second time');
    users.set(user, hash);
  }
  return users;
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
  const isRight = hash !== undefined && (await isPasswordOf(hash, password, compareBcrypt));
  if (hash === undefined || costOf(hash) < costOf(costliest))
    await isPasswordOf(costliest, password, compareBcrypt);
  return isRight;
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
  return forms.sha.test(hash) ? 0 : 1;
}

async function isPasswordOf(hash: string, password: string, compareBcrypt?: CompareBcrypt): Promise<boolean> {
  if (forms.bcrypt.test(hash)) return (await compareBcrypt?.(password, hash)) ?? false;
  if (forms.sha.test(hash)) {
    return isSame(hash, `{SHA}${createHash('sha1').update(password).digest('base64')}`);
  }
  const [, prefix = '$apr1$', salt = ''] = forms.md5.exec(hash) ?? [];
  return isSame(hash, hashMd5Crypt(password, salt, prefix === '$1$' ? '$1$' : '$apr1$'));
}
