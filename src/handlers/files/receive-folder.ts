import { createHash } from 'node:crypto';
import { constants, type BigIntStats } from 'node:fs';
import { access, link, lstat, open, rename, stat, statfs, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, TnetError } from '../../errors.ts';
import { findNameFault } from '../../protocol/file-transfer/file-name.ts';
import { NAME_LIMIT_BYTES, type RefusalReason } from '../../protocol/file-transfer/messages.ts';
import { lockFile } from './part-lock.ts';

/** Why a file is not taken: told to its sender, and to whoever runs the receiver. */
export class FileRefusal extends TnetError {
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason, message: string, cause?: unknown) {
    super('TNET_E_FILE', message, { cause });
    this.reason = reason;
  }
}

export interface ReceiveOptions {
  /** Replace a file that has the name already. Default: it is left alone, and the new one refused. */
  readonly overwrite?: boolean | undefined;
  /** The longest file, in bytes. Default: no limit. */
  readonly maxBytes?: number | undefined;
}

/** An open file of the folder. Whoever gets it calls close(). */
export interface FolderFile {
  readonly file: FileHandle;
  /** How many first bytes of the file that is offered may be in it. */
  readonly haveBytes: number;
  readonly close: () => Promise<void>;
}

/** A file that is not complete yet. */
export interface PartFile extends FolderFile {
  /** Gives the complete file its name. @throws FileRefusal, or the system's error */
  readonly publish: () => Promise<void>;
  /** Removes it: what is in it is of no use. */
  readonly remove: () => Promise<void>;
}

/** On Windows there are none of these. A FIFO must not make open() wait. */
const plainOnly = numberOr0(constants.O_NOFOLLOW) | numberOr0(constants.O_NONBLOCK);

/**
 * The folder into which files are received. Everything in it is reached through one descriptor where the system has
 * /proc, so that nobody who renames the folder, or puts a link in its place, redirects what is written; elsewhere the
 * path has to lead to the same folder still. Names are plain, links are not followed, and a file gets its name only
 * when it is complete.
 */
export class ReceiveFolder {
  readonly path: string;
  readonly #options: ReceiveOptions;
  readonly #handle: FileHandle;
  readonly #identity: BigIntStats;
  /** What names are joined to. */
  #base: string;

  private constructor(path: string, options: ReceiveOptions, handle: FileHandle, identity: BigIntStats) {
    this.path = path;
    this.#options = options;
    this.#handle = handle;
    this.#identity = identity;
    this.#base = path;
  }

