import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { errorCode, TnetError } from '../../errors.ts';
import { parseHtpasswd, verifyHtpasswd } from '../../protocol/http-connect/htpasswd.ts';
import { BcryptThread } from './bcrypt-thread.ts';
import { Turns } from './turns.ts';

/** Who may use a proxy that asks. */
export interface Users {
  /**
   * Whether a user's password is right. One is looked at after the other, and clients take turns.
   *
   * @param client the address of who asks
   */
  isRight(user: string, password: string, client: string): Promise<boolean>;
}

/**
 * The last right password of each user, so that it is not worked out for each of his connections anew; as a digest with a
 * key that nobody knows, and for as long as the file is not read again.
 */
class Remembered {
  readonly #key = randomBytes(32);
  readonly #digests = new Map<string, Buffer>();

  has(user: string, password: string): boolean {
    const digest = this.#digests.get(user);
    return digest !== undefined && timingSafeEqual(digest, this.#digest(password));
  }

  add(user: string, password: string): void {
    this.#digests.set(user, this.#digest(password));
  }

  #digest(password: string): Buffer {
    return createHmac('sha256', this.#key).update(password).digest();
  }
}

/** For all files: there is no more of the processor when there are more of them. */
const turns = new Turns();
const bcrypt = new BcryptThread();

/**
 * Reads a htpasswd file: bcrypt, apr1 and {SHA}.
 *
 * @throws TnetError TNET_E_CONFIG that names the file and the line
 */
export async function readUsers(file: string): Promise<Users> {
  try {
    const users = parseHtpasswd(await readFile(file, 'utf8'));
    const compare = (password: string, hash: string) => bcrypt.compare(password, hash);
    const remembered = new Remembered();
    return {
      async isRight(user, password, client) {
        if (remembered.has(user, password)) return true;
        const isRight = await turns.take(client, () => verifyHtpasswd(users, user, password, compare));
        if (isRight) remembered.add(user, password);
        return isRight;
      },
    };
  } catch (error) {
    const code = errorCode(error) ?? 'unknown';
    const message = code.startsWith('TNET_') ? (error as Error).message : `the file cannot be read (${code})`;
    throw new TnetError('TNET_E_CONFIG', message, { subject: file, cause: error });
  }
}
