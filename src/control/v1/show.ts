import type { PairFault } from '../../handlers/relay/faults/live-faults.ts';
import type { SteeredConnection, SteeredPair, SteeredSight, SteeredTarget } from '../steered.ts';

/** A pair as it is shown. JSON has no undefined: what is not known is null. */
export function showPair(
  { name, isEnabled, address, settings, faults }: SteeredPair,
  sight: Pick<SteeredSight, 'targets'>,
): object {
  return {
    ...{ name, isEnabled, address: address ?? null, settings },
    faults: faults.list.map(showFault),
    targets: sight.targets(name).map(showTarget),
  };
}

/** A fault with what holds by default. */
export function showFault({ name, direction = 'both', toxicity = 1, group, fault }: PairFault): object {
  return { name, direction, toxicity, ...(group !== undefined && { group }), fault };
}

export function showTarget(target: SteeredTarget): object {
  return { ...target, isUp: target.isUp ?? null };
}

export function showConnection(connection: SteeredConnection): object {
  return { ...connection, target: connection.target ?? null, greeting: connection.greeting ?? null };
}
