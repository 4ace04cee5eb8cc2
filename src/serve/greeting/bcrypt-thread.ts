import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

/**
 * Compares passwords with bcrypt hashes in a thread of its own, one after the other: a comparison takes a tenth of a
 * second of a processor, and on the main thread nothing would be relayed meanwhile.
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
      // It keeps the process only while somebody waits for an answer.
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

/** The thread's own part. A thread of a single executable can load a module of Node only in this way. */
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
