import { closeSync } from 'node:fs';
import type { NativeAddon } from '../native/addon.ts';
import { socketKinds } from '../native/messages.ts';
import type { ListeningHandle } from './handles.ts';
import { nameBytes, openMessageSocket } from './message-calls.ts';
import { openPipe } from './pipe-handle.ts';
import {
  changeUnixFile,
  openUnixListener,
  replaceStaleListener,
  type UnixFileSettings,
  type UnixListener,
} from './unix-listener.ts';
import { probeUnixPath, removeOwnPath, statPath } from './unix-path.ts';

export interface UnixBindRequest extends UnixFileSettings {
  /** A path, or an abstract name with its leading NUL. */
  readonly path: string;
  readonly backlog: number;
}

/** A bound socket, with its file unless its name is abstract. */
export interface BoundUnix {
  readonly handle: ListeningHandle;
  readonly unix: UnixListener | undefined;
}

/**
 * Binds a Unix socket that node:net cannot open, as Server.listen() binds one with `replaceStale`: the file appears
 * with its mode and owner, a stale one is replaced, and a live one is not touched.
 *
 * @param bind opens a socket and binds it to a name; throws the system's error
 * @throws the system's error (EADDRINUSE, EACCES, ENOENT, …)
 */
export async function bindUnixPath(
  request: UnixBindRequest,
  bind: (name: string) => ListeningHandle,
): Promise<BoundUnix> {
  const { path, backlog } = request;
  if (path.startsWith('\0')) return { handle: bind(path), unix: undefined };
  const attempt = {
    ...request,
    bind(name: string): ListeningHandle | number {
      try {
        return bind(name);
      } catch (error) {
        return (error as NodeJS.ErrnoException).errno ?? -1;
      }
    },
  };
  const unix = openUnixListener(attempt) ?? (await replaceStaleListener(attempt));
  if (unix) return { handle: unix.handle, unix };
  // No other name was possible, or the path is taken, which this says.
  const handle = bind(path);
  handle.listen(backlog);
  const inode = statPath(path);
  return { handle, unix: inode && { handle, path, inode, original: {}, isBoundInPlace: false } };
}

/**
 * As bindUnixPath(), for datagrams: the name that is bound is the one that those who are answered see, so it has to be
 * the path itself. Until its mode is set, the file is nobody else's.
 */
export async function bindUnixInPlace(
  { path, mode, owner }: UnixBindRequest,
  bind: (name: string) => ListeningHandle,
): Promise<BoundUnix> {
  if (path.startsWith('\0')) return { handle: bind(path), unix: undefined };
  const probe = await probeUnixPath(path);
  if (probe.state === 'stale' && probe.inode) removeOwnPath(path, probe.inode);
  const umask = process.umask(0o177);
  let handle;
  try {
    handle = bind(path);
  } finally {
    process.umask(umask);
  }
  const inode = statPath(path);
  if (!inode) return { handle, unix: undefined };
  const owned = { uid: Number(inode.uid), gid: Number(inode.gid) };
  const unix = {
    handle,
    path,
    inode,
    original: { mode: 0o777 & ~umask, owner: owned },
    isBoundInPlace: false,
  };
  try {
    changeUnixFile(unix, { mode, owner });
  } catch (error) {
    handle.close();
    removeOwnPath(path, inode);
    throw error;
  }
  return { handle, unix };
}

/** Binds a socket of Unix packets; a handle that accepts. @throws the system's error */
export function bindPackets(addon: NativeAddon, name: string): ListeningHandle {
  return openMessageSocket(addon, socketKinds.packet, (fd) => {
    bindMessages(addon, fd, name);
    return openPipe(addon, fd, 'server');
  });
}

/** Binds a socket of Unix datagrams, whose handle is no more than its descriptor. @throws the system's error */
export function bindDatagrams(addon: NativeAddon, name: string): ListeningHandle {
  return openMessageSocket(addon, socketKinds.datagram, (fd) => {
    bindMessages(addon, fd, name);
    return { fd, listen: () => 0, close: () => closeSync(fd) } as unknown as ListeningHandle;
  });
}

function bindMessages(addon: NativeAddon, fd: number, name: string): void {
  addon.tellsSenders(fd);
  addon.bindUnix(fd, nameBytes(name));
}
