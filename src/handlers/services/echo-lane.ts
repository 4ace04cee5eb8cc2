import { idleError, lifetimeError } from '../../errors.ts';
import type { ExpressLane, LaneEvent, LaneName } from '../../flow/express-lane.ts';
import {
  findEngineObstacle,
  findUnknown,
  formatLaneName,
  LaneListener,
  refuseDenied,
  reportEvents,
  type LaneBooks,
} from '../../serve/lane-listener.ts';
import { leave, type ConnectionEnding, type Moved, type OpenConnection } from '../../serve/ledger.ts';
import type { LaneOffer, ServeHost, Service } from '../../serve/service.ts';

/** As for createServiceHandler(). */
export interface EchoLimits {
  readonly idleMs?: number | undefined;
  readonly timeoutMs?: number | undefined;
}

/** What the engine does itself. Everything else that a service has is done in JavaScript for each client. */
const known = new Set<string>([
  'listen',
  // Done before there is a lane.
  'binding',
  'access',
  'maxConnections',
  'greetingMs',
  'handle',
  'close',
] satisfies (keyof Service)[]);

/** An echo in the engine's thread from accept to close, if its service needs nothing else. */
export function prepareEchoLane(
  service: Service,
  host: ServeHost,
  limits: EchoLimits,
): LaneOffer | undefined {
  if (findEngineObstacle() !== undefined || host.handOver || findUnknown(service, known)) return undefined;
  return {
    isQuiet: true,
    open(server, address, reserve) {
      const connections = new EchoConnections({ host, address, service, limits });
      const { maxConnections, access } = service;
      const opened = LaneListener.open(
        server,
        {
          targets: [],
          echoes: true,
          maxConnections,
          idleMs: limits.idleMs,
          lifeMs: limits.timeoutMs,
          access: access?.blocks,
          onEvents: (events) => connections.report(events),
        },
        reserve,
      );
      if (typeof opened !== 'string') connections.lane = opened.lane;
      return opened;
    },
  };
}

type EventOf<Type extends LaneEvent['type']> = Extract<LaneEvent, { type: Type }>;

interface EchoOptions extends LaneBooks {
  readonly limits: EchoLimits;
}

/** Reports what the clients of an echo do, in the words and the order of serveClient(). */
class EchoConnections {
  lane: ExpressLane | undefined;
  readonly #options: EchoOptions;
  readonly #entries = new Map<number, OpenConnection>();

  constructor(options: EchoOptions) {
    this.#options = options;
  }

  report(events: readonly LaneEvent[]): void {
    reportEvents(events, (event) => this.#reportOne(event), this.#options, this.lane);
  }

  #reportOne(event: LaneEvent): void {
    const { host, address } = this.#options;
    if (event.type === 'shortage') host.fail(address, event.error);
    else if (event.type === 'accepted') this.#accepted(event);
    else if (event.type === 'ended') this.#ended(event);
    else if (event.type === 'denied') refuseDenied(event.remote, this.#options);
  }

  #accepted({ id, remote, local, credentials }: EventOf<'accepted'>): void {
    const { ledger, emit, hears } = this.#options.host;
    const entry = ledger.enter(this.#name(remote));
    this.#entries.set(id, entry);
    if (hears?.('accepted') !== false)
      emit({
        event: 'accepted',
        id: entry.id,
        local: this.#name(local),
        remote: entry.remote,
        ...credentials,
      });
    entry.moved = () => this.#read(id);
    entry.breakOff = () => this.lane?.cutConnection(id);
  }

  #read(id: number): Moved {
    const { bytes = 0, bytesRead = 0 } = this.lane?.readConnection(id)?.up ?? {};
    return { sentBytes: bytes, receivedBytes: bytesRead };
  }

  #ended(event: EventOf<'ended'>): void {
    const entry = this.#entries.get(event.id);
    if (!entry) return;
    this.#entries.delete(event.id);
    entry.moved = () => ({ sentBytes: event.upBytes, receivedBytes: event.downBytes });
    leave(entry, this.#options.host, this.#outcome(event), event.durationMs);
  }

  #outcome({ error, broken }: EventOf<'ended'>): ConnectionEnding {
    const { idleMs = 0, timeoutMs = 0 } = this.#options.limits;
    if (!error) return { reason: 'eof' };
    if (broken) return { reason: 'reset', error };
    if (error.code === 'ETIMEDOUT') return { reason: 'timeout', error: idleError(idleMs) };
    if (error.code === 'ECONNABORTED') return { reason: 'timeout', error: lifetimeError(timeoutMs) };
    return { reason: 'aborted', failed: true };
  }

  #name(name: LaneName | undefined): string {
    return formatLaneName(name) ?? this.#options.address;
  }
}
