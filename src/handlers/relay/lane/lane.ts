import type { LaneOffer } from '../../../serve/service.ts';
import type { ProxyHost } from '../host.ts';
import type { LanelessService } from '../service.ts';
import { findEngineObstacle, findUnknown } from '../../../serve/lane-listener.ts';
import { isBalanced } from '../pair.ts';
import { isForeignName } from '../../../address/host-rules.ts';

/** Checks whether a service's clients can take the express lane, and if so loads what it needs. */
export async function prepareLane(service: LanelessService, host: ProxyHost): Promise<LaneOffer> {
  const obstacle = findLaneObstacle(service, host);
  if (obstacle !== undefined) return { obstacle };
  const [endpoint] = service.pair.targets;
  if (!endpoint) return { obstacle: 'there is no target' };
  const { findAddresses } = await import('./target.ts');
  const { openRelayLane } = await import('./listener.ts');
  const isChosen = isBalanced(service.pair) || ('host' in endpoint && isForeignName(endpoint.host));
  const target = isChosen ? { endpoint, addresses: [] } : findAddresses(endpoint, host.family);
  if (!isChosen && target.addresses.length === 0)
    return { obstacle: 'the target has no address of the family' };
  return {
    open: (server, address, reserve) =>
      openRelayLane(server, { target, service }, { host, address, reserve }),
  };
}

/**
 * What the engine does itself. Everything else that a service or a host has is done in JavaScript for each
 * connection.
 */
const knownOfService = new Set<string>([
  'pair',
  'name',
  'listen',
  // Done before there is a lane.
  'binding',
  'upstream',
  'access',
  'maxConnections',
  'greetingMs',
  'handle',
  'close',
  // Of ends that are no sockets, and never come here.
  'local',
  // Asked for by the engine: ./questions.ts.
  'rate',
  'takeRate',
  'acceptProxy',
  'createHead',
] satisfies (keyof LanelessService)[]);
const knownOfHost = new Set<string>([
  'ledger',
  'emit',
  'hears',
  'fail',
  'signal',
  'family',
  'numericOnly',
  'own',
  // For TLS with clients, which by itself keeps clients out of the lane.
  'certificates',
  'nonceKey',
  // With targets that are not names, a relay to itself is refused at the start.
  'loops',
] satisfies (keyof ProxyHost)[]);

/** The names by which users know a part. */
const partNames: Readonly<Record<string, string>> = {
  recordings: '--tap or --output',
  faults: 'the exchange of faults',
};

/**
 * Why the clients of a service cannot take the express lane, as the end of a sentence; undefined when they can.
 *
 * Anything that the engine is not known to do is a reason: a part that is added to a proxy keeps its clients in
 * JavaScript until it is listed here.
 */
export function findLaneObstacle(service: LanelessService, host: ProxyHost): string | undefined {
  const obstacle = findEngineObstacle();
  if (obstacle !== undefined) return obstacle;
  const { slowOption, targets } = service.pair;
  if (slowOption !== undefined) return `${slowOption} needs JavaScript`;
  const kind = targets.map((target) => target.kind).find((one) => !['tcp', 'unix', 'srv'].includes(one));
  if (kind !== undefined) return `the target is of the kind ${kind}`;
  if (service.acceptProxy && service.access && service.listen.kind === 'fd')
    return 'whether its clients have addresses is not known';
  // The one reader that the engine replaces.
  const readers = service.readers.slice(service.acceptProxy ? 1 : 0);
  const part = findUnknown({ ...service, readers }, knownOfService) ?? findUnknown(host, knownOfHost);
  return part && `${partNames[part] ?? part} needs JavaScript`;
}
