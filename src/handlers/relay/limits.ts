import type { Ending } from '../../flow/flow.ts';
import type { Relay } from '../../flow/relay.ts';
import { guarded } from '../../net/guard.ts';
import { timedOut, type Cut } from './cut.ts';

export interface RelayLimits {
  /** All in milliseconds. Undefined: no limit. */
  readonly idle: number | undefined;
  readonly timeout: number | undefined;
  readonly halfClosed: number | undefined;
  readonly resetAfter: number | undefined;
}

export interface LimitWatch {
  readonly onActivity: (() => void) | undefined;
  /** The relay runs. */
  readonly start: (relay: Relay) => void;
  readonly clear: () => void;
}

/** The timers that were asked for; undefined when none was. */
export function watchLimits(
  { idle, timeout, halfClosed, resetAfter }: RelayLimits,
  cutOff: (how: Cut) => void,
): LimitWatch | undefined {
  const timers: NodeJS.Timeout[] = [];
  const after = (delayMs: number, how: Cut) => {
    const timer = setTimeout(guarded(cutOff), delayMs, how);
    timers.push(timer);
    return timer;
  };
  if (resetAfter !== undefined) after(resetAfter, { reason: 'limit', closing: 'reset' });
  if (timeout !== undefined) after(timeout, timedOut(`open for ${timeout} ms`));
  const idleTimer =
    idle === undefined ? undefined : after(idle, timedOut(`no byte in either direction for ${idle} ms`));
  if (timers.length === 0 && halfClosed === undefined) return undefined;
  const refreshing = idleTimer ? [idleTimer] : [];
  let isOver = false;
  const onHalfClosed = ({ reason }: Ending) => {
    if (halfClosed === undefined || isOver || reason !== 'eof') return;
    const message = `one side has ended, and no byte has come from the other for ${halfClosed} ms`;
    refreshing.push(after(halfClosed, timedOut(message)));
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
