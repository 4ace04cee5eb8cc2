import type { Duplex } from 'node:stream';
import { findBreak, kBroken } from '../net/patient-socket.ts';
import { guarded } from '../net/guard.ts';

/** A watch for the break of a connection. */
export interface BreakLimit {
  /** When it was first seen, by performance.now(). */
  readonly seenAt: number | undefined;
  end(): void;
}

/**
 * Watches a connection for its break: `onLimit` is called once, with the error, `limitMs` after it was seen, for what
 * came before has had its time by then. Not for one that had ended in order first: it has left, and all that it said
 * is whole.
 */
export function limitBreak(connection: Duplex, limitMs: number, onLimit: (error: Error) => void): BreakLimit {
  let timer: NodeJS.Timeout | undefined;
  let seenAt: number | undefined;
  const onBreak = (error: Error, hasEnded = connection.readableEnded) => {
    seenAt ??= performance.now();
    if (!hasEnded) timer ??= setTimeout(guarded(onLimit), limitMs, error);
  };
  connection.on(kBroken, onBreak).on('error', onBreak);
  const earlier = findBreak(connection);
  if (earlier) onBreak(earlier.error, earlier.hasEnded);
  else if (connection.errored) onBreak(connection.errored);
  return {
    get seenAt() {
      return seenAt;
    },
    end() {
      clearTimeout(timer);
      connection.off(kBroken, onBreak).off('error', onBreak);
    },
  };
}
