import { readFile } from 'node:fs/promises';
import { errorCode, TnetError } from '../errors.ts';
import { parseHtpasswd, verifyHtpasswd, type CompareBcrypt } from '../protocol/http-connect/index.ts';

/** Who may use a proxy that asks. */
export interface Users {
  isRight(user: string, password: string): Promise<boolean>;
}

/**
 * Reads a htpasswd file: bcrypt, apr1 and {SHA}.
 *
 * @throws TnetError TNET_E_CONFIG that names the file and the line
 */
export async function readUsers(file: string): Promise<Users> {
  try {
    const users = parseHtpasswd(await readFile(file, 'utf8'));
    return { isRight: (user, password) => verifyHtpasswd(users, user, password, compareBcrypt) };
  } catch (error) {
    const code = errorCode(error) ?? 'unknown';
    const message = code.startsWith('TNET_') ? (error as Error).message : `the file cannot be read (${code})`;
    throw new TnetError('TNET_E_CONFIG', message, { subject: file, cause: error });
  }
}

/** Loaded when the first password with such a hash is to be checked. */
const compareBcrypt: CompareBcrypt = async (password, hash) => {
  const { default: bcrypt } = await import('bcryptjs');
  return bcrypt.compare(password, hash);
};
