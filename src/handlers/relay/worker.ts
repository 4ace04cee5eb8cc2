import { adoptDetached, type DetachedHandle } from '../../net/hand-over.ts';
import { cutConnection, serveClient } from './connection.ts';
import type { ProxyHost } from './host.ts';
import { Ledger, type Carried, type OpenConnection } from '../../serve/ledger.ts';
import { OwnAddresses } from '../../serve/own-addresses.ts';
import type { Pair } from './pair.ts';
import { preparePlan, type Plan } from './plan.ts';
import { nameListeners } from './proxy.ts';
import { LoopWatch } from './targets/rules.ts';
import type { FromWorker, ToWorker } from '../../serve/workers/messages.ts';

type Send = (message: FromWorker) => void;

/** Counts as the process that accepts does, and tells it. */
class WorkerLedger extends Ledger {
  readonly #send: Send;
  /** The number that the next connection has been given. */
  nextId = 0;

  constructor(send: Send) {
    super();
    this.#send = send;
  }

  override enter(remote: string): OpenConnection {
    return super.enter(remote, this.nextId);
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
export class ProxyWorker {
  readonly #send: Send;
  readonly #read: () => Promise<Pair[]>;
  readonly #ledger: WorkerLedger;
  readonly #stopping = new AbortController();
  readonly #host: ProxyHost;
  readonly #own: OwnAddresses;
  #plans = new Map<string, Plan>();
  readonly #asked = new Map<number, (isAllowed: boolean) => void>();
  #lastAsk = 0;

  /** @param read reads the pairs, at the start and each time anew */
  constructor(
    host: Omit<ProxyHost, 'ledger' | 'signal' | 'own' | 'loops'>,
    read: () => Promise<Pair[]>,
    send: Send,
  ) {
    this.#send = send;
    this.#read = read;
    this.#ledger = new WorkerLedger(send);
    this.#own = new OwnAddresses(host.family);
    const loops = new LoopWatch(this.#own);
    this.#host = { ...host, own: this.#own, loops, ledger: this.#ledger, signal: this.#stopping.signal };
  }

  receive(message: ToWorker, handle: DetachedHandle | undefined): void {
    switch (message.type) {
      case 'serve':
        return void this.#serve();
      case 'own':
        return this.#own.replace(message.addresses);
      case 'reload-access':
        for (const { access } of this.#plans.values()) void access?.reload().catch(() => undefined);
        return;
      case 'client':
        if (handle) this.#take(message, handle);
        return;
      case 'sum': {
        const total = { sentBytes: 0, receivedBytes: 0 };
        for (const { relay } of this.#ledger.open) {
          total.sentBytes += relay?.down.bytes ?? 0;
          total.receivedBytes += relay?.up.bytes ?? 0;
        }
        return this.#send({ type: 'sum', ask: message.ask, ...total });
      }
      case 'rate':
        this.#asked.get(message.ask)?.(message.isAllowed);
        this.#asked.delete(message.ask);
        return;
      case 'cut':
        return this.cut();
    }
  }

  /** Breaks off what has not ended: what was sent is delivered, within a bound. */
  cut(): void {
    for (const plan of this.#plans.values()) plan.close();
    this.#stopping.abort();
    for (const entry of this.#ledger.open) cutConnection(entry);
  }

  /** The process that accepts has read the pairs without a fault, so a fault here means that a file has changed since. */
  async #serve(): Promise<void> {
    try {
      const pairs = await this.#read();
      const streams = pairs.filter(({ listen }) => listen.kind !== 'udp');
      const plans = await Promise.all(streams.map((pair) => preparePlan(pair, this.#host)));
      for (const plan of this.#plans.values()) plan.close();
      this.#plans = new Map(Array.from(nameListeners(plans), ([key, plan]) => [key, this.#share(key, plan)]));
    } catch (error) {
      this.#host.fail((error as { subject?: string }).subject ?? 'worker', error);
    }
    this.#send({ type: 'ready' });
  }

  /** How often a client may connect is counted where all connections are known. */
  #share(key: string, plan: Plan): Plan {
    if (!plan.rate) return plan;
    const takeRate = (client: string) => {
      const ask = ++this.#lastAsk;
      const { promise, resolve } = Promise.withResolvers<boolean>();
      this.#asked.set(ask, resolve);
      this.#send({ type: 'rate', ask, key, client });
      return promise;
    };
    return { ...plan, takeRate };
  }

  #take({ id, key, address }: Extract<ToWorker, { type: 'client' }>, handle: DetachedHandle): void {
    this.#send({ type: 'taken', id });
    const client = adoptDetached(handle);
    const plan = this.#plans.get(key);
    this.#ledger.nextId = id;
    if (plan) return void serveClient(client, address, plan, this.#host);
    client.on('error', () => undefined).destroy();
    this.#send({ type: 'ended', id, sentBytes: 0, receivedBytes: 0, failed: true });
  }
}
