import { isGroup, type GroupValues } from '../../../net/groups.ts';
import type { Pair } from '../pair.ts';

/** What a pair's options about groups mean for each of its ends: nothing for one that is neither a group nor everyone. */
export interface PairGroups {
  readonly listen: GroupValues | undefined;
  readonly target: GroupValues | undefined;
}

export function findGroups({
  listen,
  targets,
  values,
}: Pick<Pair, 'listen' | 'targets' | 'values'>): PairGroups {
  const { interface: link, multicastSource, allowBroadcast } = values;
  const isListeningGroup = listen.kind === 'udp' && isGroup(listen.host);
  const isForMany =
    allowBroadcast === true || targets.some((target) => target.kind === 'udp' && isGroup(target.host));
  const hasInterface = link !== undefined && (isListeningGroup || !isForMany);
  return {
    listen:
      hasInterface || multicastSource
        ? { interface: hasInterface ? link : undefined, multicastSource }
        : undefined,
    target: isForMany ? { interface: link, allowBroadcast } : undefined,
  };
}
