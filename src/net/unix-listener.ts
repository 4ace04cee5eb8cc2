import { chmodSync, chownSync } from 'node:fs';
import net from 'node:net';
import type { ListeningHandle } from './handles.ts';
import {
  changeMode,
  isOtherFile,
  passingName,
  probeUnixPath,
  publishSocket,
  removeFile,
  removeOwnPath,
  setAside,
  statPath,
  type Inode,
} from './unix-path.ts';

/** How a server takes a Unix socket path. */
export interface UnixListenOptions {
  /**
   * Replace a socket file whose server is gone: the path is probed by connecting, and only a refused connection
   * counts. A live server is an EADDRINUSE error; a file that is not a socket is never touched. Default false.
   */
  readonly replaceStale?: boolean | undefined;
  /** Permission bits of the socket file, set before anyone can connect. Default: what the umask leaves. */
  readonly mode?: number | undefined;
  /** Owner of the socket file, set before anyone can connect. Default: this process's user and group. */
  readonly owner?: UnixOwner | undefined;
}

/** User and group by their numbers; what is absent stays as it is. */
export interface UnixOwner {
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

/** Who may use a socket file. */
export type UnixFileSettings = Pick<UnixListenOptions, 'mode' | 'owner'>;

/** A bound and listening handle with the file that belongs to it. */
export interface UnixListener {
  readonly handle: ListeningHandle;
  readonly path: string;
  readonly inode: Inode;
  /** Mode and owner that the system gave the file. */
  readonly original: UnixFileSettings;
  /** libuv has bound the path itself, and deletes it when the handle closes, whatever is there by then. */
  readonly isBoundInPlace: boolean;
}

export interface UnixListenRequest extends UnixListenOptions {
  readonly path: string;
  readonly backlog: number;
  readonly replacing?: Inode | undefined;
  /** Binds a handle to a name; a number is a negated errno. Default: a stream socket of node:net. */
  readonly bind?: ((name: string) => ListeningHandle | number) | undefined;
}

const createStreamHandle = (
  net as unknown as {
    _createServerHandle: (path: string, port: -1, addressType: -1) => ListeningHandle | number;
  }
)._createServerHandle;

const bindStream = (name: string): ListeningHandle | number => createStreamHandle(name, -1, -1);

/**
 * Binds, listens, sets the mode and publishes the path, in this order, so that once the path is visible, clients
 * can connect.
 *
 * @returns undefined when that is impossible: the path is taken, the directory is missing or closed, no hard links.
 *   Binding the path itself then gives node:net's own result or error.
 * @throws what chmod(2) or chown(2) says: a socket that others may use is not published
 */
export function openUnixListener(request: UnixListenRequest): UnixListener | undefined {
  if (!process.getBuiltinModule('node:worker_threads').isMainThread) return openInPlace(request);
  const { path, mode, backlog, bind = bindStream } = request;
  const name = passingName(path);
  if (name === undefined) return undefined;
  const handle = bind(name);
  if (typeof handle === 'number') return undefined;
  const original = readSettings(name);
  try {
    changeFile(name, request);
  } catch (error) {
    handle.close();
    removeFile(name);
    throw error;
  }
  const inode = handle.listen(backlog) === 0 ? publish(name, request) : undefined;
  if (!inode) {
    handle.close();
    removeFile(name);
    return undefined;
  }
  // libuv looks for the name that it has bound.
  handle.fchmod = (bits) => changeMode(path, toMode(bits) | (mode === undefined ? 0 : presentMode(path)));
  return { handle, path, inode, original, isBoundInPlace: false };
}

function publish(from: string, { path, replacing }: UnixListenRequest): Inode | undefined {
  try {
    return publishSocket(from, path, replacing);
  } catch {
    return undefined;
  }
}

/** Mode after owner: chown(2) may clear bits of it. @throws what chmod(2) or chown(2) says */
function changeFile(path: string, { mode, owner }: UnixFileSettings): void {
  if (owner) chownSync(path, owner.uid ?? -1, owner.gid ?? -1);
  if (mode !== undefined) chmodSync(path, mode);
}

function readSettings(path: string): UnixFileSettings {
  const status = statPath(path);
  if (!status) return {};
  return {
    mode: Number(status.mode) & 0o7777,
    owner: { uid: Number(status.uid), gid: Number(status.gid) },
  };
}

/**
 * Changes who may use a listener's file from now on; what is not given is as the system made it. A file that
 * another process has put in its place is left alone.
 *
 * @throws what chmod(2) or chown(2) says
 */
export function changeUnixFile(
  { path, inode, original }: UnixListener,
  { mode = original.mode, owner }: UnixFileSettings,
): void {
  const present = statPath(path);
  if (!present || isOtherFile(path, inode)) return;
  const wanted = { ...original.owner, ...owner };
  const isOwned = Number(present.uid) === wanted.uid && Number(present.gid) === wanted.gid;
  changeFile(path, { mode, owner: isOwned ? undefined : wanted });
}

/**
 * As openUnixListener in a worker thread, where nothing but libuv's own handles is cleared up at terminate(): the path
 * has to be the name that libuv has bound.
 */
function openInPlace(request: UnixListenRequest): UnixListener | undefined {
  const { path, backlog, replacing, bind = bindStream } = request;
  if (replacing) removeOwnPath(path, replacing);
  const handle = bind(path);
  if (typeof handle === 'number') return undefined;
  // No client can connect before the socket listens.
  const inode = statPath(path);
  const original = readSettings(path);
  try {
    changeFile(path, request);
  } catch (error) {
    handle.close();
    throw error;
  }
  if (inode && handle.listen(backlog) === 0) return { handle, path, inode, original, isBoundInPlace: true };
  handle.close();
  return undefined;
}

const uvReadable = 1;
const uvWritable = 2;

/** The mode that `readableAll` and `writableAll` ask for, and no other. Source: libuv, uv_pipe_chmod(). */
function toMode(bits: number): number {
  return (bits & uvReadable ? 0o444 : 0) | (bits & uvWritable ? 0o222 : 0);
}

function presentMode(path: string): number {
  return Number(statPath(path)?.mode ?? 0) & 0o7777;
}

/** As openUnixListener, after a probe of what is at the path; a stale socket is replaced in one step. */
export async function replaceStaleListener(request: UnixListenRequest): Promise<UnixListener | undefined> {
  const { state, inode } = await probeUnixPath(request.path);
  if (state === 'live' || state === 'file') return undefined;
  return openUnixListener({ ...request, replacing: state === 'stale' ? inode : undefined });
}

/** Adds what listen()'s `readableAll` and `writableAll` ask for. */
export function changeUnixMode(
  { handle }: UnixListener,
  { readableAll, writableAll }: { readableAll?: boolean | undefined; writableAll?: boolean | undefined },
): void {
  const bits = (readableAll ? uvReadable : 0) | (writableAll ? uvWritable : 0);
  if (bits !== 0) handle.fchmod?.(bits);
}

const openListeners = new Set<UnixListener>();

/**
 * Makes sure that the file is deleted when the process exits without closing the server, as after process.exit().
 */
export function keepUnixListener(listener: UnixListener): void {
  if (openListeners.size === 0) process.on('exit', removeAll);
  openListeners.add(listener);
}

/**
 * Deletes the listener's file, unless something else is at its path by now. Called before the handle is closed; the
 * returned function is to be called right after that.
 */
export function releaseUnixListener(listener: UnixListener): () => void {
  openListeners.delete(listener);
  if (openListeners.size === 0) process.off('exit', removeAll);
  const { path, inode, isBoundInPlace } = listener;
  if (!isBoundInPlace) removeOwnPath(path, inode);
  else if (isOtherFile(path, inode)) return setAside(path);
  return () => undefined;
}

function removeAll(): void {
  for (const { path, inode } of openListeners) removeOwnPath(path, inode);
}
