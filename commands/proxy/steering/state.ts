import { isDeepStrictEqual } from 'node:util';
import type { WrittenSettings } from '../../../src/control/steered.ts';
import { FixedFaults, type LiveFaults } from '../../../src/handlers/relay/faults/live-faults.ts';
import { createLiveFaults } from '../../../src/handlers/relay/faults/pair-faults.ts';
import type { Pair } from '../../../src/handlers/relay/pair.ts';
import type { RelayService } from '../../../src/handlers/relay/service.ts';
import { isOfDatagrams } from '../../../src/handlers/relay/targets/target.ts';
import { parseBound } from '../../../src/serve/own-addresses.ts';
import { faults as faultRows } from '../../options/table/faults.ts';
import type { NamedPair } from '../config-file.ts';

/** What a pair is at a time. A change makes another one of it, which holds once it is served. */
export interface PairState {
  /** All that was written, without the name. */
  readonly settings: WrittenSettings;
  readonly isEnabled: boolean;
  /** As it was read. It listens where it was bound first, also when the system has chosen the port. */
  readonly pair: Pair;
  readonly faults: LiveFaults;
  /** Targets that are given no new clients, by their addresses. */
  readonly disabledTargets: ReadonlySet<string>;
  /** Undefined: it has still to be prepared, or is disabled. */
  readonly service: RelayService | undefined;
}

/** Whether a setting is one of the faults. */
export function isFaultSetting(name: string): boolean {
  return Object.hasOwn(faultRows, name);
}

/** Whether the faults of a pair can be exchanged: datagrams that stay datagrams have those of their session's beginning. */
function isExchangeable({ listen, targets }: Pair): boolean {
  return !isOfDatagrams(listen, targets);
}

/**
 * The state of a pair that has been read, enabled.
 *
 * @param before what the pair was: it keeps where it listens, if that is written as it was
 * @param keepsFaults it keeps its faults as well, whatever is written. Default: if they are written as they were
 */
export function createState(read: NamedPair, before?: PairState, keepsFaults?: boolean): PairState {
  const { settings, pair } = read;
  const isLive = isExchangeable(pair);
  const isSameKind = before && isExchangeable(before.pair) === isLive;
  const isKept = isSameKind && (keepsFaults ?? hasSameFaults(settings, before.settings));
  const faults = isKept ? before.faults : isLive ? createLiveFaults(pair.values) : new FixedFaults();
  const listen =
    before && before.settings['listen'] === settings['listen'] ? before.pair.listen : pair.listen;
  return {
    settings,
    isEnabled: true,
    pair: { ...pair, listen, ...(isLive && { liveFaults: faults }) },
    faults,
    disabledTargets: before?.disabledTargets ?? new Set(),
    service: undefined,
  };
}

/** The state of a pair that is disabled: it is to be bound again where it was bound, `address`. */
export function disableState(state: PairState, address: string | undefined): PairState {
  return { ...state, isEnabled: false, service: undefined, pair: fixPort(state.pair, address) };
}

/** A pair on a port that the system has chosen keeps it. */
function fixPort(pair: Pair, address: string | undefined): Pair {
  const { listen } = pair;
  if (address === undefined || !('port' in listen) || listen.port !== 0) return pair;
  const bound = parseBound(address);
  return 'port' in bound ? { ...pair, listen: { ...listen, port: bound.port } } : pair;
}

function hasSameFaults(one: WrittenSettings, other: WrittenSettings): boolean {
  return isDeepStrictEqual(pickFaults(one), pickFaults(other));
}

function pickFaults(settings: WrittenSettings): WrittenSettings {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => isFaultSetting(name)));
}
