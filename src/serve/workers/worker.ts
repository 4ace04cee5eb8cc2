import { type Carried, Ledger, type Moved, type OpenConnection } from '../ledger.ts';
import { type HostCertificate, ThrowawayCertificates } from '../throwaway-certificates.ts';
import { adoptDetached, type DetachedHandle } from '../../net/hand-over.ts';
import { nameListeners } from '../listeners.ts';
import { OwnAddresses } from '../own-addresses.ts';
import { serveClient } from '../serve-client.ts';
import type { ServeHost, Service } from '../service.ts';

/** Messages from the accepting process to a worker. A client comes with its connection. */
export type ToWorker =
  /** Take the pairs, at the start and at each reload, with the throw-away certificates made so far, and a secret. */
  | { readonly type: 'serve'; readonly certificates: readonly HostCertificate[]; readonly nonceKey: string }
  /** What has been bound, all of it. */
  | { readonly type: 'own'; readonly addresses: readonly string[] }
  /** Read the access lists again. */
  | { readonly type: 'reload-access' }
  /** Serve a client of the listener `key`, which has bound `address`. */
  | { readonly type: 'client'; readonly id: number; readonly key: string; readonly address: string }
  /** Report what the open connections have carried, and with `each`, what each of them has. */
  | { readonly type: 'sum'; readonly ask: number; readonly each: boolean }
  /** The answer to 'rate'. */
  | { readonly type: 'rate'; readonly ask: number; readonly isAllowed: boolean }
  /** Break off all connections: what was sent is delivered. */
  | { readonly type: 'cut' };

/** Messages from a worker to the accepting process. */
export type FromWorker =
  /** The pairs have been taken: the answer to each 'serve'. */
  | { readonly type: 'ready' }
  /** The connection has arrived. */
  | { readonly type: 'taken'; readonly id: number }
  | ({ readonly type: 'ended'; readonly id: number } & Carried)
  | { readonly type: 'refused'; readonly reason: string }
  | ({ readonly type: 'sum'; readonly ask: number; readonly each?: readonly WorkerConnection[] } & Moved)
  /** May this client, named by a PROXY header, make another connection to the listener `key`? */
  | { readonly type: 'rate'; readonly ask: number; readonly key: string; readonly client: string };

/** A connection that a worker serves. */
export interface WorkerConnection extends Moved {
  readonly id: number;
  readonly target: string | undefined;
}

type Send = (message: FromWorker) => void;

/** Numbers connections as the accepting process does, and reports to it. */
class WorkerLedger extends Ledger {
  readonly #send: Send;
  /** The number assigned to the next connection. */
  nextId = 0;

  constructor(send: Send) {
    super();
    this.#send = send;
  }

  override enter(remote: string, service?: string): OpenConnection {
    return super.enter(remote, service, this.nextId);
  }

  override leave(entry: OpenConnection, carried: Carried): void {
    super.leave(entry, carried);
    this.#send({ type: 'ended', id: entry.id, ...carried });
  }

  override refuse(reason: string): void {
    this.#send({ type: 'refused', reason });
  }
}

/** Serves the clients that another process accepts. */
export class ServeWorker {
  readonly #send: Send;
  readonly #prepare: (host: ServeHost) => Promise<readonly Service[]>;
  readonly #ledger: WorkerLedger;
  readonly #stopping = new AbortController();
  #host: ServeHost;
  readonly #own: OwnAddresses;
  readonly #certificates: ThrowawayCertificates;
  #services = new Map<string, Service>();
  readonly #asked = new Map<number, (isAllowed: boolean) => void>();
  #lastAsk = 0;

  /** @param prepare prepares the services, at the start and at each reload */
  constructor(
    host: Omit<ServeHost, 'ledger' | 'signal' | 'own' | 'certificates'>,
    prepare: (host: ServeHost) => Promise<readonly Service[]>,
    send: Send,
  ) {
    this.#send = send;
    this.#prepare = prepare;
    this.#ledger = new WorkerLedger(send);
    this.#own = new OwnAddresses(host.family);
    this.#certificates = new ThrowawayCertificates((fingerprint) =>
      host.emit({ event: 'throwaway-certificate', fingerprint }),
    );
    this.#host = {
      ...host,
      own: this.#own,
      ledger: this.#ledger,
      signal: this.#stopping.signal,
      certificates: this.#certificates,
    };
  }

  receive(message: ToWorker, handle: DetachedHandle | undefined): void {
    switch (message.type) {
      case 'serve':
        this.#certificates.take(message.certificates);
        this.#host = { ...this.#host, nonceKey: Buffer.from(message.nonceKey, 'base64') };
        return void this.#serve();
      case 'own':
        return this.#own.replace(message.addresses);
      case 'reload-access':
        for (const { access, reloadLists } of this.#services.values()) {
          void access?.reload().catch(() => undefined);
          void reloadLists?.().catch(() => undefined);
        }
        return;
      case 'client':
        if (handle) this.#take(message, handle);
        return;
      case 'sum':
        return this.#send({
          type: 'sum',
          ask: message.ask,
          ...this.#ledger.moving,
          ...(message.each && { each: this.#ledger.list() }),
        });
      case 'rate':
        this.#asked.get(message.ask)?.(message.isAllowed);
        this.#asked.delete(message.ask);
        return;
      case 'cut':
        return this.cut();
    }
  }

  /** Breaks off what has not ended: what was sent is delivered, within a time limit. */
  cut(): void {
    for (const service of this.#services.values()) service.close();
    this.#stopping.abort();
    for (const entry of this.#ledger.open) entry.breakOff?.();
  }

  /**
   * The accepting process has prepared the services without an error, so an error here means that a file has
   * changed since.
   */
  async #serve(): Promise<void> {
    try {
      const services = await this.#prepare(this.#host);
      for (const service of this.#services.values()) service.close();
      this.#services = new Map(
        Array.from(nameListeners(services), ([key, service]) => [key, this.#share(key, service)]),
      );
    } catch (error) {
      this.#host.fail((error as { subject?: string }).subject ?? 'worker', error);
    }
    this.#send({ type: 'ready' });
  }

  /** A client's connection rate is counted in the process that knows all connections. */
  #share(key: string, service: Service): Service {
    if (!service.rate) return service;
    const takeRate = (client: string) => {
      const ask = ++this.#lastAsk;
      const { promise, resolve } = Promise.withResolvers<boolean>();
      this.#asked.set(ask, resolve);
      this.#send({ type: 'rate', ask, key, client });
      return promise;
    };
    return { ...service, takeRate };
  }

  #take({ id, key, address }: Extract<ToWorker, { type: 'client' }>, handle: DetachedHandle): void {
    this.#send({ type: 'taken', id });
    const client = adoptDetached(handle);
    const service = this.#services.get(key);
    this.#ledger.nextId = id;
    if (service) return void serveClient(client, address, service, this.#host);
    client.on('error', () => undefined).destroy();
    this.#send({ type: 'ended', id, sentBytes: 0, receivedBytes: 0, failed: true });
  }
}
