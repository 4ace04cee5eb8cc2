import { TnetError } from '../../errors.ts';
import { cutDeliveryMs } from '../../net/connection.ts';

/** How a side is closed: with FIN (and whatever the system makes of unread bytes), or so that the peer sees a break. */
export type Closing = 'close' | 'reset';

/** Why the relay itself ended a connection. */
export interface Cut {
  readonly reason: 'timeout' | 'aborted' | 'limit';
  readonly closing: Closing;
  readonly error?: Error;
  /** Counts as failed although there is no error to tell: a stream was cut. */
  readonly isCut?: boolean;
  /** How long what was sent may take to arrive before a reset, in milliseconds. */
  readonly withinMs?: number;
}

/**
 * What becomes of a stream that has not ended when everything is to end: a reset, so that nobody takes a part for the
 * whole.
 */
export const interrupted: Cut = { reason: 'aborted', closing: 'reset', isCut: true, withinMs: cutDeliveryMs };

/** A cut stream must not look whole, so time limits end with a reset. */
export function timedOut(message: string): Cut {
  return { reason: 'timeout', closing: 'reset', error: new TnetError('TNET_E_TIMEOUT', message) };
}
