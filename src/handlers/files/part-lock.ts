import type { BigIntStats } from 'node:fs';
import { errorCode } from '../../errors.ts';
import { close, listen } from '../../net/promises.ts';

/** What is being written by this process. */
const own = new Set<string>();

/**
 * Takes a file for the one who writes it; undefined when somebody else has it. Among processes that works on Linux,
 * where an abstract name can be bound once and is free again when its process is gone, however it ended; it is seen
 * within one network namespace.
 *
 * @returns what gives the file back
 */
export async function lockFile({ dev, ino }: BigIntStats): Promise<(() => Promise<void>) | undefined> {
  const name = `tnet-receive-${dev}-${ino}`;
  if (own.has(name)) return undefined;
  own.add(name);
  try {
    const server = process.platform === 'linux' ? await listen({ path: `\0${name}` }) : undefined;
    server?.unref();
    return async () => {
      own.delete(name);
      if (server) await close(server);
    };
  } catch (error) {
    own.delete(name);
    if (errorCode(error) === 'EADDRINUSE') return undefined;
    throw error;
  }
}
