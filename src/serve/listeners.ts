import { formatEndpoint, hasHost, isUnixKind, type Endpoint } from '../address/endpoint.ts';
import { Listener } from './listener.ts';
import { ServeError, type BoundListener, type LoneEnding, type ServeHost, type Service } from './service.ts';
import { setTimeout as delay } from 'node:timers/promises';
import { errorCode } from '../errors.ts';

/** Judges what has been bound, each as it is reported, before any client is served there. @throws ServeError */
export type CheckBound<S extends Service> = (bound: ReadonlyMap<S, string>) => void;

/** Binds an address of a kind on which clients are not accepted as sockets. @throws the system's error, TnetError */
type OpenListener = (service: Service, host: ServeHost) => Promise<BoundListener>;

/** An end that is its own one client. */
const openLone = async (): Promise<OpenListener> => {
  const { LoneListener } = await import('./lone-listener.ts');
  return (service, host) => LoneListener.open(service, host);
};

/** How those kinds are bound; loaded when an address of the kind is used. */
const otherListeners: Readonly<Partial<Record<Endpoint['kind'], () => Promise<OpenListener>>>> = {
  exec: openLone,
  pty: openLone,
  file: openLone,
  serial: openLone,
  stdio: openLone,
  udp: openDatagrams,
  'unix-dgram': openDatagrams,
};

async function openDatagrams(): Promise<OpenListener> {
  const { DatagramListener } = await import('./datagram-listener.ts');
  return (service, host) => DatagramListener.open(service, host);
}

/** A set of services on their listeners, which can be replaced by another one while it runs. */
export class Listeners<S extends Service = Service> {
  readonly #host: ServeHost;
  readonly #checkBound: CheckBound<S>;
  #listeners = new Map<string, BoundListener>();
  /** Which listener each service is offered at. */
  #serving = new Map<S, BoundListener>();
  /** Settles when no client can come any more, and none is served. Undefined: clients may always come. */
  over: Promise<readonly LoneEnding[]> | undefined;

  constructor(host: ServeHost, checkBound: CheckBound<S> = () => undefined) {
    this.#host = host;
    this.#checkBound = checkBound;
  }

