import type { Endpoint } from '../src/address/endpoint.ts';
import { errorCode } from '../src/errors.ts';
import { exitCodes } from '../src/exit-codes.ts';
import { tellLanes } from '../src/flow/express-lane.ts';
import { elapsedMs } from '../src/quantities.ts';
import type { LiveNames } from '../src/report/live-table.ts';
import { Ledger } from '../src/serve/ledger.ts';
import { Listeners, type CheckBound } from '../src/serve/listeners.ts';
import { OwnAddresses } from '../src/serve/own-addresses.ts';
import { ServeError, type LoneEnding, type ServeHost, type Service } from '../src/serve/service.ts';
import type { Dispatcher } from '../src/serve/workers/dispatcher.ts';
import { ThrowawayCertificates } from '../src/serve/throwaway-certificates.ts';
import { subjectOf, type Context } from './context.ts';
import { exitStatus } from './output.ts';
import { announceReady, checkReadyFlags, type ReadyFlags } from './ready.ts';
import type { ServiceManager } from './notify.ts';
import type { TableFlags } from './options/row.ts';
import { readFamily, type ServerAddressFlags } from './options/server-address.ts';
import type { live } from './options/table/recording.ts';
import type { draining, processes, serving } from './options/table/serving.ts';
import { catchInterruption, onHangup, type Interruption, type RunLimit } from './signals.ts';

/** How long connections that are broken off may take to be gone. A program has two seconds to end. */
const cutMs = 3_000;

/** The flags of every server about its process. */
export type ServerFlags = ReadyFlags &
  Pick<ServerAddressFlags, 'ipv4' | 'ipv6' | 'numeric'> &
  TableFlags<typeof processes & typeof draining, 'listen'> &
  Partial<Pick<TableFlags<typeof serving & typeof live, 'proxy'>, 'config' | 'live'>>;

/** What decides what is served while the server runs. */
export interface SteeredServing<S extends Service> {
  /**
   * Serves what there is to serve by now, on the run's listeners.
   *
   * @param signal aborts waiting for addresses in use
   * @throws as Listeners.serve() does
   */
  readonly serve: (signal: AbortSignal) => Promise<readonly S[]>;
  /** What has been bound besides, which is announced after the services' addresses. */
  readonly addresses: () => readonly string[];
  /** Changes nothing any more. Settles when the change under way has been made. */
  readonly end: () => Promise<void>;
  /** Takes the workers that serve the clients, if there are any, before they are started. */
  readonly useWorkers: (workers: Dispatcher) => void;
}

/** What is different about one server. */
export interface ServerKind<S extends Service> {
  /** The second word of the metrics' names. */
  readonly name: 'listen' | 'echo' | 'proxy';
  /** Ends the whole run. Default: nothing does. */
  readonly limit?: RunLimit | undefined;
  readonly checkBound?: CheckBound<S>;
  /** The names in a live view. */
  readonly live?: (addresses: readonly string[]) => LiveNames;
  /** Serves, in place of what is prepared for start() or a reload; services may come and go. Default: nothing does. */
  readonly steered?: SteeredServing<S> | undefined;
  /** Ends everything besides connections, before the totals are reported. */
  readonly close?: () => Promise<void>;
}

/** Makes the services ready. */
type Prepare<S extends Service> = (host: ServeHost) => Promise<readonly S[]>;

/**
 * The life of a server process: SIGHUP reloads, SIGUSR1 prints the totals, SIGTERM stops accepting and lets
 * connections go on for the drain limit, as SIGHUP does when there is nothing to reload; SIGINT does not wait. What
 * has not ended by then is cut: reset, reported and counted as failed. A second signal ends the process. Signals
 * are answered from the beginning, before any address is bound.
 */
