import type { Socket } from '../net/index.ts';
import type { Event } from '../report/events.ts';
import type { Ledger } from './ledger.ts';
import type { OwnAddresses } from './own-addresses.ts';
import type { ThrowawayCertificates } from './throwaway-certificates.ts';

/** What all that a server process does shares. */
export interface ServeHost {
  readonly ledger: Ledger;
  readonly emit: (event: Event) => void;
  /** Reports a failure as one line: what failed, why, and in which connection. */
  readonly fail: (subject: string, error: unknown, id?: number) => void;
  /** Aborted when everything is to end now: what has been read is delivered, and nothing new begins. */
  readonly signal: AbortSignal;
  /**
   * Gives an accepted client away to another process, in the turn in which it was accepted; `onEnd` is called when its
   * connection is over. Undefined: clients are served here.
   */
  readonly handOver?:
    | ((client: Socket, remote: string, place: { key: string; address: string }, onEnd: () => void) => void)
    | undefined;
  /** What has been bound here. Default: nothing is known of it. */
  readonly own?: OwnAddresses;
  /** The throw-away certificates of the run. Default: whoever needs one makes it. */
  readonly certificates?: ThrowawayCertificates;
  /** Only addresses of this family. Default: both. */
  readonly family?: 4 | 6;
  /** Refuse host names: no DNS. Default false. */
  readonly numericOnly?: boolean;
}
