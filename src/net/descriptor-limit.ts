import { closeSync, openSync, readFileSync } from 'node:fs';

/** The process's soft limit on open files, or Infinity where the system does not tell. Linux: proc_pid_limits(5). */
export function readDescriptorLimit(): number {
  try {
    const [, limit] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
    return limit === undefined ? Infinity : Number(limit);
  } catch {
    return Infinity;
  }
}

/** The number that the next descriptor would get, which is the lowest free one; Infinity when there is none. */
export function readNextDescriptor(): number {
  try {
    const fd = openSync('/dev/null', 'r');
    closeSync(fd);
    return fd;
  } catch {
    return Infinity;
  }
}

/** The error a server reports when accepting one more connection could leave the process without descriptors. */
export function createExhaustedError(limit: number, fd: number): Error {
  return Object.assign(
    new Error(`accept EMFILE: too many open files: descriptor ${fd} of ${limit}, accepting pauses`),
    { errno: -24, code: 'EMFILE', syscall: 'accept' },
  );
}
