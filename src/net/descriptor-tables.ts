import { readFileSync, readlinkSync } from 'node:fs';

/** Source: fcntl.h of Linux: the mode in which a descriptor was opened, and O_NONBLOCK. */
const accessMode = 0o3;
const writeOnly = 0o1;
const nonBlocking = 0o4000;

/** How a descriptor of this process was opened. */
export interface DescriptorFlags {
  readonly isReadOnly: boolean;
  readonly isWriteOnly: boolean;
  readonly isNonBlocking: boolean;
}

/**
 * How a descriptor was opened, as /proc/self/fdinfo has it; undefined where the system does not tell (Linux does).
 * Source: proc_pid_fdinfo(5).
 */
export function readDescriptorFlags(fd: number): DescriptorFlags | undefined {
  try {
    const text = readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1');
    const flags = Number.parseInt(/^flags:\s*([0-7]+)$/m.exec(text)?.[1] ?? '', 8);
    if (Number.isNaN(flags)) return undefined;
    const mode = flags & accessMode;
    return {
      isReadOnly: mode === 0,
      isWriteOnly: mode === writeOnly,
      isNonBlocking: (flags & nonBlocking) !== 0,
    };
  } catch {
    return undefined;
  }
}

/** The number by which the system's tables know a socket; undefined when it is none, or the system does not tell. */
export function readSocketInode(fd: number): string | undefined {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1];
  } catch {
    return undefined;
  }
}

/** The columns of each row of a table; none where the system has no such table. Source: proc_pid_net(5). */
export function readSocketTable(name: 'tcp' | 'tcp6' | 'unix'): readonly (readonly string[])[] {
  try {
    const lines = readFileSync(`/proc/self/net/${name}`, 'latin1').split('\n');
    return lines.map((line) => line.trim().split(/\s+/));
  } catch {
    return [];
  }
}
