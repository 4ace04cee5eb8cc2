import type { Endpoint } from '../../../src/address/endpoint.ts';
import type { WrittenSettings } from '../../../src/control/steered.ts';
import type { FaultOperation } from '../../../src/handlers/relay/faults/fault-operation.ts';
import type { PairFault } from '../../../src/handlers/relay/faults/live-faults.ts';
import type { TargetState } from '../../../src/handlers/relay/targets/target-settings.ts';
import type { OpenTap } from '../../../src/record/live-taps.ts';
import type { RecordedDirection, RecordedEnding } from '../../../src/record/record-format.ts';
import type { Event } from '../../../src/report/events.ts';
import type { ConnectionRates } from './rates.ts';

/** What the workers of a steered proxy serve, as plain data. */
export interface WorkerState {
  readonly pairs: readonly WorkerPair[];
  /** Those of all pairs that can be exchanged: also of one that is disabled, since its connections go on. */
  readonly faults: readonly WorkerFaults[];
}

export interface WorkerPair {
  readonly name: string;
  /** The number of what serves it: as long as that is the same, it goes on. */
  readonly service: number;
  /** As they are written, without the name. */
  readonly settings: WrittenSettings;
  /** Where it listens: another port than the written one, perhaps. */
  readonly listen: Endpoint;
  readonly disabledTargets: readonly string[];
  /** The number of its faults; undefined: they cannot be exchanged. */
  readonly faults?: number | undefined;
}

export interface WorkerFaults {
  readonly number: number;
  /** Of all processes: so a fault is caused in the same connections, whichever process serves them. */
  readonly seed: number;
  readonly list: readonly PairFault[];
}

/** What a worker is asked, in turn with what it is to serve. */
export type WorkerQuestion =
  /** The answer is the number of open connections that it applied to. */
  | { readonly ask: 'faults'; readonly number: number; readonly operation: FaultOperation }
  /** The answer is whether the pair has this target. */
  | {
      readonly ask: 'enable-target';
      readonly pair: string;
      readonly target: string;
      readonly isEnabled: boolean;
    }
  /** The answer is WorkerSight. */
  | { readonly ask: 'look' };

/** What only a worker knows of what it serves. */
export interface WorkerSight {
  /** The targets of each pair. */
  readonly targets: readonly (readonly [pair: string, targets: readonly TargetState[]])[];
  /** Those of each open connection, by its number. */
  readonly rates: readonly (readonly [id: number, rates: ConnectionRates])[];
}

/** What a worker is told at once. */
export type ToldWorker =
  /** Whether anybody reads its events. */
  | { readonly tell: 'hear'; readonly isHeard: boolean }
  /** Tap a connection. Of its bytes, `most` may be under way. */
  | { readonly tell: 'tap'; readonly tap: number; readonly id: number; readonly most: number }
  /** That many bytes of a tap have arrived. */
  | { readonly tell: 'taken'; readonly tap: number; readonly bytes: number }
  | { readonly tell: 'untap'; readonly tap: number };

/** What a worker tells. */
export type WorkerNews = { readonly tell: 'event'; readonly event: Event } | TapNews;

/** What a worker tells of a tap. */
export type TapNews = { readonly tap: number } & (
  | { readonly tell: 'opened'; readonly opened: Omit<OpenTap, 'stop'> }
  /** It cannot be tapped. */
  | { readonly tell: 'unknown' }
  | {
      readonly tell: 'data';
      readonly direction: RecordedDirection;
      readonly base64: string;
      readonly offset: number;
      readonly atMicros: number;
    }
  | { readonly tell: 'missed'; readonly direction: RecordedDirection; readonly bytes: number }
  | { readonly tell: 'ended'; readonly direction: RecordedDirection; readonly atMicros: number }
  | { readonly tell: 'closed'; readonly ending: RecordedEnding; readonly atMicros: number }
);
