import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { errorCode } from '../errors.ts';

/** The process's soft limit on open files, or Infinity when the system does not tell. Linux: proc_pid_limits(5). */
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

/** How long to wait before checking again for a free descriptor. */
const lookAgainMs = 50;

/**
 * Opens a connection, retrying as long as the process or the system has no free descriptor and there is time:
 * another connection will end.
 *
 * @param open opens it within `timeoutMs`
 * @throws what `open` throws, or the signal's AbortError
 */
export function awaitDescriptor<Opened>(
  open: (timeoutMs: number | undefined) => Promise<Opened>,
  limitMs: number | undefined,
  signal: AbortSignal | undefined,
): Promise<Opened> {
  const endsAt = performance.now() + (limitMs ?? Infinity);
  const openAgain = async (error: unknown): Promise<Opened> => {
    if (!isExhausted(error) || performance.now() + lookAgainMs >= endsAt) throw error;
    await delay(lookAgainMs, undefined, { signal });
    const leftMs = limitMs && Math.max(1, Math.ceil(endsAt - performance.now()));
    return open(leftMs).catch(openAgain);
  };
  return open(limitMs).catch(openAgain);
}

function isExhausted(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'EMFILE' || code === 'ENFILE';
}