export class ServerRun<S extends Service = Service> {
  readonly host: ServeHost;
  /** What has been bound, including the metrics' address. */
  readonly own: OwnAddresses;
  readonly interruption: Interruption;
  readonly #context: Context;
  readonly #flags: ServerFlags;
  readonly #kind: ServerKind<S>;
  readonly #startedAt = performance.now();
  readonly #ledger = new Ledger();
  readonly #cutting = new AbortController();
  readonly #stopping = new AbortController();
  readonly #certificates: ThrowawayCertificates;
  readonly listeners: Listeners<S>;
  /** Binding under way: #end has to close what it has bound by then. */
  #binding: Promise<void> = Promise.resolve();
  /** Whether new clients are accepted. */
  #isReady = false;
  /** Runs reloads one after the other, and after the start. */
  #reloading: Promise<void> = Promise.resolve();
  /** What ends the reloads. */
  readonly #reloads: (() => void)[] = [];
  /** What closes what is not a connection. */
  readonly #closers: (() => void)[] = [];
  /** What was reported last. */
  #failure: unknown;
  /** Hands clients to worker processes, if there are any. */
  #dispatcher: Dispatcher | undefined;
  /** Told how the server is doing, where systemd started it. */
  #manager: ServiceManager | undefined;

  constructor(context: Context, flags: ServerFlags, kind: ServerKind<S>) {
    this.#context = context;
    this.#flags = flags;
    this.#kind = kind;
    const { reporter } = context;
    this.own = new OwnAddresses(readFamily(flags));
    this.#certificates = new ThrowawayCertificates((fingerprint) =>
      reporter.emit({ event: 'throwaway-certificate', fingerprint }),
    );
    this.host = {
      own: this.own,
      certificates: this.#certificates,
      ledger: this.#ledger,
      emit: (event) => reporter.emit(event),
      hears: (name) => reporter.hears(name),
      fail: (subject, error, id) => {
        reporter.fail(subject, error, id);
        this.#failure = error;
        // In a server of one client, such an end is the command's.
        if (
          errorCode(error) === 'TNET_E_INTERNAL' &&
          this.stopping.aborted &&
          !this.interruption.signal.aborted
        )
          context.exit(exitCodes.failed);
      },
      signal: this.#cutting.signal,
      family: readFamily(flags),
      numericOnly: flags.numeric,
      handOver:
        flags.workers === undefined ? undefined : (...client) => this.#dispatcher?.handOver(...client),
    };
    this.listeners = new Listeners<S>(this.host, kind.checkBound);
    process.on('SIGUSR1', this.#tellTotals);
    this.interruption = catchInterruption(kind.limit);
    this.interruption.signal.addEventListener('abort', () => void this.#end());
  }

  /** Aborts when accepting is over: stopped, failed or interrupted. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** What has been bound, in the order of the services. */
  get addresses(): readonly string[] {
    return this.listeners.addresses;
  }

  /**
   * Binds and serves. An address that cannot be bound is reported, and sets the exit status.
   *
   * @throws what `prepare` throws, or the error of announcing readiness
   */
  async start(prepare: Prepare<S>, metrics?: Endpoint): Promise<void> {
    const { signal } = this.interruption;
    let started = (): void => undefined;
    this.#reloading = new Promise((resolve) => (started = resolve));
    try {
      checkReadyFlags(this.#flags);
      if (process.env['NOTIFY_SOCKET'] !== undefined) await this.#findManager();
      const { steered } = this.#kind;
      const prepared = steered ? [] : await prepare(this.host);
      if (!signal.aborted && this.#flags.workers !== undefined) await this.#startWorkers(this.#flags.workers);
      if (!signal.aborted && metrics) await this.#serveMetrics(metrics);
      if (signal.aborted) {
        for (const service of prepared) service.close();
        return;
      }
      this.#reloadLists(prepared);
      const bound = steered ? steered.serve(this.stopping) : this.listeners.serve(prepared, this.stopping);
      // Its failure is that of the start.
      this.#binding = Promise.allSettled([bound]).then(() => undefined);
      const services = await bound;
      // A signal may have arrived meanwhile, so that nothing is bound any more.
      if (this.interruption.status !== undefined) return;
      if (services) this.#reloadLists(services);
      else void this.listeners.over?.then((endings) => this.#finish(endings));
      announceReady([...this.addresses, ...(steered?.addresses() ?? [])], this.#flags);
      if (!this.stopping.aborted) this.#manager?.ready();
      this.#isReady = !this.stopping.aborted;
    } catch (error) {
      // What was under way when a signal came, or when it was stopped, has failed because of it.
      if (this.stopping.aborted) return;
      await this.#abandon();
      this.#fail(error);
      return;
    } finally {
      started();
    }
    if (this.#flags.live) await this.#show(this.addresses);
  }

  /** Without a file to reload, SIGHUP reads the lists of services again, if they have any. */
  #reloadLists(services: readonly S[]): void {
    if (this.#flags.config !== undefined) return;
    if (services.some(({ access, reloadLists }) => access ?? reloadLists))
      this.#onHangup(() => this.#reloadAccess());
  }

  /** All clients that there can be have been served: that was the command, and its status is theirs. */
  async #finish(endings: readonly LoneEnding[]): Promise<void> {
    if (this.interruption.signal.aborted) return;
    const { status = exitCodes.ok } = endings.find((one) => one.status !== 0) ?? {};
    if (endings.some(({ isServed }) => !isServed)) this.#context.exit(exitStatus(this.#failure));
    else if (status !== 0) this.#context.exit(status);
    this.#isReady = false;
    this.#stopping.abort();
    await this.listeners.stop();
    await this.#kind.close?.();
    this.#release();
    this.#dispatcher?.close();
  }

  /** Does something instead of serving, which determines the exit status. */
  async work(
    task: (host: ServeHost, signal: AbortSignal) => Promise<number>,
    metrics?: Endpoint,
  ): Promise<void> {
    const { signal } = this.interruption;
    try {
      if (metrics) await this.#serveMetrics(metrics);
      this.#isReady = true;
      if (this.#flags.live) await this.#show([]);
      const status = await task(this.host, signal);
      if (signal.aborted) return;
      this.#context.exit(status);
      await this.#close();
    } catch (error) {
      this.#release();
      this.#fail(error);
    }
  }

  /** Stops accepting; what has been accepted goes on. */
  stop(): void {
    this.#isReady = false;
    this.#stopping.abort();
    void this.#stop();
  }

  async #stop(): Promise<void> {
    // At once: a client that sees what the first one gets must be refused by now. And again for what is bound by
    // then.
    await this.listeners.stop();
    await Promise.allSettled([this.#binding]);
    await this.listeners.stop();
    await this.#ledger.idle();
    this.#manager?.stopping();
    this.#closeRest();
  }

  /** Reloads the services at every SIGHUP; an error is reported, and nothing changes. */
  reloadOnHangup(file: string, prepare: Prepare<S>): void {
    let waiting = new AbortController();
    const reload = async () => {
      waiting = new AbortController();
      const signal = AbortSignal.any([this.interruption.signal, waiting.signal]);
      try {
        const { steered } = this.#kind;
        const services = steered ? await steered.serve(signal) : await prepare(this.host);
        const dispatcher = this.#dispatcher;
        // Accepted clients are kept waiting for the workers: no address is waited for meanwhile.
        if (dispatcher && !steered) await dispatcher.reload(() => this.listeners.serve(services));
        else if (!steered) await this.listeners.serve(services, signal);
        this.#context.reporter.emit({ event: 'reloaded', file, pairs: services.length });
      } catch (error) {
        if (!this.interruption.signal.aborted) this.#report(error);
      }
    };
    // A reload that waits for an address would block the next one, which may not have it.
    this.#onHangup(reload, () => waiting.abort());
  }

  async #findManager(): Promise<void> {
    const { findServiceManager } = await import('./notify.ts');
    this.#manager = findServiceManager((subject, error) => this.#context.reporter.fail(subject, error));
  }

  async #startWorkers(count: number): Promise<void> {
    const [{ Dispatcher }, { startWorker }] = await Promise.all([
      import('../src/serve/workers/dispatcher.ts'),
      import('./workers.ts'),
    ]);
    if (this.interruption.signal.aborted) return;
    this.#dispatcher = new Dispatcher({
      count,
      start: startWorker,
      ledger: this.#ledger,
      emit: this.host.emit,
      takeRate: (key, client) => this.listeners.takeRate(key, client),
      own: () => this.own.list,
      certificates: () => this.#certificates.list,
    });
    this.own.onChange = (addresses) => this.#dispatcher?.broadcast({ type: 'own', addresses });
    this.#kind.steered?.useWorkers(this.#dispatcher);
    await this.#dispatcher.start();
  }

  async #serveMetrics(endpoint: Endpoint): Promise<void> {
    const { startMetrics } = await import('./options/metrics.ts');
    const served = await startMetrics(this.#context, endpoint, this.interruption.signal, {
      server: this.#kind.name,
      sum: () => this.#ledger.sum(),
      refresh: () => this.#refresh(),
      isReady: () => this.#isReady,
    });
    if (!served) return;
    this.own.add(served.address);
    this.#closers.push(served.close);
  }

  /** Shows the connections until the first signal: a second one, which ends the process, must find the terminal as it was. */
  async #show(addresses: readonly string[]): Promise<void> {
    const names = this.#kind.live?.(addresses);
    if (!names) return;
    const { startLive } = await import('./options/metrics.ts');
    const look = () => ({
      totals: this.#ledger.sum(),
      ...(this.#dispatcher?.look() ?? { connections: this.#ledger.list() }),
    });
    const stop = await startLive(this.#context, names, look);
    const { signal } = this.interruption;
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop);
    this.#closers.push(stop);
  }

  async #reloadAccess(): Promise<void> {
    try {
      const counts = await this.listeners.reloadAccess();
      this.#dispatcher?.broadcast({ type: 'reload-access' });
      this.#context.reporter.emit({ event: 'access-reloaded', ...counts });
    } catch (error) {
      this.#report(error);
    }
  }

