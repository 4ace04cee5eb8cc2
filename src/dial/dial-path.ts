import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { formatPath } from '../address/endpoint.ts';
import { errorCode, TnetError } from '../errors.ts';
import { connect, type Socket } from '../net/index.ts';
import type { DialOptions } from './dial-options.ts';

/** The first wait for a place in a full backlog, and the longest one: each is twice as long as the one before. */
const firstWaitMs = 5;
const longestWaitMs = 200;

/**
 * Connects to a Unix socket. One whose backlog is full answers EAGAIN at once, where TCP lets a client wait: somebody
 * listens and has not accepted yet, so it is tried again until there is a place, or the signal ends it.
 *
 * @throws the system's error, or the signal's reason
 */
export async function dialPath(
  path: string,
  { observer, proxies = [] }: DialOptions,
  signal: AbortSignal,
): Promise<Socket> {
  if (proxies.length > 0)
    throw new TnetError('TNET_E_USAGE', 'a proxy reaches hosts and ports, not Unix sockets');
  const subject = formatPath(path);
  observer?.attempt?.(subject);
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(waitMs * 2, longestWaitMs)) {
    signal.throwIfAborted();
    try {
      const socket = connect({ allowHalfOpen: true, dataBeforeError: true, path });
      // It is there or not in this very moment: only a full backlog is to be waited for.
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      if (errorCode(error) !== 'EAGAIN') {
        observer?.attemptFailed?.(subject, error as Error);
        throw error;
      }
    }
    await delay(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}
