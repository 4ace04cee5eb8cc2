import type { FaultOperation } from '../handlers/relay/faults/fault-operation.ts';
import type { PairFault } from '../handlers/relay/faults/live-faults.ts';
import type { TargetState } from '../handlers/relay/targets/target-settings.ts';
import type { Event } from '../report/events.ts';
import type { DescribedGreeting } from '../serve/greeting/described-greeting.ts';
import type { Moved, Totals } from '../serve/ledger.ts';

/** The settings of a pair as they are written in a configuration file: docs/proxy-config.schema.json. */
export type WrittenSettings = Readonly<Record<string, unknown>>;

/** A pair of a proxy that is steered while it runs. Its name is unique in the proxy, and stays. */
export interface SteeredPair {
  readonly name: string;
  /** Whether it accepts clients. */
  readonly isEnabled: boolean;
  /** What it has bound, as it is reported; undefined while it is disabled. */
  readonly address: string | undefined;
  /** As they were given, without faults. */
  readonly settings: WrittenSettings;
  /** Faults that act at once on the connections of the pair that are open, and on those that come. */
  readonly faults: { readonly list: readonly PairFault[] };
}

export type SteeredTarget = TargetState;

/** An open connection. `sentBytes` went to the client, `receivedBytes` came from it. */
export interface SteeredConnection {
  readonly id: number;
  /** The name of its pair. */
  readonly pair: string;
  readonly remote: string;
  readonly target: string | undefined;
  /** What the client said before its stream began; undefined: nothing, or not yet. */
  readonly greeting: DescribedGreeting | undefined;
  readonly ageMs: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** The mean of the last one to two seconds. */
  readonly sentBytesPerSecond: number;
  readonly receivedBytesPerSecond: number;
}

/** What is known of connections and targets at a moment. */
export interface SteeredSight {
  /** The connections that are open. */
  readonly connections: readonly SteeredConnection[];
  /** What has been done since the start, or since resetTotals(). */
  readonly totals: Totals;
  /** What the connections of a pair have moved since the start, those that are over included. */
  moved(name: string): Moved;
  /** The targets of a pair with what is known of each, in their order. @throws TnetError TNET_E_UNKNOWN_NAME */
  targets(name: string): readonly SteeredTarget[];
}

/** What a change came to. */
export interface SteeringChange {
  /** How many open connections it applied to. */
  readonly connections: number;
}

/** How connections fare when their pair stops accepting. */
export interface StopOptions {
  /** Reset them. Default: they go on. */
  readonly cut?: boolean;
}

/**
 * A proxy that is steered while it runs. Changes are made one after the other, in the order in which they were asked
 * for; one that fails changes nothing.
 *
 * Errors: TnetError TNET_E_UNKNOWN_NAME when nothing has the name, TNET_E_NAME_TAKEN when something has it already,
 * TNET_E_CONFIG whose subject is the setting that is wrong; what kept an address from being bound: the system's error
 * (`EADDRINUSE`, …) or a TnetError.
 */
export interface Steered {
  /** In the order in which they were added. */
  readonly pairs: readonly SteeredPair[];
  /** @throws TnetError TNET_E_UNKNOWN_NAME */
  pair(name: string): SteeredPair;
  /** Adds a pair and binds it, unless it is disabled. Settles when it accepts clients. */
  addPair(
    name: string,
    settings: WrittenSettings,
    options?: { readonly isEnabled?: boolean },
  ): Promise<SteeredPair>;
  /**
   * Gives a pair other settings: those named replace what it had, and null takes one away. The next clients are served by
   * them; when it listens elsewhere, that is bound before the old address is given up.
   */
  changePair(name: string, settings: WrittenSettings, options?: StopOptions): Promise<SteeringChange>;
  /** Stops accepting, or binds again what it had bound. */
  setEnabled(name: string, isEnabled: boolean, options?: StopOptions): Promise<SteeringChange>;
  removePair(name: string, options?: StopOptions): Promise<SteeringChange>;
  /** A disabled target is given no new clients; connections to it go on, or are reset with `cut`. */
  setTargetEnabled(
    name: string,
    target: string,
    isEnabled: boolean,
    options?: StopOptions,
  ): Promise<SteeringChange>;
  /**
   * Changes the faults of a pair, at once; settles when all processes that serve it have done so.
   *
   * Errors: also TNET_E_USAGE when the settings of a fault cannot be, TNET_E_UNSUPPORTED for the faults of datagrams.
   */
  changeFaults(name: string, operation: FaultOperation): Promise<SteeringChange>;
  /** Looks at what connections and targets are doing, in all processes that serve them. */
  look(): Promise<SteeredSight>;
  /** Resets a connection on both sides. @throws TnetError TNET_E_UNKNOWN_NAME */
  reset(id: number): void;
  /** Makes the totals count from now on. */
  resetTotals(): Promise<void>;
  /** Calls back for every event of the proxy (docs/events.md). @returns a function that ends this */
  listen(onEvent: (event: Event) => void): () => void;
}
