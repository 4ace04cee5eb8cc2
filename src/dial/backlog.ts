import { setTimeout as delay } from 'node:timers/promises';

/** The first wait for a place in a full backlog, and the longest one: each is twice as long as the one before. */
const firstWaitMs = 5;
const longestWaitMs = 200;

/**
 * Connects to a Unix socket once its server has a place for it. One whose backlog is full answers EAGAIN at once, whereas
 * TCP makes a client wait: the server listens but has not accepted yet, so the connect is repeated.
 *
 * @param connect gives undefined when the backlog is full
 * @throws what `connect` throws, or the signal's reason
 */
export async function awaitPlace<Opened>(
  connect: () => Promise<Opened | undefined> | Opened | undefined,
  signal: AbortSignal,
): Promise<Opened> {
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(waitMs * 2, longestWaitMs)) {
    signal.throwIfAborted();
    const opened = await connect();
    if (opened) return opened;
    await delay(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}
