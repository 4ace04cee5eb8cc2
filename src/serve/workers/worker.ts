import { type Carried, Ledger, type OpenConnection } from '../ledger.ts';
import { ThrowawayCertificates } from '../throwaway-certificates.ts';
import { adoptDetached, type DetachedHandle } from '../../net/hand-over.ts';
import { nameListeners } from '../listeners.ts';
import { OwnAddresses } from '../own-addresses.ts';
import { serveClient } from '../serve-client.ts';
import type { ServeHost, Service } from '../service.ts';
import type { FromWorker, ToWorker } from './messages.ts';

/** What is different about a worker of one kind of server. */
export interface WorkerKind {
  /**
   * Makes the services ready, at the start and at each change. One that it gave before and gives again goes on.
   *
   * @param state what the accepting process says is to be served; undefined: it says nothing
   */
  readonly prepare: (host: ServeHost, state: unknown) => Promise<readonly Service[]>;
  /** Answers what the accepting process asks. Default: undefined. */
  readonly answer?: (question: unknown) => unknown;
  /** Takes what the accepting process says. Default: nothing is done. */
  readonly hear?: (told: unknown) => void;
}

type Send = (message: FromWorker) => void;

/** Numbers connections as the accepting process does, and reports to it. */
class WorkerLedger extends Ledger {
  readonly #send: Send;
  /** The number assigned to the next connection. */
  nextId = 0;
  /** The open connections by their numbers. */
  readonly byId = new Map<number, OpenConnection>();

  constructor(send: Send) {
    super();
    this.#send = send;
  }

  override enter(remote: string, service?: string): OpenConnection {
    const entry = super.enter(remote, service, this.nextId);
    this.byId.set(entry.id, entry);
    return entry;
  }

  override leave(entry: OpenConnection, carried: Carried): void {
    super.leave(entry, carried);
    this.byId.delete(entry.id);
    this.#send({ type: 'ended', id: entry.id, ...carried });
  }

  override refuse(reason: string): void {
    this.#send({ type: 'refused', reason });
  }
}

/** Serves the clients that another process accepts. */
export class ServeWorker {
  readonly #send: Send;
  readonly #kind: WorkerKind;
  readonly #ledger: WorkerLedger;
  readonly #stopping = new AbortController();
  #host: ServeHost;
  readonly #own: OwnAddresses;
  readonly #certificates: ThrowawayCertificates;
  #services = new Map<string, Service>();
  /** As they were prepared. */
  #prepared: readonly Service[] = [];
  /** Changes, and answers to questions about what they have made, one after the other. */
  #changing: Promise<void> = Promise.resolve();
  readonly #asked = new Map<number, (isAllowed: boolean) => void>();
  #lastAsk = 0;

  constructor(
    host: Omit<ServeHost, 'ledger' | 'signal' | 'own' | 'certificates'>,
    kind: WorkerKind,
    send: Send,
  ) {
    this.#send = send;
    this.#kind = kind;
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
        return this.#inTurn(() => this.#serve(message));
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
      case 'ask': {
        const { ask, question } = message;
        return this.#inTurn(() => this.#send({ type: 'answer', ask, answer: this.#answer(question) }));
      }
      case 'tell':
        return this.#kind.hear?.(message.told);
      case 'break-off':
        return this.#ledger.byId.get(message.id)?.breakOff?.();
      case 'cut':
        return this.cut();
    }
  }

  /** Says something to the accepting process that only the kind of server knows. */
  tell(told: unknown): void {
    this.#send({ type: 'tell', told });
  }

  #inTurn(work: () => Promise<void> | void): void {
    this.#changing = this.#changing.then(work);
  }

  #answer(question: unknown): unknown {
    try {
      return this.#kind.answer?.(question);
    } catch (error) {
      this.#host.fail('worker', error);
      return undefined;
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
  async #serve({
    change,
    certificates,
    nonceKey,
    state,
  }: Extract<ToWorker, { type: 'serve' }>): Promise<void> {
    this.#certificates.take(certificates);
    this.#host = { ...this.#host, nonceKey: Buffer.from(nonceKey, 'base64') };
    try {
      const services = await this.#kind.prepare(this.#host, state);
      for (const service of this.#prepared) if (!services.includes(service)) service.close();
      this.#prepared = services;
      this.#services = new Map(
        Array.from(nameListeners(services), ([key, service]) => [key, this.#share(key, service)]),
      );
    } catch (error) {
      this.#host.fail((error as { subject?: string }).subject ?? 'worker', error);
    }
    this.#send({ type: 'ready', change });
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
