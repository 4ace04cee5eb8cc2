import type { AccessList } from '../../../access/access-list.ts';
import type { Endpoint } from '../../../address/endpoint.ts';
import { serveDatagrams } from '../../../serve/serve-datagrams.ts';
import { formatBound, formatRemote } from '../../../serve/serve.ts';
import { maxDatagramBytes, type DatagramPeer, type LostDatagrams } from '../../../net/datagram-peer.ts';
import type { DatagramServer } from '../../../net/datagram-server.ts';
import { serveClient, tooManyNew } from '../connection.ts';
import type { ProxyHost } from '../host.ts';
import type { Plan } from '../plan.ts';

/** How many senders that were turned away are remembered, each to be said once and not for every datagram. */
const rememberedRefusals = 1024;

/** A bound UDP address with the plan by which its clients are served: each sender is a session of its own. */
export class DatagramListener {
  readonly #host: ProxyHost;
  readonly #server: DatagramServer;
  #plan: Plan;
  readonly #refused = new Set<string>();
  /** What has really been bound. */
  readonly address: string;

  private constructor(server: DatagramServer, plan: Plan, host: ProxyHost) {
    this.#server = server;
    this.#plan = plan;
    this.#host = host;
    this.address = formatBound(server);
    server.on('error', (error) => host.fail(this.address, error));
    this.#applyLimit();
  }

  /** Binds a plan's address. @throws as serveDatagrams() does */
  static async open(plan: Plan, host: ProxyHost): Promise<DatagramListener> {
    const server = await serveDatagrams(plan.pair.listen as Extract<Endpoint, { kind: 'udp' }>, {
      family: host.family,
      numericOnly: host.numericOnly,
      admit: (address) => listener.#judge(address ?? ''),
      onRefused: (remote, reason) => listener.#refuse(remote, reason),
      onConnection: (peer) => listener.#accept(peer),
    });
    const listener = new DatagramListener(server, plan, host);
    return listener;
  }

  /** Serves by another plan from the next client on. */
  replacePlan(plan: Plan): void {
    this.#plan.close();
    this.#plan = plan;
    this.#refused.clear();
    this.#applyLimit();
  }

  /** Reads the access lists again, if there are any. @throws TnetError TNET_E_ACCESS; the old ones stay in force */
  async reloadAccess(): Promise<AccessList | undefined> {
    const { access } = this.#plan;
    await access?.reload();
    this.#refused.clear();
    return access;
  }

  /** Takes no more clients; sessions go on. The address is free again when the last one is over. */
  close(): void {
    this.#plan.close();
    this.#server.close();
  }

  /** Without a number the longest silent client makes way for a new one; with one, new clients are turned away. */
  #applyLimit(): void {
    const { maxConnections } = this.#plan.pair.values;
    this.#server.maxPeers = maxConnections;
  }

  #judge(address: string): string | undefined {
    const { access, rate } = this.#plan;
    const denial = access?.judge(address);
    if (denial !== undefined) return denial;
    return rate?.take(address, performance.now()) === false ? tooManyNew : undefined;
  }

  /** Every datagram is counted; its sender is said once for each reason. */
  #refuse(remote: string, reason: string): void {
    this.#host.ledger.refuse(reason);
    const key = `${remote} ${reason}`;
    if (this.#refused.has(key)) return;
    if (this.#refused.size >= rememberedRefusals) this.#refused.clear();
    this.#refused.add(key);
    this.#host.emit({ event: 'refused', remote, reason });
  }

  #accept(peer: DatagramPeer): void {
    watchDatagrams(peer, formatRemote(peer, this.address), this.#host);
    void serveClient(peer, this.address, this.#plan, this.#host);
  }
}

/** Reports what a datagram peer loses or cuts. */
export function watchDatagrams(peer: DatagramPeer, remote: string, { emit }: ProxyHost): void {
  peer.on('lost', (lost: LostDatagrams) => emit({ event: 'datagrams-lost', remote, ...lost }));
  peer.on('cut', (bytes: number) =>
    emit({ event: 'datagram-cut', remote, bytes, limitBytes: maxDatagramBytes }),
  );
}
