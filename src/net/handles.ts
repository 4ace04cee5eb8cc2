import type net from 'node:net';

/** What this module uses of node:net's handles (libuv's, wrapped in C++). They have no public types. */

/** An accepted connection before a Socket owns it. */
export interface AcceptedHandle {
  readonly fd: number;
  close(): void;
  setNoDelay?: (on: boolean) => number;
  getpeername?: (out: PeerName) => number;
  getsockname?: (out: PeerName) => number;
}

/** Filled in by getpeername() and getsockname(). */
export interface PeerName {
  address?: string;
  family?: string;
  port?: number;
}

export type OnConnection = (error: number, handle?: AcceptedHandle) => void;

/** A pipe's handle: any descriptor that is read, written and accepted on like a stream. */
export interface PipeHandle extends ListeningHandle {
  open(fd: number): number;
}

/** A bound or listening handle. Methods that return a number give 0 or a negated errno. */
export interface ListeningHandle {
  readonly fd: number;
  onconnection: OnConnection | undefined;
  listen(backlog: number): number;
  close(callback?: () => void): void;
  ref(): void;
  unref(): void;
  hasRef(): boolean;
  getAsyncId(): number;
  getsockname?: (out: PeerName) => number;
  fchmod?: (bits: number) => number;
}

/** The parts of net.Server that its types leave out. */
export interface ServerInternals {
  _handle: ListeningHandle | null;
  _connections: number;
  _listeningId: number;
  _unref: boolean;
  _emitCloseIfDrained(): void;
  blockList?: { check(address: string, family: 'ipv4' | 'ipv6'): boolean };
  allowHalfOpen: boolean;
  pauseOnConnect: boolean;
  noDelay: boolean;
  keepAlive: boolean;
  /** In seconds. */
  keepAliveInitialDelay: number;
  highWaterMark: number;
}

/** Stops reading at once, and not behind one more chunk, as pause() does: what comes next is for another reader. */
export function stopReading(socket: net.Socket): void {
  socket.pause();
  const { _handle: handle } = socket as unknown as {
    _handle?: { reading: boolean; readStop(): number } | null;
  };
  if (!handle?.reading) return;
  handle.reading = false;
  handle.readStop();
}

/**
 * Takes O_NONBLOCK off a pipe or terminal that Node put it on.
 *
 * The flag belongs to the open file, not to the descriptor: the shell and the next command share it, and would see
 * EAGAIN from their own reads and writes. Node restores it at exit only on descriptors 0 to 2 that are still open,
 * so code that closes one of them earlier calls this first.
 */
export function restoreBlocking(socket: net.Socket): void {
  const { _handle: handle } = socket as unknown as {
    _handle?: { setBlocking?: (on: boolean) => number } | null;
  };
  handle?.setBlocking?.(true);
}
