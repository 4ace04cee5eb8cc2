import { EventEmitter } from 'node:events';
import { TnetError } from '../../src/errors.ts';
import { tellLanes } from '../../src/flow/express-lane.ts';
import { prepareRelays } from '../../src/handlers/relay/prepare.ts';
import type { RelayService } from '../../src/handlers/relay/service.ts';
import { checkBoundLoops } from '../../src/handlers/relay/targets/loop-check.ts';
import { LoopWatch } from '../../src/handlers/relay/targets/rules.ts';
import type { Event } from '../../src/report/events.ts';
import { failureFields } from '../../src/report/sentences.ts';
import { Ledger, type Totals } from '../../src/serve/ledger.ts';
import { Listeners } from '../../src/serve/listeners.ts';
import { OwnAddresses } from '../../src/serve/own-addresses.ts';
import { ServeError, type ServeHost } from '../../src/serve/service.ts';
import { ThrowawayCertificates } from '../../src/serve/throwaway-certificates.ts';
import { roundMs } from '../../src/quantities.ts';
import { readPairSettings } from './config-file.ts';
import type { PairSettings } from './pair-settings.ts';

export type { PairSettings, Event, Totals };

/** One open connection of a proxy. `sentBytes` went to the client, `receivedBytes` came from it. */
export interface ProxiedConnection {
  readonly id: number;
  readonly remote: string;
  /** What it is connected to; undefined until that is decided. */
  readonly target: string | undefined;
  readonly ageMs: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

/** How a proxy is closed. */
export interface CloseOptions {
  /** How long connections may go on, in milliseconds; what has not ended by then is reset. Default 0. */
  readonly drainMs?: number;
}

/** The events of a Proxy: `event` with what `tnet proxy --json` would print. */
export interface ProxyEvents {
  event: [Event];
}

/**
 * A proxy that runs in this process: what `tnet proxy` does, without its signals and its output. Its events are
 * those of `tnet proxy --json` (docs/events.md); a failed connection is an event, and never throws.
 */
export class Proxy extends EventEmitter<ProxyEvents> implements AsyncDisposable {
  readonly #ledger = new Ledger();
  readonly #cutting = new AbortController();
  readonly #host: ServeHost;
  readonly #loops: LoopWatch;
  readonly #listeners: Listeners<RelayService>;
  /** Changes of the pairs, one after the other. */
  #changing: Promise<void> = Promise.resolve();
  #closed: Promise<void> | undefined;

  constructor() {
    super();
    const own = new OwnAddresses();
    const emit = (event: Event) => void this.emit('event', event);
    this.#loops = new LoopWatch(own);
    this.#host = {
      own,
      certificates: new ThrowawayCertificates((fingerprint) =>
        emit({ event: 'throwaway-certificate', fingerprint }),
      ),
      ledger: this.#ledger,
      emit,
      hears: () => this.listenerCount('event') > 0,
      fail: (subject, error, id) =>
        emit({ event: 'error', ...(id !== undefined && { id }), subject, ...failureFields(error) }),
      signal: this.#cutting.signal,
    };
    this.#listeners = new Listeners<RelayService>(this.#host, checkBoundLoops);
  }

  /** What has been bound, in the order of the pairs: `127.0.0.1:40123`, or a path. */
  get addresses(): readonly string[] {
    return this.#listeners.addresses;
  }

  /** The connections that are open now. */
  get connections(): readonly ProxiedConnection[] {
    tellLanes();
    const now = performance.now();
    return this.#ledger.list().map(({ startedAt, ...connection }) => ({
      ...connection,
      ageMs: roundMs(now - startedAt),
    }));
  }

  /** What has been done so far, by all pairs. */
  get totals(): Totals {
    tellLanes();
    return this.#ledger.sum();
  }

  /**
   * Serves these pairs from now on. An address that is served already stays bound: its open connections go on as
   * they are, and its next ones are served by the new settings. When one cannot be read or bound, all stays as it
   * was.
   *
   * @throws TnetError TNET_E_CONFIG, whose subject says which setting; TNET_E_LOOP; or what kept an address from
   *   being bound: the system's error (`EADDRINUSE`, …) or a TnetError
   */
  setPairs(pairs: PairSettings | readonly PairSettings[]): Promise<void> {
    const change = async () => {
      if (this.#closed) throw new TnetError('TNET_E_USAGE', 'the proxy has been closed');
      const read = readPairSettings(pairs);
      const services = await prepareRelays(read, { ...this.#host, loops: this.#loops });
      try {
        await this.#listeners.serve(services);
      } catch (error) {
        throw error instanceof ServeError ? error.cause : error;
      }
    };
    const changed = this.#changing.then(change);
    this.#changing = changed.catch(() => undefined);
    return changed;
  }

  /** Resets an open connection, on both sides. False: there is none of this number. */
  reset(id: number): boolean {
    for (const entry of this.#ledger.open) {
      if (entry.id !== id) continue;
      entry.breakOff?.();
      return true;
    }
    return false;
  }

  /**
   * Accepts no more, lets connections go on for as long as `drainMs` says, and resets what has not ended. Settles
   * when all are gone. Calling it again changes nothing.
   */
  close(options: CloseOptions = {}): Promise<void> {
    this.#closed ??= this.#close(options);
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close({ drainMs = 0 }: CloseOptions): Promise<void> {
    await this.#changing;
    await this.#listeners.stop({ takesWaiting: drainMs > 0 });
    const isIdle = this.#ledger.idle();
    if (drainMs > 0) {
      let timer: NodeJS.Timeout | undefined;
      const isOver = new Promise((resolve) => (timer = setTimeout(resolve, drainMs)));
      await Promise.race([isIdle, isOver]);
      clearTimeout(timer);
    }
    this.#cutting.abort();
    this.#listeners.cut();
    await isIdle;
  }
}

/**
 * Starts a proxy in this process. The settings are those of a configuration file of `tnet proxy --config`
 * (docs/proxy-config.schema.json): names and values are the same.
 *
 *     const proxy = await createProxy({ listen: '127.0.0.1:0', targets: ['127.0.0.1:5432'], latency: '200ms' });
 *     proxy.addresses; // [ '127.0.0.1:40123' ]
 *     await proxy.close();
 *
 * @param onEvent hears of everything from the start, such as what is bound; later listeners use `proxy.on('event')`
 * @returns bound and serving; the caller closes it
 * @throws as Proxy#setPairs() does
 */
export async function createProxy(
  pairs: PairSettings | readonly PairSettings[],
  onEvent?: (event: Event) => void,
): Promise<Proxy> {
  const proxy = new Proxy();
  if (onEvent) proxy.on('event', onEvent);
  await proxy.setPairs(pairs);
  return proxy;
}
