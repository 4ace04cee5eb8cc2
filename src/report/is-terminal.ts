import { fstatSync, statSync } from 'node:fs';
import { devNull } from 'node:os';

/**
 * Whether a descriptor is a terminal. node:tty is only loaded for a device that could be one: it brings the sockets of
 * node:net, which a start that shows help does not need.
 */
export function isTerminal(fd: number): boolean {
  try {
    const status = fstatSync(fd);
    const isDevice = status.isCharacterDevice() && status.rdev !== statSync(devNull).rdev;
    if (process.platform !== 'win32' && !isDevice) return false;
  } catch {
    return false;
  }
  return process.getBuiltinModule('node:tty').isatty(fd);
}
