import type { Server } from '../../../net/index.ts';
import { findExpressObstacle } from './check.ts';
import type { ExpressListener } from './listener.ts';
import type { ProxyHost } from '../host.ts';
import type { Plan } from '../plan.ts';

/** Whether the clients of a plan take the express lane, and how. */
export interface ExpressPlan {
  /** Why they do not, as the end of a sentence. */
  readonly obstacle?: string;
  /** Takes a server's listening socket over; a text says why that cannot be. */
  readonly open?: (server: Server, address: string, reserve: number) => ExpressListener | string;
}

/** Looks at a plan, and loads what the express lane needs if its clients can take it. */
export async function prepareExpress(plan: Omit<Plan, 'express'>, host: ProxyHost): Promise<ExpressPlan> {
  const obstacle = findExpressObstacle(plan, host);
  if (obstacle !== undefined) return { obstacle };
  const [endpoint] = plan.pair.targets;
  if (endpoint?.kind !== 'tcp' && endpoint?.kind !== 'unix') return { obstacle: 'there is no such target' };
  const { findAddresses } = await import('./target.ts');
  const { ExpressListener } = await import('./listener.ts');
  const target = findAddresses(endpoint, host.family);
  if (target.addresses.length === 0) return { obstacle: 'the target has no address of the family' };
  const { access, pair } = plan;
  return {
    open: (server, address, reserve) =>
      ExpressListener.open(server, { target, access, values: pair.values }, { host, address, reserve }),
  };
}
