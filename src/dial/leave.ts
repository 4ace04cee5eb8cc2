import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from '../net/connection.ts';

/** How long a peer that was only looked at may take to end its side. */
const leavingMs = 100;

/**
 * Closes a connection that was opened only to see whether somebody is there, so that the peer sees an end in order: our
 * side is ended, what the peer says is read and dropped, and its end is waited for, for a moment. A connection that is
 * closed with a greeting unread is reset by the system, and servers report that. Never rejects.
 */
export async function leaveInOrder(connection: Connection): Promise<void> {
  if (connection.destroyed) return;
  const limit = new AbortController();
  const over = new Promise<void>((resolve) => {
    connection.once('end', resolve).once('close', resolve);
  });
  connection
    .on('error', () => undefined)
    .resume()
    .end();
  await Promise.race([over, delay(leavingMs, undefined, { signal: limit.signal }).catch(() => undefined)]);
  limit.abort();
  connection.destroy();
}
