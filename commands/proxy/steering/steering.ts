import type {
  Steered,
  SteeredConnection,
  SteeredPair,
  SteeringChange,
  StopOptions,
  WrittenSettings,
} from '../../../src/control/steered.ts';
import { TnetError } from '../../../src/errors.ts';
import { tellLanes } from '../../../src/flow/express-lane.ts';
import type { Pair } from '../../../src/handlers/relay/pair.ts';
import type { ProxyHost } from '../../../src/handlers/relay/host.ts';
import { prepareRelays } from '../../../src/handlers/relay/prepare.ts';
import type { RelayService } from '../../../src/handlers/relay/service.ts';
import { setTargetEnabled } from '../../../src/handlers/relay/targets/states.ts';
import { guarded } from '../../../src/net/guard.ts';
import { roundMs } from '../../../src/quantities.ts';
import type { Event } from '../../../src/report/events.ts';
import type { Moved, OpenConnection, Totals } from '../../../src/serve/ledger.ts';
import type { Listeners } from '../../../src/serve/listeners.ts';
import { ServeError } from '../../../src/serve/service.ts';
import type { NamedPair } from '../config-file.ts';
import { applyFaults } from './apply-faults.ts';
import { OwnPair } from './own-pair.ts';
import { Rates } from './rates.ts';
import { createState, disableState, isFaultSetting, type PairState } from './state.ts';
import { subtractTotals } from './subtract-totals.ts';

/** What a steered proxy works with. */
export interface SteeringOptions {
  readonly host: ProxyHost;
  readonly listeners: Listeners<RelayService>;
  /**
   * Reads the settings of a pair, as a configuration file has them.
   *
   * @param before what it was, if it is there
   * @throws TnetError TNET_E_CONFIG, or TNET_E_EXPOSED for what may not be asked for
   */
  readonly read: (settings: WrittenSettings, before?: Pair) => NamedPair;
  /** What a pair that is added has unless it says otherwise. Default: nothing. */
  readonly defaults?: WrittenSettings | undefined;
  /** See Steered. */
  readonly listen: (onEvent: (event: Event) => void) => () => void;
}

/** A pair with what it is to be. */
interface Planned {
  readonly pair: OwnPair;
  readonly state: PairState;
}

/** How often what connections have moved is noted, for their rates. */
const noteMs = 1_000;

/** The pairs of a proxy while it runs: what is served, with which faults, and what becomes of open connections. */
export class Steering implements Steered {
  readonly #options: SteeringOptions;
  #pairs: readonly OwnPair[] = [];
  /** Changes, one after the other. */
  #changing: Promise<unknown> = Promise.resolve();
  #isEnding = false;
  /** What had been done at resetTotals(). */
  #before: Totals | undefined;
  readonly #rates = new Rates();
  readonly #noting: NodeJS.Timeout;

  constructor(options: SteeringOptions) {
    this.#options = options;
    this.#noting = setInterval(
      guarded(() => this.#note()),
      noteMs,
    ).unref();
  }

  get pairs(): readonly SteeredPair[] {
    return this.#pairs;
  }

  pair(name: string): OwnPair {
    const pair = this.#pairs.find((one) => one.name === name);
    if (pair) return pair;
    throw new TnetError('TNET_E_UNKNOWN_NAME', 'there is no pair of this name', { subject: name });
  }

  /** Makes no more changes. Settles when the one under way has been made. */
  async end(): Promise<void> {
    this.#isEnding = true;
    clearInterval(this.#noting);
    await this.#changing;
  }

  /**
   * Serves these pairs and no other. A pair that was there keeps what it has bound, and its faults, as far as its
   * settings for both are the same; it is enabled. Its open connections go on as they are.
   *
   * @param signal aborts waiting for addresses in use
   * @returns what serves them
   * @throws ServeError for an address that cannot be bound, or what prepareRelays() throws
   */
  setPairs(pairs: readonly NamedPair[], signal?: AbortSignal): Promise<readonly RelayService[]> {
    return this.#inTurn(async () => {
      const known = new Map(this.#pairs.map((pair) => [pair.name, pair]));
      const next = pairs.map((read) => {
        const pair = known.get(read.name);
        const state = createState(read, pair?.state);
        return { pair: pair ?? this.#create(read.name, state), state };
      });
      await this.#serve(next, signal);
      return this.#pairs.flatMap(({ state }) => state.service ?? []);
    });
  }

  addPair(
    name: string,
    settings: WrittenSettings,
    { isEnabled = true }: { readonly isEnabled?: boolean } = {},
  ): Promise<SteeredPair> {
    return this.#change(async () => {
      const read = this.#options.read({ ...this.#options.defaults, ...settings, name });
      if (this.#pairs.some((one) => one.name === read.name))
        throw new TnetError('TNET_E_NAME_TAKEN', 'another pair has this name', { subject: name });
      const state = { ...createState(read), isEnabled };
      const pair = this.#create(read.name, state);
      await this.#serve([...this.#present(), { pair, state }]);
      return pair;
    });
  }

