import { formatLimit, idleError, lifetimeError, TnetError } from '../../errors.ts';
import { cutDeliveryMs } from '../../net/connection.ts';
import type { Ending } from '../../flow/flow.ts';
import type { Relay } from '../../flow/relay.ts';
import { guarded } from '../../net/guard.ts';

/**
 * How a side is closed: with a FIN (or what the system sends when bytes are unread), or so that the peer sees a
 * break.
 */
export type Closing = 'close' | 'reset';

/** Why the relay itself ended a connection. */
export interface Cut {
  readonly reason: 'timeout' | 'aborted' | 'limit';
  readonly closing: Closing;
  readonly error?: Error;
  /** Counts as failed although there is no error to report: a stream was cut. */
  readonly isCut?: boolean;
  /** How long what was sent may take to arrive before a reset, in milliseconds. */
  readonly withinMs?: number;
}

/**
 * What happens to a stream that has not ended when everything must end: a reset, so that no peer mistakes a part
 * for the whole.
 */
export const interrupted: Cut = { reason: 'aborted', closing: 'reset', isCut: true, withinMs: cutDeliveryMs };

/** A cut stream must not look complete, so time limits end with a reset. */
export function timedOut(error: Error): Cut {
  return { reason: 'timeout', closing: 'reset', error };
}

export interface RelayLimits {
  /** All in milliseconds. Undefined: no limit. */
  readonly idle: number | undefined;
  readonly timeout: number | undefined;
  readonly halfClosed: number | undefined;
}

export interface LimitWatch {
  readonly onActivity: (() => void) | undefined;
  /** The relay runs. */
  readonly start: (relay: Relay) => void;
  readonly clear: () => void;
}

/** Starts the timers that were asked for; undefined when there are none. */
export function watchLimits(
  { idle, timeout, halfClosed }: RelayLimits,
  cutOff: (how: Cut) => void,
): LimitWatch | undefined {
  const timers: NodeJS.Timeout[] = [];
  const after = (delayMs: number, how: Cut) => {
    const timer = setTimeout(guarded(cutOff), delayMs, how);
    timers.push(timer);
    return timer;
  };
  if (timeout !== undefined) after(timeout, timedOut(lifetimeError(timeout)));
  const idleTimer = idle === undefined ? undefined : after(idle, timedOut(idleError(idle)));
  if (timers.length === 0 && halfClosed === undefined) return undefined;
  const refreshing = idleTimer ? [idleTimer] : [];
  let isOver = false;
  const onHalfClosed = ({ reason }: Ending) => {
    if (halfClosed === undefined || isOver || reason !== 'eof') return;
    const message = `one side has ended, and no byte has come from the other for ${formatLimit(halfClosed)}`;
    refreshing.push(after(halfClosed, timedOut(new TnetError('TNET_E_TIMEOUT', message))));
  };
  return {
    onActivity: () => {
      for (const timer of refreshing) timer.refresh();
    },
    start({ up, down }) {
      if (halfClosed !== undefined)
        for (const flow of [up, down]) void flow.ended.then(guarded(onHalfClosed));
    },
    clear: () => {
      isOver = true;
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