  /** What has been bound, in the order of the services. */
  get addresses(): string[] {
    return [...this.#listeners.values()].map(({ address }) => address);
  }

  /** What has been bound for a service; undefined: it is not served. */
  addressOf(service: S): string | undefined {
    return this.#serving.get(service)?.address;
  }

  /**
   * Serves these from now on. An address that is served already stays bound and takes its new settings for its next
   * clients; one that is no longer named is closed, and its connections go on. A service that is served already may be
   * among them, and is not disturbed. When one cannot be bound, all stays as it was. It may wait for an address in use;
   * what is being served stays as it is meanwhile. Settles when the addresses that were given up are free.
   *
   * @param signal aborts the waiting
   * @throws ServeError
   */
  async serve(services: readonly S[], signal?: AbortSignal): Promise<void> {
    const wanted = nameListeners(services);
    const opened = new Map<string, BoundListener>();
    try {
      for (const [key, service] of wanted) {
        if (!this.#listeners.has(key)) opened.set(key, await this.#open(service, key, signal));
      }
      this.#checkBound(
        new Map(
          Array.from(wanted, ([key, service]) => {
            const listener = opened.get(key) ?? this.#listeners.get(key);
            return [service, listener?.address ?? ''];
          }),
        ),
      );
      this.#changeFiles(wanted);
    } catch (error) {
      for (const listener of opened.values()) void this.#close(listener);
      for (const service of services) if (!this.#serving.has(service)) service.close();
      throw error;
    }
    for (const listener of opened.values()) {
      if (!listener.over) this.#host.emit({ event: 'listening', address: listener.address });
      if (listener instanceof Listener) listener.announceLane();
    }
    const next = new Map<string, BoundListener>();
    const serving = new Map<S, BoundListener>();
    for (const [key, service] of wanted) {
      const kept = this.#listeners.get(key);
      if (kept && this.#serving.get(service) !== kept) kept.replaceService(service);
      const listener = kept ?? opened.get(key);
      if (!listener) continue;
      next.set(key, listener);
      serving.set(service, listener);
    }
    const left = [...this.#listeners].filter(([key]) => !next.has(key));
    this.#listeners = next;
    this.#serving = serving;
    const overs = [...next.values()].map(({ over }) => over);
    this.over = overs.every((one) => one !== undefined) ? Promise.all(overs) : undefined;
    const closed = left.map(([, listener]) => this.#close(listener));
    for (const listener of opened.values()) listener.start?.();
    await Promise.all(closed);
  }

  /**
   * Sets mode and owner of the paths that stay bound. When one cannot be changed, all stay as they were. @throws
   * ServeError
   */
  #changeFiles(wanted: ReadonlyMap<string, S>): void {
    const changed: BoundListener[] = [];
    for (const [key, service] of wanted) {
      const kept = this.#listeners.get(key);
      if (!kept?.changeFile) continue;
      try {
        changed.push(kept);
        kept.changeFile(service);
      } catch (error) {
        for (const listener of changed) listener.changeFile?.();
        throw new ServeError(kept.address, error);
      }
    }
  }

  async #open(service: Service, key: string, signal: AbortSignal | undefined): Promise<BoundListener> {
    const { emit } = this.#host;
    const address = formatEndpoint(service.listen);
    const onRetry = (delayMs: number) => emit({ event: 'bind-retry', address, delayMs });
    const bind = () => this.#bind(service, key);
    try {
      const isPatient = signal && service.binding.retry;
      const listener = await (isPatient ? retryBind(bind, { signal, onRetry }) : bind());
      // In the turn in which it was bound: no client has arrived yet.
      this.#host.own?.add(listener.address);
      return listener;
    } catch (error) {
      throw new ServeError(address, await explain(error, service));
    }
  }

  async #bind(service: Service, key: string): Promise<BoundListener> {
    if (service.bind) return service.bind(service, this.#host);
    const open = await otherListeners[service.listen.kind]?.();
    return open ? open(service, this.#host) : Listener.open(service, this.#host, key);
  }

  async #close(listener: BoundListener, how?: Parameters<BoundListener['close']>[0]): Promise<void> {
    const closed = listener.close(how);
    this.#host.own?.remove(listener.address);
    await closed;
  }

  /** Counts a connection of a client named by a PROXY header in another process; false: one too many. */
  takeRate(key: string, client: string): boolean {
    const listener = this.#listeners.get(key);
    return listener instanceof Listener ? listener.takeRate(client) : true;
  }

  /**
   * Reads the access lists again; clients already admitted stay.
   *
   * @returns how many entries are in force now
   * @throws TnetError TNET_E_ACCESS; the old lists of that listener stay in force
   */
  async reloadAccess(): Promise<{ allowed: number; denied: number }> {
    const lists = await Promise.all([...this.#listeners.values()].map((listener) => listener.reloadAccess()));
    const sum = (count: 'allowed' | 'denied') => lists.reduce((total, one) => total + (one?.[count] ?? 0), 0);
    return { allowed: sum('allowed'), denied: sum('denied') };
  }

  /**
   * Stops accepting. Connections go on. Settles when all that were accepted are in the ledger.
   *
   * @param how see BoundListener
   */
  async stop(how?: Parameters<BoundListener['close']>[0]): Promise<void> {
    const listeners = [...this.#listeners.values()];
    this.#listeners.clear();
    this.#serving.clear();
    await Promise.all(listeners.map((listener) => this.#close(listener, how)));
  }

  /** Breaks off what has not ended: what was sent is delivered, within a time limit. */
  cut(): void {
    for (const entry of this.#host.ledger.open) entry.breakOff?.();
  }
}

/**
 * A name for each service's listener that stays the same over a reload. Port 0 may occur several times: with the names of
 * the services, each keeps its port when another one is gone.
 */
export function nameListeners<S extends Service>(services: readonly S[]): Map<string, S> {
  const named = new Map<string, S>();
  for (const service of services) {
    const { listen, name } = service;
    const isAnyPort = 'port' in listen && listen.port === 0;
    const address =
      isAnyPort && name !== undefined ? `${formatEndpoint(listen)} ${name}` : formatEndpoint(listen);
    let key = address;
    for (let nth = 2; named.has(key); nth++) key = `${address} ${nth}`;
    named.set(key, service);
  }
  return named;
}

/** How long an address in use is left alone before the next try. Source: net.Server, 'error', of Node 0.x. */
const retryMs = 1_000;

export interface RetryOptions {
  /** Gives up when it aborts. */
  readonly signal: AbortSignal;
  /** Called before each wait. */
  readonly onRetry: (delayMs: number) => void;
}

/**
 * Binds, and tries again while the address is in use.
 *
 * @throws what `bind` throws for another reason, or what it threw last when the signal aborts
 */
export async function retryBind<Bound>(
  bind: () => Promise<Bound>,
  { signal, onRetry }: RetryOptions,
): Promise<Bound> {
  for (;;) {
    try {
      return await bind();
    } catch (error) {
      if (!isInUse(error) || signal.aborted) throw error;
      onRetry(retryMs);
      try {
        await delay(retryMs, undefined, { signal });
      } catch {
        throw error;
      }
    }
  }
}

/** Adds to a bind failure which process has the address, and what to do. */
async function explain(error: unknown, { listen, binding }: Service): Promise<unknown> {
  const { explainBind } = await import('../net/own-side.ts');
  const advice = binding.retry ? '' : '; --retry-bind waits until it is free';
  if (isUnixKind(listen)) return explainBind(error, { kind: 'unix', path: listen.path }, advice);
  if (!hasHost(listen)) return error;
  return explainBind(error, { kind: listen.kind === 'udp' ? 'udp' : 'tcp', port: listen.port }, advice);
}

function isInUse(error: unknown): boolean {
  return ['EADDRINUSE', 'TNET_E_PATH_IN_USE'].includes(errorCode(error) ?? '');
}
