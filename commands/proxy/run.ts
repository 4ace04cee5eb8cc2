import type { Endpoint } from '../../src/address/endpoint.ts';
import type { Dispatcher } from '../../src/serve/workers/dispatcher.ts';
import { DispatchLedger } from '../../src/serve/workers/ledger.ts';
import type { ProxyHost } from '../../src/handlers/relay/host.ts';
import { Ledger } from '../../src/serve/ledger.ts';
import type { Pair } from '../../src/handlers/relay/pair.ts';
import { OwnAddresses } from '../../src/serve/own-addresses.ts';
import { prepareRelays } from '../../src/handlers/relay/prepare.ts';
import type { RelayService } from '../../src/handlers/relay/service.ts';
import { checkBoundLoops } from '../../src/handlers/relay/targets/bound-loops.ts';
import { Listeners } from '../../src/serve/listeners.ts';
import { ThrowawayCertificates } from '../../src/serve/throwaway-certificates.ts';
import { ServeError } from '../../src/serve/serve-error.ts';
import { LoopWatch } from '../../src/handlers/relay/targets/rules.ts';
import type { Context } from '../context.ts';
import { announceReady, checkReadyFlags } from '../ready.ts';
import { startLive } from '../options/live.ts';
import { startMetrics } from '../options/metrics.ts';
import type { ProxyOptions } from './options.ts';
import type { ProxyViews } from './views.ts';
import { elapsedMs } from '../server-run.ts';
import { readFamily } from '../options/server-address.ts';
import { catchInterruption, onHangup, type Interruption } from '../signals.ts';
import { exitCodes } from '../../src/exit-codes.ts';

/** How long connections that are broken off may take to be gone. */
const cutMs = 800;

/** How often a draining proxy looks whether its last connection is gone. */
const drainLookMs = 20;

/**
 * The life of `tnet proxy`: SIGHUP reloads, SIGUSR1 prints the totals, SIGTERM stops accepting and lets connections
 * go on for the drain limit, as SIGHUP does when there is nothing to reload; SIGINT does not wait. What has not ended by
 * then is cut: reset, said and counted as failed. A second signal ends the process. Signals are answered from the
 * beginning, before any address is bound.
 */
