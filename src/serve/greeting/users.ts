import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { errorCode, TnetError } from '../../errors.ts';
import {
  findDigestUsers,
  parseHtpasswd,
  verifyHtpasswd,
  type DigestUsers,
} from '../../protocol/http-connect/htpasswd.ts';

/** Work that waits for its turn. */
type Work = () => Promise<void>;

/**
 * Runs work one piece at a time, taking turns between the owners: an owner with forty pieces at once makes another
 * owner wait for one of them, and not for all.
 */
export class Turns {
  /** By owner, in the order of their turns; an owner with nothing waiting is not in it. */
  readonly #waiting = new Map<string, Work[]>();
  #isBusy = false;

  /** Settles as `work` does, once its turn has come. */
  take<Result>(owner: string, work: () => Promise<Result>): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const list = this.#waiting.get(owner) ?? [];
    list.push(() => work().then(resolve, reject));
    this.#waiting.set(owner, list);
    this.#next();
    return promise;
  }

  #next(): void {
    const [turn] = this.#waiting;
    if (this.#isBusy || !turn) return;
    const [owner, list] = turn;
    const work = list.shift();
    // To the end of the queue, if anything is left.
    this.#waiting.delete(owner);
    if (list.length > 0) this.#waiting.set(owner, list);
    this.#isBusy = true;
    void work?.().finally(() => {
      this.#isBusy = false;
      this.#next();
    });
  }
}

/**
 * Compares passwords with bcrypt hashes in a thread of its own, one after the other: a comparison takes a tenth of
 * a second of processor time, and on the main thread nothing would be relayed meanwhile.
 */
export class BcryptThread {
  #worker: Worker | undefined;
  readonly #asked = new Map<
    number,
    { resolve: (isRight: boolean) => void; reject: (error: Error) => void }
  >();
  #lastAsk = 0;

  /** @throws Error when the thread ends; the next call starts another one. */
  compare(password: string, hash: string): Promise<boolean> {
    this.#worker ??= this.#start();
    const ask = ++this.#lastAsk;
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    this.#asked.set(ask, { resolve, reject });
    this.#worker.ref();
    this.#worker.postMessage({ ask, password, hash });
    return promise;
  }

  #start(): Worker {
    const { library, workerData } = findLibrary(import.meta.dirname);
    const worker = new Worker(`${library};${answer}`, { eval: true, workerData });
    worker.on('message', ({ ask, isRight }: { ask: number; isRight: boolean }) => {
      this.#asked.get(ask)?.resolve(isRight);
      this.#asked.delete(ask);
      // It keeps the process alive only while a caller waits for an answer.
      if (this.#asked.size === 0) worker.unref();
    });
    worker.on('error', (error: Error) => this.#fail(error));
    worker.on('exit', () => this.#fail(new Error('the thread that compares passwords has ended')));
    return worker;
  }

  #fail(error: Error): void {
    this.#worker = undefined;
    for (const { reject } of this.#asked.values()) reject(error);
    this.#asked.clear();
  }
}

/** The code of the thread. In a single executable, a thread can load a module of Node only in this way. */
const answer = `
const { parentPort } = process.getBuiltinModule('node:worker_threads');
parentPort.on('message', ({ ask, password, hash }) =>
  parentPort.postMessage({ ask, isRight: bcrypt.compareSync(password, hash) }));`;

/** How the thread gets bcryptjs: as text inside a single executable, from the bundle's folder, or as it is installed. */
function findLibrary(folder: string): { library: string; workerData?: { from: string; name: string } } {
  const sea = process.getBuiltinModule('node:sea');
  if (sea.isSea()) {
    const text = sea.getAsset(assetName, 'utf8');
    return {
      library: `const bcrypt = (() => { const module = { exports: {} }; ${text}; return module.exports })()`,
    };
  }
  const isBundled = existsSync(join(folder, 'lib', assetName));
  return {
    library: `const { workerData } = require('node:worker_threads');
const bcrypt = require('node:module').createRequire(workerData.from)(workerData.name)`,
    workerData: { from: join(folder, 'x'), name: isBundled ? `./lib/${assetName}` : 'bcryptjs' },
  };
}

/** See scripts/libraries.mjs and scripts/build-sea.mjs. */
const assetName = 'bcryptjs.cjs';

/** The users of a proxy that requires authentication. */
export interface Users {
  /**
   * Whether a user's password is right. They are checked one after the other, and clients take turns.
   *
   * @param client the address of the client that asks
   */
  isRight(user: string, password: string, client: string): Promise<boolean>;
  /** What they have for Digest, or why they cannot use it. */
  readonly digest: DigestUsers | { readonly obstacle: string };
}

/**
 * The last right password of each user, so that it is not hashed again for each connection; as a digest with a
 * secret random key, until the file is read again.
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

/** Shared by all files: more of them do not mean more processor time. */
const turns = new Turns();
const bcrypt = new BcryptThread();

/**
 * Reads a file of users, see parseHtpasswd().
 *
 * @throws TnetError TNET_E_CONFIG that names the file and the line
 */
export async function readUsers(file: string): Promise<Users> {
  try {
    const users = parseHtpasswd(await readFile(file, 'utf8'));
    const compare = (password: string, hash: string) => bcrypt.compare(password, hash);
    const remembered = new Remembered();
    return {
      digest: findDigestUsers(users),
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
