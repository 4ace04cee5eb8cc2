import { formatHostPort } from '../address/endpoint.ts';
import {
  openExpressLane,
  type ExpressLane,
  type ExpressLaneOptions,
  type LaneEvent,
  type LaneName,
} from '../flow/express-lane.ts';
import { nativeStatus } from '../native/addon.ts';
import { readDescriptorLimit } from '../net/descriptors.ts';
import { createFault } from '../net/guard.ts';
import { lendListener, type ListenerLoan } from '../net/hand-over.ts';
import type { Server } from '../net/index.ts';
import { refuse } from './ledger.ts';
import type { ServeHost, Service } from './service.ts';

/** Where the events of a lane are reported. */
export interface LaneBooks {
  readonly host: ServeHost;
  /** What the listener has bound. */
  readonly address: string;
  readonly service: Pick<Service, 'access'>;
}

/** Reports events one by one: a fault in one ends only its connection. */
export function reportEvents(
  events: readonly LaneEvent[],
  report: (event: LaneEvent) => void,
  { host, address }: LaneBooks,
  lane: ExpressLane | undefined,
): void {
  for (const event of events) {
    try {
      report(event);
    } catch (error) {
      host.fail(address, createFault(error));
      if ('id' in event) lane?.stopConnection(event.id);
    }
  }
}

/** A client's or a listener's address as text; undefined for one that has none. */
export function formatLaneName(name: LaneName | undefined): string | undefined {
  return name && formatHostPort(name.address, name.port);
}

/** Reports a client that the engine has refused by the access lists, which may have been read again since. */
export function refuseDenied(remote: LaneName | undefined, { host, address, service }: LaneBooks): void {
  refuse(host, formatLaneName(remote) ?? address, service.access?.judge(remote?.address) ?? 'not allowed');
}

/** The clients of a listener in the engine: it accepts and carries, and JavaScript reports. */
export class LaneListener {
  readonly lane: ExpressLane;
  readonly #loan: ListenerLoan;

  private constructor(loan: ListenerLoan, lane: ExpressLane) {
    this.#loan = loan;
    this.lane = lane;
  }

  /**
   * Takes over a server's listening socket.
   *
   * @param reserve descriptors that accepting keeps free
   * @returns why that is not possible, as the end of a sentence; then the server goes on accepting
   */
  static open(
    server: Server,
    options: Omit<ExpressLaneOptions, 'listenFd' | 'lastFreeFd'>,
    reserve: number,
  ): LaneListener | string {
    const loan = lendListener(server);
    if (!loan) return 'the listening socket is not a plain one';
    const failed = (reason: string) => {
      loan.giveBack();
      return reason;
    };
    try {
      const lastFreeFd = readDescriptorLimit() - reserve;
      const lane = openExpressLane({ ...options, listenFd: loan.fd, lastFreeFd });
      return lane ? new LaneListener(loan, lane) : failed('there is no native engine');
    } catch (error) {
      return failed((error as Error).message);
    }
  }

  /** Gives the listening socket back. Connections go on. Settles when all that were accepted have been reported. */
  close(): Promise<void> {
    this.lane.close();
    this.#loan.giveBack();
    return this.lane.closed;
  }
}

/** Why no lane can be opened in this process, as the end of a sentence; undefined when one can. */
export function findEngineObstacle(): string | undefined {
  const { used, reason } = nativeStatus();
  if (!used) return `no native engine: ${reason ?? ''}`;
  return process.env['TNET_EXPRESS'] === '0' ? 'TNET_EXPRESS=0 turns it off' : undefined;
}

/** The first member that is present and not known: what the engine does not do. */
export function findUnknown(object: object, known: ReadonlySet<string>): string | undefined {
  const isThere = (value: unknown) =>
    value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0);
  return Object.entries(object).find(([key, value]) => !known.has(key) && isThere(value))?.[0];
}
