import type { AccessList } from '../../access/access-list.ts';
import { breakConnection } from '../../net/connection.ts';
import { formatBound, formatRemote, serve } from '../../serve/serve.ts';
import type { Server, Socket } from '../../net/index.ts';
import { refuse, serveClient, tooManyNew } from './connection.ts';
import type { ExpressListener } from './lane/listener.ts';
import type { ProxyHost } from './host.ts';
import type { Plan } from './plan.ts';

/** Descriptors that accepting leaves free: each client needs one more for its target, and the process some of its own. */
const descriptorReserve = 24;

/** A bound address with the plan by which its clients are served. */
export class Listener {
  readonly #host: ProxyHost;
  readonly #server: Server;
  #plan: Plan;
  #open = 0;
  /** Serves the clients instead, where the plan allows it. */
  #express: ExpressListener | string | undefined;
  readonly #key: string;
  /** What has really been bound. */
  readonly address: string;

  private constructor(server: Server, plan: Plan, host: ProxyHost, key: string) {
    this.#key = key;
    this.#server = server;
    this.#plan = plan;
    this.#host = host;
    this.address = formatBound(server);
  }

  /** Binds a plan's address; `key` names the listener over a reload. @throws as serve() does */
  static async open(plan: Plan, host: ProxyHost, key: string): Promise<Listener> {
    // Bound and taken over in the same turn: no client can come between.
    const accept = (client: Socket) => listener.#accept(client);
    const server = await serve(plan.pair.listen, {
      family: host.family,
      numericOnly: host.numericOnly,
      descriptorReserve,
      onConnection: accept,
    });
    const listener = new Listener(server, plan, host, key);
    listener.#watch();
    listener.#applyPlan();
    return listener;
  }

  /** Serves by another plan from the next client on. */
  replacePlan(plan: Plan): void {
    this.#plan.close();
    this.#plan = plan;
    this.#applyPlan();
    this.announceLane();
  }

  /** Says whether the engine serves the clients, and why not. */
  announceLane(): void {
    const express = typeof this.#express === 'object';
    const reason = typeof this.#express === 'string' ? this.#express : undefined;
    this.#host.emit({
      event: 'lane',
      address: this.address,
      express,
      ...(reason !== undefined && { reason }),
    });
  }

  /** Counts a connection of a client that is known elsewhere; false: one too many. */
  takeRate(client: string): boolean {
    return this.#plan.rate?.take(client, performance.now()) !== false;
  }

  /** Reads the access lists again, if there are any. @throws TnetError TNET_E_ACCESS; the old ones stay in force */
  async reloadAccess(): Promise<AccessList | undefined> {
    const { access } = this.#plan;
    await access?.reload();
    // A lane has the lists as they were when it was opened.
    if (access && typeof this.#express === 'object') this.#applyPlan();
    return access;
  }

  /** Stops accepting; what has been accepted goes on. Settles when all of that is in the ledger. */
  close(): Promise<void> {
    this.#plan.close();
    const closed = this.#closeLane();
    this.#server.close();
    return closed;
  }

  #watch(): void {
    const { fail } = this.#host;
    this.#server.on('error', (error) => fail(this.address, error));
    this.#server.on('exhausted', (error) => fail(this.address, error));
  }

  /** Who serves the clients from now on. */
  #applyPlan(): void {
    void this.#closeLane();
    this.#applyLimit();
    const { open, obstacle } = this.#plan.express;
    this.#express = obstacle ?? open?.(this.#server, this.address, descriptorReserve);
  }

  async #closeLane(): Promise<void> {
    const express = this.#express;
    this.#express = undefined;
    if (typeof express === 'object') await express.close();
  }

  /** Without --reject, the server itself lets the rest wait. */
  #applyLimit(): void {
    const { maxConnections, reject } = this.#plan.pair.values;
    this.#server.maxConnections = reject ? Infinity : (maxConnections ?? Infinity);
  }

  #accept(client: Socket): void {
    const plan = this.#plan;
    const reason = this.#findRefusal(client, plan);
    if (reason !== undefined) return this.#refuse(client, reason);
    this.#open++;
    const { handOver } = this.#host;
    if (handOver) {
      const place = { key: this.#key, address: this.address };
      return handOver(client, formatRemote(client, this.address), place, () => this.#open--);
    }
    void serveClient(client, this.address, plan, this.#host).finally(() => this.#open--);
  }

  #findRefusal(client: Socket, { pair: { values }, access, rate }: Plan): string | undefined {
    // Only a Unix client has no address, and then only its PROXY header can say who it is.
    const address = client.remoteAddress;
    const denial = address === undefined && values.acceptProxy ? undefined : access?.judge(address);
    if (denial !== undefined) return denial;
    if (values.reject && this.#open >= (values.maxConnections ?? Infinity)) return 'too many connections';
    // Behind another proxy all clients have its address: who they are is known once the header has been read.
    if (values.acceptProxy) return undefined;
    if (rate && !rate.take(client.remoteAddress ?? '', performance.now())) return tooManyNew;
    return undefined;
  }

  #refuse(client: Socket, reason: string): void {
    refuse(this.#host, formatRemote(client, this.address), reason);
    client.on('error', () => undefined);
    breakConnection(client);
  }
}
