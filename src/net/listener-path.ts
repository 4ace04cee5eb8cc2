import { readFileSync, readlinkSync } from 'node:fs';

/**
 * The path of a Unix socket that another process bound, as node:net writes paths: an abstract name begins with a NUL
 * byte. Undefined when the descriptor is no bound Unix socket, and where the system does not tell (Linux does).
 * Source: unix(7), "/proc" and proc_pid_net(5): the rows of /proc/net/unix end with the inode and the path.
 */
export function findListenerPath(fd: number): string | undefined {
  try {
    const [, inode] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`)) ?? [];
    if (inode === undefined) return undefined;
    const table = readFileSync('/proc/self/net/unix', 'utf8');
    const [, path] = new RegExp(` ${inode} (.+)$`, 'm').exec(table) ?? [];
    return path?.startsWith('@') ? `\0${path.slice(1)}` : path;
  } catch {
    return undefined;
  }
}
