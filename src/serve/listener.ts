import { setImmediate as turn } from 'node:timers/promises';
import type { AccessList } from '../access/access-list.ts';
import { breakConnection, formatRemote } from '../net/connection.ts';
import type { Server, Socket } from '../net/index.ts';
import { countPlaces } from '../net/server-state.ts';
import { refuse, tooManyNew } from './ledger.ts';
import { backlog, formatListener, serve } from './serve.ts';
import { serveClient } from './serve-client.ts';
import type { BoundListener, Lane, ServeHost, Service } from './service.ts';

/**
 * Descriptors that accepting keeps free: each client needs one more for its target, and the process some of its
 * own.
 */
const descriptorReserve = 24;

const tooMany = 'too many connections';

/** A bound stream address with the service for its clients. */
export class Listener implements BoundListener {
  readonly #host: ServeHost;
  readonly #server: Server;
  #service: Service;
  /** Serves the clients instead, if the service allows it. */
  #lane: Lane | string | undefined;
  readonly #key: string;
  /** How many clients the server has accepted here, outside of a lane. */
  #taken = 0;
  readonly address: string;

  private constructor(server: Server, service: Service, host: ServeHost, key: string) {
    this.#key = key;
    this.#server = server;
    this.#service = service;
    this.#host = host;
    this.address = formatListener(server, service.listen);
  }

  /** Binds a service's address; `key` names the listener over a reload. @throws as serve() does */
  static async open(service: Service, host: ServeHost, key: string): Promise<Listener> {
    const { family, numericOnly } = host;
    const { mode, owner } = service.binding;
    // Bound and taken over in the same turn: no client can arrive in between.
    const onConnection = (client: Socket) => listener.#accept(client);
    const options = { family, numericOnly, mode, owner, descriptorReserve, onConnection };
    const server = await serve(service.listen, options);
    const listener = new Listener(server, service, host, key);
    listener.#watch();
    listener.#applyService();
    return listener;
  }

  replaceService(service: Service): void {
    this.#service.close();
    this.#service = service;
    this.#applyService();
    this.announceLane();
  }

  /**
   * Gives a Unix socket's file the mode and owner that a service asks for. @throws the error of chmod(2) or
   * chown(2)
   */
  changeFile({ binding: { mode, owner } }: Service = this.#service): void {
    this.#server.changeUnixFile({ mode, owner });
  }

  /** Reports whether the engine serves the clients, and why not. */
  announceLane(): void {
    if (!this.#service.lane || this.#service.lane.isQuiet) return;
    const express = typeof this.#lane === 'object';
    const reason = typeof this.#lane === 'string' ? this.#lane : undefined;
    this.#host.emit({
      event: 'lane',
      address: this.address,
      express,
      ...(reason !== undefined && { reason }),
    });
  }

  /** Counts a connection of a client that another process has identified; false: one too many. */
  takeRate(client: string): boolean {
    return this.#service.rate?.take(client, performance.now()) !== false;
  }

  async reloadAccess(): Promise<AccessList | undefined> {
    const { access, reloadLists } = this.#service;
    await reloadLists?.();
    await access?.reload();
    // A lane has the lists as they were when it was opened.
    if (access && typeof this.#lane === 'object') this.#applyService();
    return access;
  }

  close({ takesWaiting = false } = {}): Promise<void> {
    const closed = this.#closeLane();
    const shut = () => {
      this.#service.close();
      this.#server.close();
      return closed;
    };
    return takesWaiting ? this.#takeWaiting().then(shut) : shut();
  }

  /** Accepts the clients that have connected by now: closing the socket resets those that wait in its backlog. */
  async #takeWaiting(): Promise<void> {
    for (let rounds = 0; rounds < backlog; rounds++) {
      const taken = this.#taken;
      // The event loop polls between the two; a socket that a lane has given back is watched only from then on.
      await turn();
      await turn();
      if (this.#taken === taken) return;
    }
  }

  #watch(): void {
    const { fail } = this.#host;
    this.#server.on('error', (error) => fail(this.address, error));
    this.#server.on('exhausted', (error) => fail(this.address, error));
    this.#server.on('drop', (data) => refuse(this.#host, data?.remoteAddress ?? this.address, tooMany));
  }

  /** Decides what serves the clients from now on. */
  #applyService(): void {
    void this.#closeLane();
    this.#applyLimit();
    const { open, obstacle } = this.#service.lane ?? {};
    this.#lane = obstacle ?? open?.(this.#server, this.address, descriptorReserve);
  }

  async #closeLane(): Promise<void> {
    const express = this.#lane;
    this.#lane = undefined;
    if (typeof express === 'object') await express.close();
  }

  /** Without --reject, the server itself makes the rest wait. */
  #applyLimit(): void {
    const { maxConnections, reject } = this.#service;
    this.#server.maxConnections = reject ? Infinity : (maxConnections ?? Infinity);
  }

  #accept(client: Socket): void {
    this.#taken++;
    const service = this.#service;
    const { pauseMs } = service;
    if (pauseMs !== undefined) this.#server.pause(pauseMs);
    const reason = this.#findRefusal(client, service);
    if (reason !== undefined) return this.#refuse(client, reason);
    const { handOver } = this.#host;
    const { kind } = service.listen;
    if (kind === 'unix-seqpacket' || kind === 'vsock') return void this.#serveOther(client, kind);
    if (!handOver) return void serveClient(client, this.address, service, this.#host);
    const place = { key: this.#key, address: this.address, service: service.name };
    handOver(client, formatRemote(client, this.address), place);
  }

  #findRefusal(
    client: Socket,
    { access, rate, acceptProxy, reject, maxConnections }: Service,
  ): string | undefined {
    // Only a Unix client has no address, and then only its PROXY header can say who it is.
    const address = client.remoteAddress;
    const denial = address === undefined && acceptProxy ? undefined : access?.judge(address);
    if (denial !== undefined) return denial;
    if (reject && countPlaces(this.#server) > (maxConnections ?? Infinity)) return tooMany;
    // Behind another proxy all clients have its address: their own are known once the header has been read.
    if (acceptProxy) return undefined;
    if (rate && !rate.take(client.remoteAddress ?? '', performance.now())) return tooManyNew;
    return undefined;
  }

  /** A client of a kind that only this process can serve. */
  async #serveOther(client: Socket, kind: 'unix-seqpacket' | 'vsock'): Promise<void> {
    const service = this.#service;
    const { acceptOther } = await import('./message-client.ts');
    let connection;
    try {
      connection = acceptOther(client, kind);
    } catch (error) {
      this.#host.fail(this.address, error);
      client.on('error', () => undefined).destroy();
      return;
    }
    await serveClient(connection, this.address, service, this.#host);
  }

  #refuse(client: Socket, reason: string): void {
    refuse(this.#host, formatRemote(client, this.address), reason);
    client.on('error', () => undefined);
    breakConnection(client);
  }
}