  changePair(name: string, settings: WrittenSettings, { cut }: StopOptions = {}): Promise<SteeringChange> {
    return this.#change(async () => {
      const pair = this.pair(name);
      if (settings['name'] !== undefined && settings['name'] !== name)
        throw new TnetError('TNET_E_CONFIG', 'a pair keeps its name', { subject: '/name' });
      const before = pair.state;
      const given = Object.entries({ ...before.settings, ...settings }).filter(([, value]) => value !== null);
      const read = this.#options.read({ ...Object.fromEntries(given), name }, before.pair);
      if (read.pair.values.seed !== before.pair.values.seed)
        throw new TnetError('TNET_E_CONFIG', 'a pair keeps its seed', { subject: '/seed' });
      const state = { ...createState(read, before, true), isEnabled: before.isEnabled };
      await this.#replace(pair, state);
      const isFaulted = Object.keys(settings).some(isFaultSetting);
      const faulted = isFaulted ? applyFaults(state, before) : { connections: 0 };
      return cut ? this.#cutPair(name) : faulted;
    });
  }

  setEnabled(name: string, isEnabled: boolean, { cut }: StopOptions = {}): Promise<SteeringChange> {
    return this.#change(async () => {
      const pair = this.pair(name);
      const { state, address } = pair;
      if (isEnabled && !state.isEnabled) await this.#replace(pair, { ...state, isEnabled });
      if (!isEnabled && state.isEnabled) await this.#replace(pair, disableState(state, address));
      return cut && !isEnabled ? this.#cutPair(name) : { connections: 0 };
    });
  }

  removePair(name: string, { cut }: StopOptions = {}): Promise<SteeringChange> {
    return this.#change(async () => {
      const pair = this.pair(name);
      await this.#serve(this.#present().filter((one) => one.pair !== pair));
      return cut ? this.#cutPair(name) : { connections: 0 };
    });
  }

  setTargetEnabled(
    name: string,
    target: string,
    isEnabled: boolean,
    { cut }: StopOptions = {},
  ): Promise<SteeringChange> {
    return this.#change(() => {
      this.pair(name).setTargetEnabled(target, isEnabled);
      if (!cut || isEnabled) return { connections: 0 };
      return this.#cut((entry) => entry.service === name && entry.target === target);
    });
  }

  connections(): readonly SteeredConnection[] {
    tellLanes();
    const now = performance.now();
    return this.#options.host.ledger.list().map((entry) => {
      const { startedAt, service = '', ...connection } = entry;
      return { ...connection, pair: service, ageMs: roundMs(now - startedAt), ...this.#rates.of(entry, now) };
    });
  }

  reset(id: number): void {
    if (this.#cut((entry) => entry.id === id).connections > 0) return;
    throw new TnetError('TNET_E_UNKNOWN_NAME', 'there is no open connection of this number', {
      subject: String(id),
    });
  }

  moved(name: string): Moved {
    tellLanes();
    return this.#options.host.ledger.movedBy(this.pair(name).name);
  }

  totals(): Totals {
    tellLanes();
    const sum = this.#options.host.ledger.sum();
    return this.#before ? subtractTotals(sum, this.#before) : sum;
  }

  resetTotals(): void {
    tellLanes();
    this.#before = this.#options.host.ledger.sum();
  }

  listen(onEvent: (event: Event) => void): () => void {
    return this.#options.listen(onEvent);
  }

  #note(): void {
    tellLanes();
    this.#rates.note(this.#options.host.ledger.list());
  }

  #create(name: string, state: PairState): OwnPair {
    return new OwnPair(name, state, this.#options.listeners);
  }

  #present(): Planned[] {
    return this.#pairs.map((pair) => ({ pair, state: pair.state }));
  }

  /** Serves a pair in another state from now on, and the others as they are. */
  #replace(pair: OwnPair, state: PairState): Promise<void> {
    return this.#serve(this.#present().map((one) => (one.pair === pair ? { pair, state } : one)));
  }

  /** Makes a change of one pair. What kept an address from being bound is thrown with the address as its subject. */
  async #change<Result>(change: () => Result | Promise<Result>): Promise<Result> {
    try {
      return await this.#inTurn(change);
    } catch (error) {
      if (!(error instanceof ServeError)) throw error;
      const { cause, subject } = error as ServeError & { readonly cause: Error & { subject?: string } };
      cause.subject ??= subject;
      throw cause;
    }
  }

  #inTurn<Result>(change: () => Result | Promise<Result>): Promise<Result> {
    const changed = this.#changing.then(() => {
      if (this.#isEnding) throw new TnetError('TNET_E_USAGE', 'the proxy has been closed');
      return change();
    });
    this.#changing = changed.catch(() => undefined);
    return changed;
  }

  /** Serves these from now on; when that fails, all stays as it was. @throws as Listeners.serve() does */
  async #serve(next: readonly Planned[], signal?: AbortSignal): Promise<void> {
    const { host, listeners } = this.#options;
    const enabled = next.filter(({ state }) => state.isEnabled);
    const fresh = enabled.filter(({ state }) => !state.service);
    const kept = enabled.flatMap(({ state }) => state.service ?? []);
    const prepared = await prepareRelays(
      fresh.map(({ state }) => state.pair),
      host,
      kept,
    );
    const states = new Map(next.map(({ pair, state }) => [pair, state]));
    for (const [index, { pair, state }] of fresh.entries()) {
      const service = prepared[index];
      for (const target of state.disabledTargets) if (service) setTargetEnabled(service, target, false);
      states.set(pair, { ...state, service });
    }
    await listeners.serve(
      [...states.values()].flatMap(({ service }) => service ?? []),
      signal,
    );
    for (const [pair, state] of states) pair.state = state;
    this.#pairs = [...states.keys()];
  }

  #cutPair(name: string): SteeringChange {
    return this.#cut(({ service }) => service === name);
  }

  #cut(isMeant: (entry: OpenConnection) => boolean): SteeringChange {
    const entries = [...this.#options.host.ledger.open].filter(isMeant);
    for (const { breakOff } of entries) breakOff?.();
    return { connections: entries.length };
  }
}
