import type { SocketEnds } from '../../dial/send-proxy-header.ts';
import type { Connection } from '../../net/connection.ts';
import type { Greeting } from '../../serve/greeting/greeting.ts';
import type { RoutePattern } from '../../serve/greeting/route-match.ts';
import type { LaneOffer, Service } from '../../serve/service.ts';
import type { DatagramSessions } from './datagrams/session.ts';
import type { HttpFront } from './http/front.ts';
import type { LiveFaults } from './faults/live-faults.ts';
import type { Pair } from './pair.ts';
import type { RequestRules } from './request.ts';
import type { TelnetStreams } from '../../transform/telnet-streams.ts';
import type { Upstream } from './targets/upstream.ts';

/** Where the clients of a relay are connected to, and the faults of their connections. */
export interface RelayOptions {
  readonly pair: Pair;
  /** Where clients go that named no target of their own; undefined: nowhere. */
  readonly upstream: Upstream | undefined;
  /** Where clients go whose first bytes match a route; undefined: there are no routes. */
  readonly routes: ReadonlyMap<RoutePattern, Upstream> | undefined;
  /** How to connect to what clients ask for; undefined: they cannot ask. */
  readonly requests: RequestRules | undefined;
  /** Serves HTTP clients that ask for more than CONNECT; undefined: there are none. */
  readonly http: HttpFront | undefined;
  /** The faults of its connections; undefined: there are none, and none can be added. */
  readonly faults: LiveFaults | undefined;
  /**
   * Creates what is sent to a target first; undefined: nothing. Throws a ProtocolError for what cannot be
   * expressed.
   */
  readonly createHead: ((client: SocketEnds, greeting: Greeting) => Buffer) | undefined;
  /** What is between a client that speaks telnet and its target; undefined: clients speak no telnet. */
  readonly createTelnet: ((client: Connection, target: Connection) => TelnetStreams) | undefined;
  /** Undefined when no end is UDP. */
  readonly datagrams: DatagramSessions | undefined;
}

/** A pair that is ready to serve: what it needs is loaded, and what it keeps between connections exists. */
export interface RelayService extends Service, RelayOptions {
  readonly lane: LaneOffer;
}

/** A pair that is ready except for its lane, which depends on all the rest. */
export type LanelessService = Omit<RelayService, 'lane'>;
