import { fstatSync, readdirSync, readlinkSync, type Stats } from 'node:fs';
import { TnetError } from '../errors.ts';
import { readDescriptorFlags } from '../net/descriptor-tables.ts';

/**
 * Checks a descriptor that another process is supposed to have passed to this one as a server's socket. Node opens
 * a dozen descriptors of its own, and aborts the process when one of those is used for something else.
 *
 * @throws TnetError TNET_E_DESCRIPTOR unless it is an open socket
 */
export function requirePassedSocket(fd: number): void {
  const status = look(fd, 'the descriptor is not a listening socket (EBADF)');
  if (!status.isSocket()) throw refuse(fd, 'the descriptor is not a listening socket (ENOTSOCK)');
}

/**
 * Checks a descriptor that another process is supposed to have passed to this one for notifications.
 *
 * @throws TnetError TNET_E_DESCRIPTOR unless it is an open pipe, socket, file or device, and not one of Node's own
 */
export function requirePassedOutput(fd: number): void {
  const status = look(fd, 'the descriptor of --ready-fd is not open');
  // Anything else is one of Linux's anonymous files: an eventfd or an epoll set.
  const isKnown = status.isFIFO() || status.isSocket() || status.isFile() || status.isCharacterDevice();
  if (!isKnown || (status.isFIFO() && isOwnPipe(fd)))
    throw refuse(fd, 'the descriptor of --ready-fd was not passed to this process');
}

function look(fd: number, message: string): Stats {
  try {
    return fstatSync(fd);
  } catch (cause) {
    throw refuse(fd, message, cause);
  }
}

function refuse(fd: number, message: string, cause?: unknown): TnetError {
  return new TnetError('TNET_E_DESCRIPTOR', message, { subject: `fd:${fd}`, cause });
}

/**
 * Whether a pipe only leads from this process to itself, as those of Node's event loops do. This process also has
 * the reading end of a pipe whose parent forgot to close it, but then the parent has the pipe too.
 */
function isOwnPipe(fd: number): boolean {
  const pipe = readLink(`/proc/self/fd/${fd}`);
  if (!pipe?.startsWith('pipe:')) return false;
  return (
    findAll('self', pipe).some((end) => readDescriptorFlags(Number(end))?.isReadOnly === true) &&
    findAll(process.ppid, pipe).length === 0
  );
}

function findAll(process: number | 'self', target: string): string[] {
  try {
    const folder = `/proc/${process}/fd`;
    return readdirSync(folder).filter((name) => readLink(`${folder}/${name}`) === target);
  } catch {
    return [];
  }
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
