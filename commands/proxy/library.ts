import { EventEmitter } from 'node:events';
import type {
  SteeredConnection,
  SteeredPair as ControlledPair,
  SteeredTarget,
  SteeringChange,
  StopOptions,
  WrittenSettings,
} from '../../src/control/steered.ts';
import { errorCode } from '../../src/errors.ts';
import type { LiveFaults, PairFault } from '../../src/handlers/relay/faults/live-faults.ts';
import type { ProxyHost } from '../../src/handlers/relay/host.ts';
import type { RelayService } from '../../src/handlers/relay/service.ts';
import { checkBoundLoops } from '../../src/handlers/relay/targets/loop-check.ts';
import { LoopWatch } from '../../src/handlers/relay/targets/rules.ts';
import type { Event } from '../../src/report/events.ts';
import { failureFields } from '../../src/report/sentences.ts';
import { Ledger, type Moved, type Totals } from '../../src/serve/ledger.ts';
import { Listeners } from '../../src/serve/listeners.ts';
import { OwnAddresses } from '../../src/serve/own-addresses.ts';
import { ServeError } from '../../src/serve/service.ts';
import { ThrowawayCertificates } from '../../src/serve/throwaway-certificates.ts';
import type { Fault } from '../../src/transform/faults/fault.ts';
import { readPairSettings, type NamedPair } from './config-file.ts';
import type { PairSettings } from './pair-settings.ts';
import { Steering } from './steering/steering.ts';

export type {
  Event,
  Fault,
  LiveFaults,
  Moved,
  PairFault,
  PairSettings,
  SteeredConnection as ProxiedConnection,
  SteeredTarget,
  SteeringChange,
  StopOptions,
  Totals,
};

/** A pair of a proxy. Its name is unique in the proxy, and stays. */
export interface SteeredPair extends ControlledPair {
  /** Faults that act at once on the connections of the pair that are open, and on those that come. */
  readonly faults: LiveFaults;
  /** Its targets with what is known of each, in their order. */
  readonly targets: readonly SteeredTarget[];
}

/** Settings to change: null takes one away. */
export type ChangedSettings = { readonly [Name in keyof PairSettings]?: PairSettings[Name] | null };

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
  readonly #listeners: Listeners<RelayService>;
  readonly #steering: Steering;
  #closed: Promise<void> | undefined;

  constructor() {
    super();
    const own = new OwnAddresses();
    const emit = (event: Event) => void this.emit('event', event);
    const host: ProxyHost = {
      own,
      loops: new LoopWatch(own),
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
    this.#listeners = new Listeners<RelayService>(host, checkBoundLoops);
    this.#steering = new Steering({
      host,
      listeners: this.#listeners,
      read: readOwnPair,
      listen: (onEvent) => {
        this.on('event', onEvent);
        return () => void this.off('event', onEvent);
      },
    });
  }

  /** What has been bound, in the order of the pairs: `127.0.0.1:40123`, or a path. */
  get addresses(): readonly string[] {
    return this.#listeners.addresses;
  }

  /** Its pairs, in the order in which they were added. */
  get pairs(): readonly SteeredPair[] {
    return this.#steering.pairs;
  }

  /** The connections that are open now. */
  get connections(): readonly SteeredConnection[] {
    return this.#steering.sight.connections;
  }

  /** What has been done since the start, or since resetTotals(), by all pairs. */
  get totals(): Totals {
    return this.#steering.sight.totals;
  }

  /**
   * What the connections of a pair have moved since the start, those that are over included.
   *
   * @throws TnetError TNET_E_UNKNOWN_NAME
   */
  moved(name: string): Moved {
    return this.#steering.sight.moved(name);
  }

  /** Makes the totals count from now on. */
  resetTotals(): void {
    this.#steering.sight.resetTotals();
  }

  /**
   * Serves these pairs from now on, and no other. A pair with the name of one that is there (by default its listen
   * address) stays bound, if that is as it was: its open connections go on as they are, and its next ones are served by
   * the new settings. When one cannot be read or bound, all stays as it was.
   *
   * @throws TnetError TNET_E_CONFIG, whose subject says which setting; TNET_E_LOOP; or what kept an address from
   *   being bound: the system's error (`EADDRINUSE`, …) or a TnetError
   */
  async setPairs(pairs: PairSettings | readonly PairSettings[]): Promise<void> {
    try {
      await this.#steering.setPairs(readPairSettings(pairs));
    } catch (error) {
      throw error instanceof ServeError ? error.cause : error;
    }
  }

  /**
   * The pair of that name.
   *
   * @throws TnetError TNET_E_UNKNOWN_NAME
   */
  pair(name: string): SteeredPair {
    return this.#steering.pair(name);
  }

  /**
   * Adds a pair and binds it, unless it is not enabled.
   *
   * @throws TnetError TNET_E_NAME_TAKEN, or as setPairs() does
   */
  addPair(
    name: string,
    settings: PairSettings,
    options?: { readonly isEnabled?: boolean },
  ): Promise<SteeredPair> {
    return this.#steering.addPair(name, { ...settings }, options);
  }

  /**
   * Gives a pair other settings: those named replace what it had, and null takes one away. The next clients are served
   * by them, and faults are changed at once, also on open connections. When it listens elsewhere, that is bound before
   * the old address is given up.
   *
   * @throws TnetError TNET_E_UNKNOWN_NAME, or as setPairs() does; then nothing has changed
   */
  changePair(name: string, settings: ChangedSettings, options?: StopOptions): Promise<SteeringChange> {
    return this.#steering.changePair(name, { ...settings }, options);
  }

  /** Removes a pair. Its connections go on, or are reset with `cut`. @throws TnetError TNET_E_UNKNOWN_NAME */
  removePair(name: string, options?: StopOptions): Promise<SteeringChange> {
    return this.#steering.removePair(name, options);
  }

  /**
   * Stops accepting the clients of a pair, or binds again what it had bound. Its connections go on, or are reset with
   * `cut`.
   *
   * @throws TnetError TNET_E_UNKNOWN_NAME, or as setPairs() does
   */
  setEnabled(name: string, isEnabled: boolean, options?: StopOptions): Promise<SteeringChange> {
    return this.#steering.setEnabled(name, isEnabled, options);
  }

  /**
   * Gives a target of a pair no new clients, or gives it some again. Connections to it go on, or are reset with `cut`.
   *
   * @throws TnetError TNET_E_UNKNOWN_NAME
   */
  setTargetEnabled(
    name: string,
    target: string,
    isEnabled: boolean,
    options?: StopOptions,
  ): Promise<SteeringChange> {
    return this.#steering.setTargetEnabled(name, target, isEnabled, options);
  }

  /** Resets an open connection, on both sides. False: there is none of this number. */
  reset(id: number): boolean {
    try {
      this.#steering.reset(id);
      return true;
    } catch (error) {
      if (errorCode(error) === 'TNET_E_UNKNOWN_NAME') return false;
      throw error;
    }
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
    await this.#steering.end();
    await this.#listeners.stop({ takesWaiting: drainMs > 0 });
    if (drainMs > 0) await this.#ledger.idle(drainMs);
    this.#cutting.abort();
    this.#listeners.cut();
    await this.#ledger.idle();
  }
}

function readOwnPair(settings: WrittenSettings): NamedPair {
  const [pair] = readPairSettings(settings);
  if (!pair) throw new Error('one was given');
  return pair;
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
