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
  /** Where it was asked which target it gets. */
  readonly asked: AskedConnection | undefined;
  /** Once that is known, unless it is the lane's own. */
  chosen: ChosenTarget | undefined;
}

/** What is known of a connection that the lane asks for. */
export interface AskedConnection {
  readonly id: number;
  readonly remote: LaneName | undefined;
  readonly local: LaneName | undefined;
  /** What its client's PROXY header said, and how long that is. */
  greeting?: Greeting;
  skipped?: number;
  /** What its target is told first. */
  head?: Buffer | undefined;
  /** On performance.now()'s clock. */
  dialledAt?: number;
}
