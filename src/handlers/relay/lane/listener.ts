import type { AccessList } from '../../../access/access-list.ts';
import { openExpressLane, type ExpressLane } from '../../../flow/express-lane.ts';
import { readDescriptorLimit } from '../../../net/descriptors.ts';
import type { Server } from '../../../net/index.ts';
import { lendListener, type ListenerLoan } from '../../../net/hand-over.ts';
import { ExpressConnections } from './connections.ts';
import type { ExpressTarget } from './target.ts';
import { defaultConnectMs, type PairValues } from '../pair.ts';
import type { ProxyHost } from '../host.ts';

/** What an express listener needs of a service. */
export interface ExpressRoute {
  readonly target: ExpressTarget;
  /** As it is when the listener is opened; undefined: all are welcome. */
  readonly access: AccessList | undefined;
  readonly values: PairValues;
}

/** The clients of a listener in the engine: it accepts, connects and relays, and JavaScript reports. */
export class ExpressListener {
  readonly #loan: ListenerLoan;
  readonly #lane: ExpressLane;

  private constructor(loan: ListenerLoan, lane: ExpressLane) {
    this.#loan = loan;
    this.#lane = lane;
  }

  /**
   * Takes a server's listening socket over.
   *
   * @param address what the server has bound
   * @param reserve descriptors that accepting leaves free
   * @returns why it cannot be, as the end of a sentence; then the server goes on accepting
   */
  static open(
    server: Server,
    { target, access, values }: ExpressRoute,
    { host, address, reserve }: { host: ProxyHost; address: string; reserve: number },
  ): ExpressListener | string {
    const loan = lendListener(server);
    if (!loan) return 'the listening socket is not a plain one';
    const { maxConnections, idle, timeout, waitConnect = defaultConnectMs } = values;
    const connections = new ExpressConnections({ host, address, target, access, values });
    const failed = (reason: string) => {
      loan.giveBack();
      return reason;
    };
    try {
      const lane = openExpressLane({
        listenFd: loan.fd,
        targets: target.addresses,
        maxConnections,
        idleMs: idle,
        lifeMs: timeout,
        connectMs: waitConnect,
        lastFreeFd: readDescriptorLimit() - reserve,
        access: access?.blocks,
        onEvents: (events) => connections.report(events),
      });
      if (!lane) return failed('there is no native engine');
      connections.watch(lane);
      return new ExpressListener(loan, lane);
    } catch (error) {
      return failed((error as Error).message);
    }
  }

  /** Gives the listening socket back. Connections go on. Settles when all that were accepted have been reported. */
  close(): Promise<void> {
    this.#lane.close();
    this.#loan.giveBack();
    return this.#lane.closed;
  }
}