  /**
   * Opens an existing folder, for as long as the process runs.
   *
   * @throws TnetError TNET_E_USAGE when it is none, or when no file can be created in it
   */
  static async open(path: string, options: ReceiveOptions = {}): Promise<ReceiveFolder> {
    try {
      const handle = await open(path, constants.O_RDONLY | numberOr0(constants.O_DIRECTORY));
      const folder = new ReceiveFolder(path, options, handle, await handle.stat({ bigint: true }));
      const byDescriptor = `/proc/self/fd/${handle.fd}/.`;
      if (await folder.#isAt(byDescriptor)) folder.#base = byDescriptor;
      await access(folder.#base, constants.W_OK | constants.X_OK);
      return folder;
    } catch (error) {
      const message = `no files can be received there (${errorCode(error) ?? 'ERROR'})`;
      throw new TnetError('TNET_E_USAGE', message, { subject: path, cause: error });
    }
  }

  /** Frees the descriptor. */
  close(): Promise<void> {
    return this.#handle.close();
  }

  /**
   * Makes sure that a file may be received.
   *
   * @throws FileRefusal
   */
  async judge(name: string, bytes: number): Promise<void> {
    const fault = findNameFault(name, { isWindows: process.platform === 'win32' });
    if (fault !== undefined) throw new FileRefusal('name', `the name is refused: ${fault}`);
    const { maxBytes = Infinity } = this.#options;
    if (bytes > maxBytes)
      throw new FileRefusal('too-large', `it has ${bytes} bytes, and the limit is ${maxBytes}`);
    if (this.#base === this.path && !(await this.#isAt(this.path)))
      throw new FileRefusal('failed', 'the folder is no longer the one that was opened');
  }

  /**
   * The file that has the name already, to be compared if it is as long as the one that is offered. Undefined: none
   * has it, or it will be replaced in any case.
   *
   * @throws FileRefusal
   */
  async openExisting(name: string, bytes: number): Promise<FolderFile | undefined> {
    const found = await this.#look(name);
    if (!found) return undefined;
    if (!found.isFile()) throw new FileRefusal('exists', 'something that is not a file has this name');
    if (found.size !== BigInt(bytes)) {
      if (this.#options.overwrite) return undefined;
      throw existsError();
    }
    try {
      const file = await open(this.#at(name), constants.O_RDONLY | plainOnly);
      const { dev, ino } = await file.stat({ bigint: true });
      if (dev === found.dev && ino === found.ino)
        return { file, haveBytes: bytes, close: () => file.close() };
      await file.close();
    } catch (error) {
      if (!this.#options.overwrite) throw existsError(error);
      return undefined;
    }
    if (!this.#options.overwrite) throw existsError();
    return undefined;
  }

  /** @throws FileRefusal unless a file of another content may be replaced */
  requireOverwrite(): void {
    if (!this.#options.overwrite) throw existsError();
  }

  /**
   * The part of the file that an interrupted transfer has left, or a new one.
   *
   * @throws FileRefusal, or the system's error
   */
  async openPart(name: string, bytes: number): Promise<PartFile> {
    const part = partName(name);
    const { O_RDWR, O_CREAT } = constants;
    let file: FileHandle;
    try {
      file = await open(this.#at(part), O_RDWR | O_CREAT | plainOnly, 0o666);
    } catch (error) {
      throw errorCode(error) === 'ELOOP' ? strangePart(error) : (error as Error);
    }
    let unlock: (() => Promise<void>) | undefined;
    const close = async () => {
      await file.close();
      await unlock?.();
    };
    try {
      const found = await file.stat({ bigint: true });
      if (!found.isFile() || found.nlink > 1n) throw strangePart();
      unlock = await lockFile(found);
      // Whoever had it may have given it its name, or have removed it, meanwhile.
      const now = await this.#look(part);
      if (!unlock || now?.ino !== found.ino || now.dev !== found.dev)
        throw new FileRefusal('busy', 'a file of this name is being received at this moment');
      const haveBytes = found.size <= BigInt(bytes) ? Number(found.size) : 0;
      await this.#requireRoom(bytes - haveBytes);
      return {
        ...{ file, haveBytes, close },
        publish: () => this.#publish(part, name),
        remove: () => unlink(this.#at(part)),
      };
    } catch (error) {
      await close();
      throw error;
    }
  }

  #at(name: string): string {
    return join(this.#base, name);
  }

  async #look(name: string): Promise<BigIntStats | undefined> {
    try {
      return await lstat(this.#at(name), { bigint: true });
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  async #isAt(path: string): Promise<boolean> {
    const { dev, ino } = this.#identity;
    const found = await stat(path, { bigint: true }).catch(() => undefined);
    return found?.dev === dev && found.ino === ino;
  }

  async #requireRoom(bytes: number): Promise<void> {
    const { blocks, bavail, bsize } = await statfs(this.#base, { bigint: true });
    // A file system without a size of its own has no blocks.
    if (blocks > 0n && bavail * bsize < BigInt(bytes))
      throw new FileRefusal('no-space', `${bytes} bytes are to come, and ${bavail * bsize} are free`);
  }

  async #publish(part: string, name: string): Promise<void> {
    const [from, to] = [this.#at(part), this.#at(name)];
    if (this.#options.overwrite) {
      const found = await this.#look(name);
      if (found && !found.isFile())
        throw new FileRefusal('exists', 'something that is not a file has this name');
      await rename(from, to);
    } else {
      await placeNew(from, to);
    }
    // The name is on the disk, too, where a folder can be synchronised.
    await this.#handle.sync().catch(() => undefined);
  }
}

/** link(2) never replaces anything, which rename(2) does. A file system without links has a moment in between. */
async function placeNew(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    if (errorCode(error) === 'EEXIST') throw existsError(error);
    const isThere = await lstat(to).then(
      () => true,
      () => false,
    );
    if (isThere) throw existsError(error);
    await rename(from, to);
    return;
  }
  await unlink(from);
}

/** Hidden, and next to the file. The longest names are represented by their hash. */
function partName(name: string): string {
  const plain = `.${name}.tnet-part`;
  if (Buffer.byteLength(plain) <= NAME_LIMIT_BYTES) return plain;
  return `.${createHash('sha256').update(name).digest('hex')}.tnet-part`;
}

function existsError(cause?: unknown): FileRefusal {
  return new FileRefusal('exists', 'another file has this name; with --overwrite it is replaced', cause);
}

function strangePart(cause?: unknown): FileRefusal {
  return new FileRefusal('exists', 'the place of its temporary file is taken by something else', cause);
}

function numberOr0(flag: number | undefined): number {
  return flag ?? 0;
}
