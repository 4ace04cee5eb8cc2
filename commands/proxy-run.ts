import { formatEndpoint, type Endpoint } from '../src/endpoint/endpoint.ts';
import type { Dispatcher } from '../src/proxy/dispatcher.ts';
import { DispatchLedger } from '../src/proxy/dispatch-ledger.ts';
import type { ProxyHost } from '../src/proxy/host.ts';
import { Ledger } from '../src/proxy/ledger.ts';
import type { Pair } from '../src/proxy/pair.ts';
import { Proxy, ServeError } from '../src/proxy/proxy.ts';
import type { Context } from './context.ts';
import { startLive } from './live-options.ts';
import type { ProxyOptions } from './proxy-options.ts';
import type { ProxyViews } from './proxy-views.ts';
import { elapsedMs } from './server-run.ts';
import { readFamily } from './server-address.ts';
import { catchInterruption } from './signals.ts';
import { exitCodes } from '../src/exit-codes.ts';

/** How long connections that are broken off may take to be gone. */
const cutMs = 800;

/** How often a draining proxy looks whether its last connection is gone. */
const drainLookMs = 20;

/**
 * The life of `tnet proxy`: SIGHUP reloads, SIGUSR1 prints the totals, SIGTERM stops accepting and lets connections
 * go on for the drain limit, SIGINT does not. What has not ended by then is cut: reset, said and counted as failed. A second SIGINT or SIGTERM
 * ends the process.
 */
export class ProxyRun {
  readonly #context: Context;
  readonly #options: ProxyOptions;
  readonly #views: ProxyViews;
  readonly #startedAt = performance.now();
  readonly #ledger: Ledger;
  readonly #stopping = new AbortController();
  readonly #host: ProxyHost;
  readonly #proxy: Proxy;
  /** Whether new clients are accepted. */
  #isReady = false;
  /** Runs reloads one after the other. */
  #reloading: Promise<void> = Promise.resolve();
  /** What gives the signals back to the system, and closes what is not a connection. */
  readonly #releases: (() => void)[] = [];
  /** Hands clients to worker processes, where there are such. */
  #dispatcher: Dispatcher | undefined;