  /** Gives up what has been bound, with the clients that have arrived since. */
  async #abandon(): Promise<void> {
    this.#isReady = false;
    this.#stopping.abort();
    await this.listeners.stop();
    this.#cutting.abort();
    this.listeners.cut();
    this.#release();
    this.#dispatcher?.close();
  }

  async #end(): Promise<void> {
    const { status = exitCodes.sigterm } = this.interruption;
    this.#context.exit(status);
    this.#isReady = false;
    this.#manager?.stopping();
    this.#stopping.abort();
    for (const stop of this.#reloads.splice(0)) stop();
    await Promise.allSettled([this.#reloading, this.#binding, this.#kind.steered?.end()]);
    const isPatient = status === exitCodes.sigterm || status === exitCodes.sighup;
    const limitMs = isPatient ? (this.#flags.drain ?? 0) : 0;
    // A client that has connected, or that a lane has accepted and not reported yet, is one of those that are served to
    // the end.
    await this.listeners.stop({ takesWaiting: limitMs > 0 });
    const { open } = this.#ledger;
    if (open.size > 0 && limitMs > 0) {
      this.host.emit({ event: 'draining', open: open.size, limitMs });
      await this.#ledger.idle(limitMs);
    }
    const { unended } = this.#ledger;
    this.#cutting.abort();
    if (unended > 0) this.host.emit({ event: 'cut', connections: unended });
    // Before the ledger's entries: the workers are told once, and not of each connection.
    this.#dispatcher?.cut();
    this.listeners.cut();
    await this.#ledger.idle(cutMs);
    await this.#close();
  }

  async #close(): Promise<void> {
    await this.#kind.close?.();
    this.#release();
    await this.#reportTotals();
    this.#dispatcher?.close();
  }

  readonly #tellTotals = () => void this.#reportTotals();

  async #reportTotals(): Promise<void> {
    await this.#refresh();
    this.host.emit({ event: 'totals', ...this.#ledger.sum(), durationMs: elapsedMs(this.#startedAt) });
  }

  /** Brings the ledger up to what connections have done by now. */
  async #refresh(): Promise<void> {
    tellLanes();
    await this.#dispatcher?.refresh();
  }

  #fail(error: unknown): void {
    if (!(error instanceof ServeError)) throw error;
    this.#context.fail(error.subject, error.cause);
  }

  #report(error: unknown): void {
    const { reporter } = this.#context;
    if (error instanceof ServeError) reporter.fail(error.subject, error.cause);
    else reporter.fail(subjectOf(error, this.#flags.config ?? 'access'), error);
  }

  #onHangup(reload: () => Promise<void>, giveUp?: () => void): void {
    const stop = onHangup(() => {
      giveUp?.();
      const manager = this.#manager;
      this.#reloading = this.#reloading.then(manager ? () => manager.reload(reload) : reload);
    });
    this.#reloads.push(stop);
  }

  /** Closes something besides the connections at the end, when they are over. */
  closeLater(close: () => void): void {
    this.#closers.push(close);
  }

  #closeRest(): void {
    for (const close of this.#closers.splice(0)) close();
  }

  /** Closes everything except connections, and restores the system's handling of signals. */
  #release(): void {
    this.#closeRest();
    for (const stop of this.#reloads.splice(0)) stop();
    this.#manager?.stopping();
    process.off('SIGUSR1', this.#tellTotals);
    this.interruption[Symbol.dispose]();
  }
}