export class ProxyRun {
  readonly #context: Context;
  readonly #options: ProxyOptions;
  readonly #views: ProxyViews;
  readonly #startedAt = performance.now();
  readonly #ledger: Ledger;
  readonly #stopping = new AbortController();
  readonly #host: ProxyHost;
  readonly #own: OwnAddresses;
  readonly #certificates: ThrowawayCertificates;
  readonly #listeners: Listeners<RelayService>;
  readonly #interruption: Interruption;
  /** Binding under way: what it has bound by the end is for #end to close. */
  #binding: Promise<void> = Promise.resolve();
  /** Whether new clients are accepted. */
  #isReady = false;
  /** Runs reloads one after the other, and after the start. */
  #reloading: Promise<void> = Promise.resolve();
  /** What ends the reloads. */
  readonly #reloads: (() => void)[] = [];
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
    this.#own = new OwnAddresses(readFamily(options));
    this.#certificates = new ThrowawayCertificates((fingerprint) =>
      reporter.emit({ event: 'throwaway-certificate', fingerprint }),
    );
    this.#host = {
      own: this.#own,
      certificates: this.#certificates,
      loops: new LoopWatch(this.#own),
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
    this.#listeners = new Listeners<RelayService>(this.#host, (bound) =>
      checkBoundLoops(bound, this.#host.family),
    );
    this.#interruption = this.#watch();
  }

  /** Binds and serves. A failure is reported, and sets the exit status. */
  async start(pairs: readonly Pair[], metrics?: Endpoint): Promise<void> {
    const { signal } = this.#interruption;
    let started = (): void => undefined;
    this.#reloading = new Promise((resolve) => (started = resolve));
    try {
      checkReadyFlags(this.#options);
      const services = await prepareRelays(pairs, this.#host);
      if (!signal.aborted && this.#options.workers !== undefined)
        await this.#startWorkers(this.#options.workers);
      if (!signal.aborted && metrics) await this.#serveMetrics(metrics);
      if (signal.aborted) {
        for (const service of services) service.close();
        return;
      }
      if (this.#options.config === undefined && services.some(({ access }) => access))
        this.#reloadAccessOnHangup();
      this.#binding = this.#listeners.serve(services, signal);
      await this.#binding;
      this.#becomeReady();
    } catch (error) {
      if (!signal.aborted) await this.#abandon();
      this.#release();
      this.#dispatcher?.close();
      // What was under way when a signal came has failed because of it.
      if (!signal.aborted) this.#fail(error);
      return;
    } finally {
      started();
    }
    if (this.#options.live) await this.#show(`tnet proxy ${this.#listeners.addresses.join(' ')}`, signal);
  }

  /** Replays a recording as clients. Status 1 when a server did not do what it did in the recording. */
  async replay(pair: Pair, metrics?: Endpoint): Promise<void> {
    const { signal } = this.#interruption;
    try {
      if (metrics) await this.#serveMetrics(metrics);
      this.#isReady = true;
      if (this.#options.live) await this.#show(`tnet proxy --replay ${pair.values.replay ?? ''}`, signal);
      const { replayClients } = await import('../../src/handlers/relay/replay/clients.ts');
      const isSame = await replayClients(pair, this.#host, signal);
      if (signal.aborted) return;
      this.#context.exit(isSame ? exitCodes.ok : exitCodes.failed);
      await this.#close();
    } catch (error) {
      this.#release();
      this.#fail(error);
    }
  }

  /** Answers signals from now on. */
  #watch(): Interruption {
    const tell = () => void this.#reportTotals();
    process.on('SIGUSR1', tell);
    this.#releases.push(() => process.off('SIGUSR1', tell));
    const interruption = catchInterruption();
    interruption.signal.addEventListener(
      'abort',
      () => void this.#end(interruption.status ?? exitCodes.sigterm),
    );
    this.#releases.push(() => interruption[Symbol.dispose]());
    return interruption;
  }

  async #startWorkers(count: number): Promise<void> {
    const ledger = this.#ledger;
    if (!(ledger instanceof DispatchLedger)) return;
    const [{ Dispatcher }, { startWorker }] = await Promise.all([
      import('../../src/serve/workers/dispatcher.ts'),
      import('./workers.ts'),
    ]);
    if (this.#interruption.signal.aborted) return;
    this.#dispatcher = new Dispatcher({
      count,
      start: startWorker,
      ledger,
      emit: (event) => this.#context.reporter.emit(event),
      takeRate: (key, client) => this.#listeners.takeRate(key, client),
      own: () => this.#own.list,
      certificates: () => this.#certificates.list,
    });
    this.#own.onChange = (addresses) => this.#dispatcher?.broadcast({ type: 'own', addresses });
    await this.#dispatcher.start();
  }

  async #serveMetrics(endpoint: Endpoint): Promise<void> {
    const served = await startMetrics(this.#context, endpoint, this.#interruption.signal, {
      server: 'proxy',
      sum: () => this.#ledger.sum(),
      refresh: () => this.#dispatcher?.refresh(),
      isReady: () => this.#isReady,
    });
    if (!served) return;
    this.#own.add(served.address);
    this.#releases.push(served.close);
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

  /** Reads the access lists again at every SIGHUP. */
  #reloadAccessOnHangup(): void {
    const reload = async () => {
      try {
        const counts = await this.#listeners.reloadAccess();
        this.#dispatcher?.broadcast({ type: 'reload-access' });
        this.#context.reporter.emit({ event: 'access-reloaded', ...counts });
      } catch (error) {
        this.#report(error);
      }
    };
    this.#onHangup(reload);
  }

  /** Takes the pairs anew at every SIGHUP; a mistake is reported, and all stays as it is. */
  reloadOnHangup(file: string, read: () => Promise<Pair[]>): void {
    let waiting = new AbortController();
    const reload = async () => {
      waiting = new AbortController();
      const signal = AbortSignal.any([this.#interruption.signal, waiting.signal]);
      try {
        const pairs = await read();
        const services = await prepareRelays(pairs, this.#host);
        // The workers first: a client that is accepted under the new pairs comes after them.
        await this.#dispatcher?.reload();
        // They have the new pairs by now, and must not be without clients' old ones for long: no address is waited for.
        await this.#listeners.serve(services, this.#dispatcher ? undefined : signal);
        this.#context.reporter.emit({ event: 'reloaded', file, pairs: pairs.length });
      } catch (error) {
        if (!this.#interruption.signal.aborted) this.#report(error);
      }
    };
    // One that waits for an address would keep out the next, which may be without it.
    this.#onHangup(reload, () => waiting.abort());
  }

  #becomeReady(): void {
    // A signal may have come meanwhile, and nothing be bound any more.
    if (this.#interruption.signal.aborted) return;
    announceReady(this.#listeners.addresses, this.#options);
    this.#isReady = true;
  }

  /** Gives up what has been bound, with the clients that have come since. */
  async #abandon(): Promise<void> {
    await this.#listeners.stop();
    this.#stopping.abort();
    this.#listeners.cut();
  }

  async #end(status: number): Promise<void> {
    this.#context.exit(status);
    this.#isReady = false;
    for (const stop of this.#reloads.splice(0)) stop();
    await Promise.allSettled([this.#reloading, this.#binding]);
    // A client that a lane has accepted, and not told yet, is one of those that are served to the end.
    await this.#listeners.stop();
    const limitMs = status === exitCodes.sigint ? 0 : this.#options.drain;
    const { open } = this.#ledger;
    if (open.size > 0 && limitMs > 0) {
      this.#context.reporter.emit({ event: 'draining', open: open.size, limitMs });
      await this.#waitUntilIdle(limitMs);
    }
    const { unended } = this.#ledger;
    this.#stopping.abort();
    if (unended > 0) this.#context.reporter.emit({ event: 'cut', connections: unended });
    this.#listeners.cut();
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

  #onHangup(reload: () => Promise<void>, giveUp?: () => void): void {
    const stop = onHangup(() => {
      giveUp?.();
      this.#reloading = this.#reloading.then(reload);
    });
    this.#reloads.push(stop);
  }

  #release(): void {
    for (const release of [...this.#releases, ...this.#reloads]) release();
  }
}
