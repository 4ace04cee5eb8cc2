import type { AccessList } from '../access/access-list.ts';
import type { Endpoint } from '../address/endpoint.ts';
import { serveDatagrams } from './serve-datagrams.ts';
import { formatBound, formatRemote } from './serve.ts';
import { maxDatagramBytes, type DatagramPeer, type LostDatagrams } from '../net/datagram-peer.ts';
import type { DatagramServer } from '../net/datagram-server.ts';
import type { ServeHost } from './host.ts';
import { tooManyNew } from './refuse.ts';
import { serveClient } from './serve-client.ts';
import type { Service } from './service.ts';

/** How many senders that were turned away are remembered, each to be said once and not for every datagram. */
const rememberedRefusals = 1024;

/** A bound UDP address with the service that its clients get: each sender is a session of its own. */
export class DatagramListener {
  readonly #host: ServeHost;
  readonly #server: DatagramServer;
  #service: Service;
  readonly #refused = new Set<string>();
  /** What has really been bound. */
  readonly address: string;

  private constructor(server: DatagramServer, service: Service, host: ServeHost) {
    this.#server = server;
    this.#service = service;
    this.#host = host;
    this.address = formatBound(server);
    server.on('error', (error) => host.fail(this.address, error));
    this.#applyLimit();
  }

  /** Binds a service's address. @throws as serveDatagrams() does */
  static async open(service: Service, host: ServeHost): Promise<DatagramListener> {
    const server = await serveDatagrams(service.listen as Extract<Endpoint, { kind: 'udp' }>, {
      family: host.family,
      numericOnly: host.numericOnly,
      admit: (address) => listener.#judge(address ?? ''),
      onRefused: (remote, reason) => listener.#refuse(remote, reason),
      onConnection: (peer) => listener.#accept(peer),
    });
    const listener = new DatagramListener(server, service, host);
    return listener;
  }

  /** Serves by another service from the next client on. */
  replaceService(service: Service): void {
    this.#service.close();
    this.#service = service;
    this.#refused.clear();
    this.#applyLimit();
  }

  /** Reads the access lists again, if there are any. @throws TnetError TNET_E_ACCESS; the old ones stay in force */
  async reloadAccess(): Promise<AccessList | undefined> {
    const { access } = this.#service;
    await access?.reload();
    this.#refused.clear();
    return access;
  }

  /** Takes no more clients; sessions go on. The address is free again when the last one is over. */
  close(): void {
    this.#service.close();
    this.#server.close();
  }

  /** Without a number the longest silent client makes way for a new one; with one, new clients are turned away. */
  #applyLimit(): void {
    const { maxConnections } = this.#service;
    this.#server.maxPeers = maxConnections;
  }

  #judge(address: string): string | undefined {
    const { access, rate } = this.#service;
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
    void serveClient(peer, this.address, this.#service, this.#host);
  }
}

/** Reports what a datagram peer loses or cuts. */
export function watchDatagrams(peer: DatagramPeer, remote: string, { emit }: ServeHost): void {
  peer.on('lost', (lost: LostDatagrams) => emit({ event: 'datagrams-lost', remote, ...lost }));
  peer.on('cut', (bytes: number) =>
    emit({ event: 'datagram-cut', remote, bytes, limitBytes: maxDatagramBytes }),
  );
}
