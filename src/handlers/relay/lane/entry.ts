import type { LaneName } from '../../../flow/express-lane.ts';
import type { Greeting } from '../../../serve/greeting/greeting.ts';
import type { OpenConnection } from '../../../serve/ledger.ts';
import type { ChosenTarget } from '../targets/upstream.ts';

/** A connection of a lane, by the engine's number. */
export interface LaneEntry {
  readonly open: OpenConnection;
  readonly refusals: NodeJS.ErrnoException[];
  /** It has been connected to its target. */
  isJoined: boolean;
  /** Set when the engine asked which target it gets. */
  readonly asked: AskedConnection | undefined;
  /** Its target once that is known, unless it is the lane's own. */
  chosen: ChosenTarget | undefined;
}

/** What is known about a connection that the lane asks about. */
export interface AskedConnection {
  readonly id: number;
  readonly remote: LaneName | undefined;
  readonly local: LaneName | undefined;
  /** What its client's PROXY header said, and the header's length. */
  greeting?: Greeting;
  skipped?: number;
  /** What is sent to its target first. */
  head?: Buffer | undefined;
  /** On performance.now()'s clock. */
  dialledAt?: number;
}
