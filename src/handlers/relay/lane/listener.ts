import { openExpressLane, type ExpressLane } from '../../../flow/express-lane.ts';
import { readDescriptorLimit } from '../../../net/descriptors.ts';
import type { Server } from '../../../net/index.ts';
import { lendListener, type ListenerLoan } from '../../../net/hand-over.ts';
import { ExpressConnections } from './connections.ts';
import type { ExpressTarget } from './target.ts';
import { defaultConnectMs } from '../pair.ts';
import type { LanelessService } from '../service.ts';
import type { ProxyHost } from '../host.ts';

/** What an express listener serves its clients by. */
export interface ExpressRoute {
  /** Without an address each client is asked for. */
  readonly target: ExpressTarget;
  /** Its access lists are as they are when the listener is opened. */
  readonly service: LanelessService;
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
    { target, service }: ExpressRoute,
    { host, address, reserve }: { host: ProxyHost; address: string; reserve: number },
  ): ExpressListener | string {
    const loan = lendListener(server);
    if (!loan) return 'the listening socket is not a plain one';
    const { acceptProxy, access, rate, createHead, pair, listen } = service;
    const { maxConnections, idle, timeout, waitConnect = defaultConnectMs } = pair.values;
    const asks =
      acceptProxy || rate !== undefined || createHead !== undefined || target.addresses.length === 0;
    const connections = new ExpressConnections({ host, address, target, service }, asks);
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
        // Who a client without an address is, its PROXY header says.
        access: acceptProxy && listen.kind === 'unix' ? undefined : access?.blocks,
        asks: acceptProxy ? 'first-bytes' : asks ? 'at-once' : undefined,
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
