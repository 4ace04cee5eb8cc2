import { createHash } from 'node:crypto';

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
export function hashMd5Crypt(password: string, salt: string, prefix: '$apr1$' | '$1$'): string {
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
