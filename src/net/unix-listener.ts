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
   * counts. A live server is an EADDRINUSE error; a file that is no socket is never touched. Default false.
   */
  readonly replaceStale?: boolean | undefined;
  /** Permission bits of the socket file, set before anyone can connect. Default: what the umask leaves. */
  readonly mode?: number | undefined;
}

/** A bound and listening handle with the file that belongs to it. */
export interface UnixListener {
  readonly handle: ListeningHandle;
  readonly path: string;
  readonly inode: Inode;
  /** libuv has bound the path itself, and deletes it when the handle closes, whatever is there by then. */
  readonly isBoundInPlace: boolean;
}

interface UnixListenRequest extends UnixListenOptions {
  readonly path: string;
  readonly backlog: number;
  readonly replacing?: Inode | undefined;
}

const createServerHandle = (
  net as unknown as {
    _createServerHandle: (path: string, port: -1, addressType: -1) => ListeningHandle | number;
  }
)._createServerHandle;

/**
 * Binds, listens, sets the mode and publishes the path, in this order, so that whoever sees the path can connect.
 *
 * @returns undefined when it cannot be done so: the path is taken, the directory is missing or closed, no hard links.
 *   Binding the path itself then gives node:net's own result or error.
 */
export function openUnixListener(request: UnixListenRequest): UnixListener | undefined {
  if (!process.getBuiltinModule('node:worker_threads').isMainThread) return openInPlace(request);
  const { path, mode, backlog, replacing } = request;
  const name = passingName(path);
  if (name === undefined) return undefined;
  const handle = createServerHandle(name, -1, -1);
  if (typeof handle === 'number') return undefined;
  const inode = publish(handle, name, request);
  if (!inode) {
    handle.close();
    removeFile(name);
    return undefined;
  }
  // libuv looks for the name that it has bound.
  handle.fchmod = (bits) => changeMode(path, toMode(bits) | (mode === undefined ? 0 : presentMode(path)));
  return { handle, path, inode, isBoundInPlace: false };

  function publish(opened: ListeningHandle, from: string, { path: to }: { path: string }): Inode | undefined {
    if (opened.listen(backlog) !== 0) return undefined;
    if (mode !== undefined && changeMode(from, mode) !== 0) return undefined;
    try {
      return publishSocket(from, to, replacing);
    } catch {
      return undefined;
    }
  }
}

/**
 * As openUnixListener in a worker thread, where nothing but libuv's own handles is cleared up at terminate(): the path
 * has to be the name that libuv has bound.
 */
function openInPlace({ path, mode, backlog, replacing }: UnixListenRequest): UnixListener | undefined {
  if (replacing) removeOwnPath(path, replacing);
  const handle = createServerHandle(path, -1, -1);
  if (typeof handle === 'number') return undefined;
  // Nobody can connect before the socket listens.
  const inode = statPath(path);
  const isOpen = (mode === undefined || changeMode(path, mode) === 0) && handle.listen(backlog) === 0;
  if (inode && isOpen) return { handle, path, inode, isBoundInPlace: true };
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

/** Has the file deleted when the process exits without closing the server, as after process.exit(). */
export function keepUnixListener(listener: UnixListener): void {
  if (openListeners.size === 0) process.on('exit', removeAll);
  openListeners.add(listener);
}

/**
 * Deletes the listener's file, unless something else is at its path by now. Comes before the handle is closed; what it
 * returns is to be called right after that.
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