  constructor(context: Context, options: ProxyOptions, views: ProxyViews) {
    this.#context = context;
    this.#options = options;
    this.#views = views;
    const { reporter } = context;
    this.#ledger = options.workers === undefined ? new Ledger() : new DispatchLedger();
    this.#host = {
      ledger: this.#ledger,
      emit: (event) => reporter.emit(event),
      fail: (subject, error, id) => reporter.fail(subject, error, id),
      signal: this.#stopping.signal,
      family: readFamily(options),
      numericOnly: options.numeric,
      recordings: views.recordings,
      handOver:
        options.workers === undefined ? undefined : (...client) => this.#dispatcher?.handOver(...client),
    };
    this.#proxy = new Proxy(this.#host);
  }

  /** Binds and serves. A failure is reported, and sets the exit status. */
  async start(pairs: readonly Pair[], metrics?: Endpoint): Promise<void> {
    try {
      const plans = await this.#proxy.prepare(pairs);
      if (this.#options.workers !== undefined) await this.#startWorkers(this.#options.workers);
      if (metrics) await this.#serveMetrics(metrics);
      await this.#proxy.serve(plans);
      this.#isReady = true;
    } catch (error) {
      this.#release();
      this.#dispatcher?.close();
      this.#fail(error);
      return;
    }
    if (this.#options.config === undefined && this.#proxy.hasAccessLists) this.#reloadAccessOnHangup();
    await this.#watch(`tnet proxy ${this.#proxy.addresses.join(' ')}`);
  }

  /** Replays a recording as clients. Status 1 when a server did not do what it did in the recording. */
  async replay(pair: Pair, metrics?: Endpoint): Promise<void> {
    try {
      if (metrics) await this.#serveMetrics(metrics);
      this.#isReady = true;
      const signal = await this.#watch(`tnet proxy --replay ${pair.values.replay ?? ''}`);
      const { replayClients } = await import('../src/proxy/replay-clients.ts');
      const isSame = await replayClients(pair, this.#host, signal);
      if (signal.aborted) return;
      this.#context.exit(isSame ? exitCodes.ok : exitCodes.failed);
      await this.#close();
    } catch (error) {
      this.#release();
      this.#fail(error);
    }
  }

  /** Answers signals from now on, and shows the connections if that is wanted. @returns the first SIGINT or SIGTERM */
  async #watch(title: string): Promise<AbortSignal> {
    this.#on('SIGUSR1', () => void this.#reportTotals());
    const interruption = catchInterruption();
    const { signal } = interruption;
    signal.addEventListener('abort', () => void this.#end(interruption.status ?? exitCodes.sigterm));
    this.#releases.push(() => interruption[Symbol.dispose]());
    if (this.#options.live) await this.#show(title, signal);
    return signal;
  }

  async #startWorkers(count: number): Promise<void> {
    const ledger = this.#ledger;
    if (!(ledger instanceof DispatchLedger)) return;
    const [{ Dispatcher }, { startWorker }] = await Promise.all([
      import('../src/proxy/dispatcher.ts'),
      import('./proxy-workers.ts'),
    ]);
    this.#dispatcher = new Dispatcher({
      count,
      start: startWorker,
      ledger,
      emit: (event) => this.#context.reporter.emit(event),
      takeRate: (key, client) => this.#proxy.takeRate(key, client),
    });
    await this.#dispatcher.start();
  }

  async #serveMetrics(endpoint: Endpoint): Promise<void> {
    const subject = formatEndpoint(endpoint);
    const { serveMetrics } = await import('../src/proxy/metrics-server.ts');
    const options = {
      sum: () => this.#ledger.sum(),
      refresh: () => this.#dispatcher?.refresh(),
      isReady: () => this.#isReady,
    };
    const { server, address } = await serveMetrics(endpoint, options).catch((error: unknown) => {
      throw new ServeError(subject, error);
    });
    this.#releases.push(() => {
      server.close();
      server.closeAllConnections();
    });
    this.#context.reporter.emit({ event: 'metrics', url: `http://${address}/metrics` });
  }

  /** Shows the connections until the first signal: a second one, which ends the process, must find the terminal as it was. */
  async #show(title: string, signal: AbortSignal): Promise<void> {
    const names = {
      title,
      received: 'up',
      sent: 'down',
      remote: 'client',
      target: 'target',
    };
    const look = () => ({ totals: this.#ledger.sum(), connections: this.#ledger.list() });
    const stop = await startLive(this.#context, names, look);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop);
    this.#releases.push(stop);
  }

  /** Reads the access lists again at every SIGHUP; without lists the signal keeps its meaning. */
  #reloadAccessOnHangup(): void {
    const reload = async () => {
      try {
        const counts = await this.#proxy.reloadAccess();
        this.#dispatcher?.broadcast({ type: 'reload-access' });
        this.#context.reporter.emit({ event: 'access-reloaded', ...counts });
      } catch (error) {
        this.#report(error);
      }
    };
    this.#on('SIGHUP', () => {
      this.#reloading = this.#reloading.then(reload);
    });
  }

  /** Takes the pairs anew at every SIGHUP; a mistake is reported, and all stays as it is. */
  reloadOnHangup(file: string, read: () => Promise<Pair[]>): void {
    const reload = async () => {
      try {
        const pairs = await read();
        const plans = await this.#proxy.prepare(pairs);
        // The workers first: a client that is accepted under the new pairs comes after them.
        await this.#dispatcher?.reload();
        await this.#proxy.serve(plans);
        this.#context.reporter.emit({ event: 'reloaded', file, pairs: pairs.length });
      } catch (error) {
        this.#report(error);
      }
    };
    this.#on('SIGHUP', () => {
      this.#reloading = this.#reloading.then(reload);
    });
  }

  async #end(status: number): Promise<void> {
    this.#context.exit(status);
    this.#isReady = false;
    await this.#reloading;
    this.#proxy.stop();
    const limitMs = status === exitCodes.sigterm ? this.#options.drain : 0;
    const { open } = this.#ledger;
    if (open.size > 0 && limitMs > 0) {
      this.#context.reporter.emit({ event: 'draining', open: open.size, limitMs });
      await this.#waitUntilIdle(limitMs);
    }
    const { unended } = this.#ledger;
    this.#stopping.abort();
    if (unended > 0) this.#context.reporter.emit({ event: 'cut', connections: unended });
    this.#proxy.cut();
    this.#dispatcher?.cut();
    await this.#waitUntilIdle(cutMs);
    await this.#close();
  }

  async #close(): Promise<void> {
    await this.#views.close();
    this.#release();
    await this.#reportTotals();
    this.#dispatcher?.close();
  }

  async #waitUntilIdle(limitMs: number): Promise<void> {
    const deadline = performance.now() + limitMs;
    while (this.#ledger.open.size > 0 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, drainLookMs));
    }
  }

  async #reportTotals(): Promise<void> {
    await this.#dispatcher?.refresh();
    const totals = {
      event: 'totals',
      ...this.#ledger.sum(),
      durationMs: elapsedMs(this.#startedAt),
    } as const;
    this.#context.reporter.emit(totals);
  }

  #fail(error: unknown): void {
    if (error instanceof ServeError) this.#context.fail(error.subject, error.cause);
    else throw error;
  }

  #report(error: unknown): void {
    const { reporter } = this.#context;
    if (error instanceof ServeError) reporter.fail(error.subject, error.cause);
    else reporter.fail((error as { subject?: string }).subject ?? this.#options.config ?? '', error);
  }

  #on(signal: NodeJS.Signals, listener: () => void): void {
    process.on(signal, listener);
    this.#releases.push(() => process.off(signal, listener));
  }

  #release(): void {
    for (const release of this.#releases) release();
  }
}
