import { formatEndpoint } from '../../address/endpoint.ts';
import type { TnetError } from '../../errors.ts';
import { cutConnection } from './connection.ts';
import type { DatagramListener } from './datagrams/listener.ts';
import type { ProxyHost } from './host.ts';
import { Listener } from './listener.ts';
import { checkLoops } from './targets/loop-check.ts';
import { parseBound } from '../../serve/own-addresses.ts';
import type { Pair } from './pair.ts';
import { preparePlan, type Plan } from './plan.ts';

/** An address that could not be bound. `cause` is the system's error or a TnetError. */
export class ServeError extends Error {
  readonly subject: string;

  constructor(subject: string, cause: unknown) {
    super(`cannot listen on ${subject}`, { cause });
    this.subject = subject;
  }
}

/** A listener of streams or of datagrams. */
type AnyListener = Listener | DatagramListener;

/** A set of pairs being served, which can be replaced by another one while it runs. */
export class Proxy {
  readonly #host: ProxyHost;
  #listeners = new Map<string, AnyListener>();

  constructor(host: ProxyHost) {
    this.#host = host;
  }

  /** What has been bound, in the order of the pairs. */
  get addresses(): string[] {
    return [...this.#listeners.values()].map(({ address }) => address);
  }

  /**
   * Makes pairs ready to be served: files are read and names looked up, and no socket is opened.
   *
   * @throws as preparePlan() does, or TnetError TNET_E_LOOP
   */
  async prepare(pairs: readonly Pair[]): Promise<Plan[]> {
    checkLoops(pairs, this.#host.family);
    return Promise.all(pairs.map((pair) => preparePlan(pair, this.#host)));
  }

  /**
   * Serves these pairs from now on. An address that is served already stays bound and takes its new settings for its
   * next clients; one that is no longer named is closed, and its connections go on. When one cannot be bound, all
   * stays as it was.
   *
   * @throws ServeError
   */
  async serve(plans: readonly Plan[]): Promise<void> {
    const wanted = nameListeners(plans);
    const opened = new Map<string, AnyListener>();
    try {
      for (const [key, plan] of wanted) {
        if (!this.#listeners.has(key)) opened.set(key, await this.#open(plan, key));
      }
      this.#checkBound(wanted, opened);
    } catch (error) {
      for (const listener of opened.values()) void this.#close(listener);
      for (const plan of plans) plan.close();
      throw error;
    }
    for (const listener of opened.values()) {
      this.#host.emit({ event: 'listening', address: listener.address });
      if (listener instanceof Listener) listener.announceLane();
    }
    const next = new Map<string, AnyListener>();
    for (const [key, plan] of wanted) {
      const kept = this.#listeners.get(key);
      kept?.replacePlan(plan);
      const listener = kept ?? opened.get(key);
      if (listener) next.set(key, listener);
    }
    for (const [key, listener] of this.#listeners) if (!next.has(key)) void this.#close(listener);
    this.#listeners = next;
  }

  async #open(plan: Plan, key: string): Promise<AnyListener> {
    try {
      const listener = await this.#bind(plan, key);
      // In the turn in which it was bound: no client has come yet.
      this.#host.own?.add(listener.address);
      return listener;
    } catch (error) {
      throw new ServeError(formatEndpoint(plan.pair.listen), error);
    }
  }

  async #bind(plan: Plan, key: string): Promise<AnyListener> {
    if (plan.pair.listen.kind !== 'udp') return Listener.open(plan, this.#host, key);
    const { DatagramListener } = await import('./datagrams/listener.ts');
    return DatagramListener.open(plan, this.#host);
  }

  async #close(listener: AnyListener): Promise<void> {
    const closed = listener.close();
    this.#host.own?.remove(listener.address);
    await closed;
  }

  /** What the pairs' own words do not say: the ports that the system has chosen, and what passed descriptors are. */
  #checkBound(wanted: ReadonlyMap<string, Plan>, opened: ReadonlyMap<string, AnyListener>): void {
    const legs = Array.from(wanted, ([key, { pair }]) => {
      const listener = opened.get(key) ?? this.#listeners.get(key);
      return { ...pair, listen: listener ? parseBound(listener.address) : pair.listen };
    });
    try {
      checkLoops(legs, this.#host.family);
    } catch (error) {
      throw new ServeError((error as TnetError).subject ?? '', error);
    }
  }

  /** Counts a connection of a client that a PROXY header named in another process; false: one too many. */
  takeRate(key: string, client: string): boolean {
    const listener = this.#listeners.get(key);
    return listener instanceof Listener ? listener.takeRate(client) : true;
  }

  /**
   * Reads the access lists again; who has been let in stays.
   *
   * @returns how many entries are in force now
   * @throws TnetError TNET_E_ACCESS; the old lists of that pair stay in force
   */
  async reloadAccess(): Promise<{ allowed: number; denied: number }> {
    const lists = await Promise.all([...this.#listeners.values()].map((listener) => listener.reloadAccess()));
    const sum = (count: 'allowed' | 'denied') => lists.reduce((total, one) => total + (one?.[count] ?? 0), 0);
    return { allowed: sum('allowed'), denied: sum('denied') };
  }

  /** Stops accepting. Connections go on. Settles when all that were accepted are in the ledger. */
  async stop(): Promise<void> {
    const listeners = [...this.#listeners.values()];
    this.#listeners.clear();
    await Promise.all(listeners.map((listener) => this.#close(listener)));
  }

  /** Breaks off what has not ended: what was sent is delivered, within a bound. */
  cut(): void {
    for (const entry of this.#host.ledger.open) cutConnection(entry);
  }
}

/** A name for each pair's listener that stays the same over a reload. Port 0 may be named several times. */
export function nameListeners(plans: readonly Plan[]): Map<string, Plan> {
  const named = new Map<string, Plan>();
  for (const plan of plans) {
    const address = formatEndpoint(plan.pair.listen);
    let key = address;
    for (let nth = 2; named.has(key); nth++) key = `${address} ${nth}`;
    named.set(key, plan);
  }
  return named;
}
