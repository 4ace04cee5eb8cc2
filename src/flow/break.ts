import type { Duplex } from 'node:stream';
import { errorCode, isReset } from '../errors.ts';
import { socketOf } from '../net/connection.ts';
import { Socket } from '../net/index.ts';
import { isTcp } from '../net/held-errors.ts';
import { descriptorOf, waitAcknowledged } from '../net/tuning.ts';
import type { Ending } from './flow.ts';
import { loadNativeAddon } from '../native/addon.ts';
import { findBreak, kBroken } from '../net/patient-socket.ts';
import { guarded } from '../net/guard.ts';

/** A connection one side of which broke off: the flow that broke, and the opposite one. */
export interface Broken {
  readonly broken: Ending;
  readonly other: Ending;
  /** The side that broke off. */
  readonly breaker: Duplex;
  /** The other side, which read what that one sent. */
  readonly reader: Duplex;
  readonly breakerIsClient: boolean;
  /** Nothing has come from the side that broke off since the other ended in order. */
  readonly isSilent: boolean;
}

/**
 * Whether a break cuts off nothing that a side still waits for, because a side had left before. Takes as long as
 * the last bytes are in flight, but no longer than `limitMs`.
 *
 * - The side that broke off had ended in order itself, and was hit by what has arrived for it since.
 * - Each side had ended in order and was hit by the last bytes of the other, before its own end was read.
 * - The other side had ended in order and is gone: it answers the last bytes with a reset.
 * - The client resets instead of ending, which is how a system closes with bytes unread: the target had ended in
 *   order, everything that it sent was given to the client's system, and the client has sent nothing since. Not the
 *   other way round: a client that has ended its side waits for an answer.
 */
export async function findHasLeft(connection: Broken, limitMs: number): Promise<boolean> {
  const { broken, other, breaker, reader, breakerIsClient, isSilent } = connection;
  if (!isReset(broken.error)) return false;
  if (broken.side === 'sink' && other.side === 'sink') {
    return hadEnded(breaker, broken.error) && hadEnded(reader, other.error);
  }
  if (other.reason !== 'eof') return false;
  if (broken.side !== 'source') return broken.side === 'sink';
  if (breakerIsClient && isSilent && broken.unsentBytes === 0 && isGiven(breaker)) return true;
  return isGone(reader, limitMs);
}

/**
 * As seen by the stream, or by TCP: a writer gets EPIPE after an orderly end. A Unix socket gives it after any end.
 */
function hadEnded(breaker: Duplex, error: Error | undefined): boolean {
  const told = findBreak(breaker);
  if (told?.hasEnded) return true;
  return breaker instanceof Socket && isTcp(breaker) && errorCode(told?.error ?? error) === 'EPIPE';
}

/**
 * Whether our system has sent everything, which means that the peer's system had room for it. Without the addon, or
 * once the descriptor is closed, it is only known that our system has taken it.
 */
function isGiven(breaker: Duplex): boolean {
  const fd = breaker instanceof Socket && isTcp(breaker) ? descriptorOf(breaker) : undefined;
  const addon = fd === undefined ? undefined : loadNativeAddon();
  // A FIN that waits after the rest counts as one byte.
  return fd === undefined || addon === undefined || addon.withheldBytes(fd) <= 1;
}

async function isGone(reader: Duplex, timeoutMs: number): Promise<boolean> {
  const socket = socketOf(reader);
  if (!socket || socket.bytesWritten === 0) return false;
  if (socket.destroyed) return isReset(socket.errored);
  return (await waitAcknowledged(socket, { timeoutMs })) === 'closed';
}

/** A watch for the break of a connection. */
export interface BreakLimit {
  /** When the break was first seen, on performance.now()'s clock. */
  readonly seenAt: number | undefined;
  end(): void;
}

/**
 * Watches a connection for its break: `onLimit` is called once, with the error, `limitMs()` after it was seen, since
 * by then what came before has had its time. Not called for a connection that had ended in order first: it has
 * left, and all that it sent is complete.
 */
export function limitBreak(
  connection: Duplex,
  limitMs: () => number,
  onLimit: (error: Error) => void,
): BreakLimit {
  let timer: NodeJS.Timeout | undefined;
  let seenAt: number | undefined;
  const onBreak = (error: Error, hasEnded = connection.readableEnded) => {
    seenAt ??= performance.now();
    if (!hasEnded) timer ??= setTimeout(guarded(onLimit), limitMs(), error);
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
