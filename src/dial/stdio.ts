import { closeSync, fstatSync, openSync, statSync } from 'node:fs';
import { devNull } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { restoreBlocking } from '../net/handles.ts';
import { Socket } from '../net/socket.ts';
import { printAbove } from '../report/bottom-line.ts';
import { isTerminal } from '../report/is-terminal.ts';
import { FileInput, FileOutput } from './file-streams.ts';

/**
 * The kind of a standard stream's descriptor. `pipe` is a FIFO or a socket, `file` a regular file, `device`
 * /dev/null and its kind (a closed stdin is /dev/null too: Node opens it).
 */
export type StdioKind = 'terminal' | 'pipe' | 'file' | 'device';

export interface Input {
  readonly stream: Readable;
  readonly kind: StdioKind;
  /** Closes the descriptor and leaves it as it was found. */
  close(): void;
}

export interface Output {
  readonly stream: Writable;
  readonly kind: StdioKind;
  /**
   * Closes the descriptor so that the reader sees the end now, and not at the exit of the process. Nothing may be
   * waiting to be written; do not call the stream's own end(), which leaves a shared pipe non-blocking.
   */
  close(): void;
}

/** Determines what `fd` is. A descriptor that is not open counts as a `device`: reading it fails with EBADF. */
function describeDescriptor(fd: number): StdioKind {
  if (isTerminal(fd)) return 'terminal';
  try {
    const status = fstatSync(fd);
    if (status.isFIFO() || status.isSocket()) return 'pipe';
    return status.isFile() ? 'file' : 'device';
  } catch {
    return 'device';
  }
}

/**
 * The null device's number (Linux: 1:3). Its name proves nothing: another file may be mounted there, or the device
 * have a second name.
 */
const nullDevice = process.platform === 'linux' ? 0x103 : undefined;

/**
 * Whether `fd` is the null device: what a shell gives to a command in the background, and cron and service managers
 * to their commands. A stdin that was closed is one too, because Node opens it.
 */
export function isNullDevice(fd = 0): boolean {
  try {
    const status = fstatSync(fd);
    return status.isCharacterDevice() && status.rdev === (nullDevice ?? statSync(devNull).rdev);
  } catch {
    return false;
  }
}

/** Whether both descriptors are one socket, as inetd gives it to its servers. */
function areOneSocket(first: number, second: number): boolean {
  try {
    const [one, other] = [fstatSync(first), fstatSync(second)];
    return one.isSocket() && one.ino === other.ino && one.dev === other.dev;
  } catch {
    return false;
  }
}

/**
 * Opens a descriptor for reading. Not process.stdin: that one cannot be closed before the process ends, and reads
 * ahead what the next command in a script should get.
 */
export function openInput(fd = 0): Input {
  const kind = describeDescriptor(fd);
  if (kind === 'pipe') {
    const stream = new Socket({ fd, readable: true, writable: false });
    // At its end the stream releases the descriptor by itself.
    stream.once('end', () => restoreBlocking(stream));
    return { stream, kind, close: () => closePipe(stream) };
  }
  const stream =
    kind === 'terminal' ? new (process.getBuiltinModule('node:tty').ReadStream)(fd) : new FileInput(fd);
  return { stream, kind, close: () => void stream.destroy() };
}

/**
 * Opens a descriptor for writing. Not process.stdout: its end() does not close the descriptor. `inputFd` may be the
 * same socket, which is still read after the output's end.
 */
export function openOutput(fd = 1, inputFd = 0): Output {
  const kind = describeDescriptor(fd);
  if (kind === 'pipe') {
    const stream = new Socket({ fd, readable: false, writable: true });
    if (areOneSocket(fd, inputFd)) return { stream, kind, close: once(() => shutDown(stream, fd)) };
    return {
      stream,
      kind,
      close: once(
        () => closePipe(stream),
        () => closeDescriptor(fd),
      ),
    };
  }
  const stream =
    kind === 'terminal' ? new (process.getBuiltinModule('node:tty').WriteStream)(fd) : new FileOutput(fd);
  if (kind === 'terminal') printAbove(stream);
  return {
    stream,
    kind,
    close: once(
      () => stream.destroy(),
      () => closeDescriptor(fd),
    ),
  };
}

function closePipe(socket: Socket): void {
  restoreBlocking(socket);
  socket.destroy();
}

/**
 * Ends a socket that is also the input: its peer sees no end while another descriptor of it is open. It stays
 * non-blocking until the input is closed.
 */
function shutDown(socket: Socket, fd: number): void {
  socket.on('error', () => undefined);
  socket.end(() => {
    socket.destroy();
    closeDescriptor(fd);
  });
}

/**
 * Closes a descriptor that libuv never closes (0, 1 and 2) and puts the null device in its place: a connection that
 * got such a number would never be closed either, and its peer would wait for the end for ever.
 */
function closeDescriptor(fd: number): void {
  closeSync(fd);
  if (fd <= 2) openSync(devNull, 'r+');
}

function once(...actions: (() => void)[]): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    for (const action of actions) action();
  };
}
