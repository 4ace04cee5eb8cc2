import { chmodSync, linkSync, lstatSync, renameSync, unlinkSync, type BigIntStats } from 'node:fs';
import net from 'node:net';
import { basename, dirname, join } from 'node:path';

/**
 * The longest Unix socket path in bytes: sun_path without its closing NUL. unix(7) on Linux, unix(4) on macOS and BSD.
 * Windows pipe names have no such limit.
 */
const unixPathLimit: number =
  process.platform === 'win32' ? Infinity : process.platform === 'linux' ? 107 : 103;

/** Whether the system would refuse the path for its length. An abstract name (leading NUL) may fill sun_path. */
export function isUnixPathTooLong(path: string): boolean {
  return Buffer.byteLength(path) > (path.startsWith('\0') ? unixPathLimit + 1 : unixPathLimit);
}

/** The error of listening on a path that is too long, with the fields that node:net's has. */
export function createPathLengthError(path: string): Error {
  const length = Buffer.byteLength(path);
  const message = `listen EINVAL: invalid argument ${path} (${length} bytes, at most ${unixPathLimit})`;
  const fields = { code: 'EINVAL', errno: -22, syscall: 'listen', address: path, port: -1 };
  return Object.assign(new Error(message), fields);
}

/**
 * What is at a path: `free`: nothing; `stale`: a socket whose server is gone; `live`: a socket that something
 * answers or that may not be asked; `file`: not a socket.
 */
export type UnixPathState = 'free' | 'stale' | 'live' | 'file';

/** A Unix socket file as seen at one moment: `inode` identifies it later. */
export interface UnixPathProbe {
  readonly state: UnixPathState;
  readonly inode: Inode | undefined;
}

/** A file's identity: another file at the same path has another one. */
export interface Inode {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** Finds out what is at a path by connecting to it. Only a refused connection counts as stale. Never rejects. */
export async function probeUnixPath(path: string): Promise<UnixPathProbe> {
  const before = statPath(path);
  if (!before) return { state: 'free', inode: undefined };
  if (!before.isSocket()) return { state: 'file', inode: before };
  const code = await knock(path);
  const after = statPath(path);
  if (!after) return { state: 'free', inode: undefined };
  const isStale = code === 'ECONNREFUSED' && isSameInode(before, after);
  return { state: isStale ? 'stale' : 'live', inode: after };
}

function knock(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect({ path });
    socket.on('connect', () => {
      // Ended and read to the end: closing with bytes unread would show up as a reset at the live server.
      socket.unref().resume().end();
      resolve(undefined);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
  });
}

/** The identity of what is at the path (of a symbolic link itself), or undefined when there is nothing. */
export function statPath(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true });
  } catch {
    return undefined;
  }
}

function isSameInode(one: Inode, other: Inode): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}

/**
 * A name beside the path to bind first, or undefined when the system would not take one that long.
 *
 * libuv deletes the name that it has bound when the handle closes, no matter whose file is there by then. So the
 * socket is bound under a temporary name and published under its own: no other process has a file at the temporary
 * name, and a stale path is replaced in one step, as in haproxy.
 */
export function passingName(path: string): string | undefined {
  const suffix = `.${process.pid.toString(36)}${(passingNames++).toString(36)}`;
  const longName = join(dirname(path), `.${basename(path)}${suffix}`);
  if (!isUnixPathTooLong(longName)) return longName;
  const shortName = join(dirname(path), suffix);
  return isUnixPathTooLong(shortName) ? undefined : shortName;
}

let passingNames = 0;

/**
 * Gives the socket bound at `from` the name `path`. With `replacing`, what is at the path gives way if it is still
 * that file.
 *
 * @returns the file's identity, or undefined when the path is taken; then the socket is still at `from`.
 * @throws what link(2) or rename(2) says, as for a file system without hard links.
 */
export function publishSocket(from: string, path: string, replacing?: Inode): Inode | undefined {
  const inode = lstatSync(from, { bigint: true });
  if (replacing) {
    const present = statPath(path);
    if (present && !isSameInode(present, replacing)) return undefined;
    renameSync(from, path);
    return inode;
  }
  try {
    linkSync(from, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
    throw error;
  }
  unlinkSync(from);
  return inode;
}

/** Sets permission bits as chmod(2) does, and returns 0 or the negated errno, as node:net's handles do. */
export function changeMode(path: string, mode: number): number {
  try {
    chmodSync(path, mode);
    return 0;
  } catch (error) {
    return (error as NodeJS.ErrnoException).errno ?? -1;
  }
}

/** Whether there is a file at the path, and not the one that `inode` names. */
export function isOtherFile(path: string, inode: Inode): boolean {
  const present = statPath(path);
  return present !== undefined && !isSameInode(present, inode);
}

/** Takes the file at the path out of the way until the function that is returned is called. */
export function setAside(path: string): () => void {
  const aside = passingName(path) ?? path;
  try {
    renameSync(path, aside);
    return () => renameSync(aside, path);
  } catch {
    return () => undefined;
  }
}

/** Deletes the path if it is still the file that `inode` names. */
export function removeOwnPath(path: string, inode: Inode): void {
  const present = statPath(path);
  if (present && isSameInode(present, inode)) removeFile(path);
}

export function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Gone already, or the directory forbids it: what libuv's own removal ignores too.
  }
}
