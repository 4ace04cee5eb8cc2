import type { Server } from '../../../net/index.ts';
import { LaneListener } from '../../../serve/lane-listener.ts';
import { ExpressConnections } from './connections.ts';
import type { ExpressTarget } from './target.ts';
import { defaultConnectMs } from '../pair.ts';
import type { LanelessService } from '../service.ts';
import type { ProxyHost } from '../host.ts';

/** The settings by which an express lane serves its clients. */
export interface ExpressRoute {
  /** Without an address, the engine asks where each client goes. */
  readonly target: ExpressTarget;
  /** Its access lists are as they are when the lane is opened. */
  readonly service: LanelessService;
}

/**
 * Makes the engine accept, connect and relay the clients of a server. See LaneListener.open().
 *
 * @param address what the server has bound
 */
export function openRelayLane(
  server: Server,
  { target, service }: ExpressRoute,
  { host, address, reserve }: { host: ProxyHost; address: string; reserve: number },
): LaneListener | string {
  const { acceptProxy, access, rate, createHead, pair, listen } = service;
  const { maxConnections, idle, timeout, waitConnect = defaultConnectMs } = pair.values;
  const asks = acceptProxy || rate !== undefined || createHead !== undefined || target.addresses.length === 0;
  const connections = new ExpressConnections({ host, address, target, service }, asks);
  const opened = LaneListener.open(
    server,
    {
      targets: target.addresses,
      maxConnections,
      idleMs: idle,
      lifeMs: timeout,
      connectMs: waitConnect,
      // A client without an address is identified by its PROXY header.
      access: acceptProxy && listen.kind === 'unix' ? undefined : access?.blocks,
      asks: acceptProxy ? 'first-bytes' : asks ? 'at-once' : undefined,
      onEvents: (events) => connections.report(events),
    },
    reserve,
  );
  if (typeof opened !== 'string') connections.watch(opened.lane);
  return opened;
}
