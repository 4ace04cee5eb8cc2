import type { LaneOffer } from '../../../serve/service.ts';
import type { ProxyHost } from '../host.ts';
import type { LanelessService } from '../service.ts';
import { findLaneObstacle } from './check.ts';

/** Looks at a service, and loads what the express lane needs if its clients can take it. */
export async function prepareLane(service: LanelessService, host: ProxyHost): Promise<LaneOffer> {
  const obstacle = findLaneObstacle(service, host);
  if (obstacle !== undefined) return { obstacle };
  const [endpoint] = service.pair.targets;
  if (endpoint?.kind !== 'tcp' && endpoint?.kind !== 'unix') return { obstacle: 'there is no such target' };
  const { findAddresses } = await import('./target.ts');
  const { ExpressListener } = await import('./listener.ts');
  const target = findAddresses(endpoint, host.family);
  if (target.addresses.length === 0) return { obstacle: 'the target has no address of the family' };
  const { access, pair } = service;
  return {
    open: (server, address, reserve) =>
      ExpressListener.open(server, { target, access, values: pair.values }, { host, address, reserve }),
  };
}
