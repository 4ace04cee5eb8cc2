import type {
  Steered,
  SteeredSight,
  SteeringChange,
  StopOptions,
  WrittenSettings,
} from '../../../src/control/steered.ts';
import { TnetError } from '../../../src/errors.ts';
import { operate, type FaultOperation } from '../../../src/handlers/relay/faults/fault-operation.ts';
import type { LiveFaults } from '../../../src/handlers/relay/faults/live-faults.ts';
import type { Pair } from '../../../src/handlers/relay/pair.ts';
import type { ProxyHost } from '../../../src/handlers/relay/host.ts';
import { prepareRelays } from '../../../src/handlers/relay/prepare.ts';
import type { RelayService } from '../../../src/handlers/relay/service.ts';
import { setTargetEnabled } from '../../../src/handlers/relay/targets/states.ts';
import type { Event } from '../../../src/report/events.ts';
import type { OpenConnection } from '../../../src/serve/ledger.ts';
import type { Listeners } from '../../../src/serve/listeners.ts';
import { ServeError } from '../../../src/serve/service.ts';
import type { NamedPair } from '../config-file.ts';
import type { Dispatcher } from '../../../src/serve/workers/dispatcher.ts';
import { listFaultChanges } from './fault-changes.ts';
import { OwnPair } from './own-pair.ts';
import { Sight } from './sight.ts';
import { createState, disableState, isFaultSetting, type PairState } from './state.ts';
import { isHandedOver, WorkerGroup } from './worker-group.ts';

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

/** The pairs of a proxy while it runs: what is served, with which faults, and what becomes of open connections. */
export class Steering implements Steered {
  readonly #options: SteeringOptions;
  #pairs: readonly OwnPair[] = [];
  /** Changes, one after the other. */
  #changing: Promise<unknown> = Promise.resolve();
  #isEnding = false;
  /** What this process knows, without asking workers. */
  readonly sight: Sight;
  #workers: WorkerGroup | undefined;

  constructor(options: SteeringOptions) {
    this.#options = options;
    this.sight = new Sight(options.host.ledger, (name) => this.pair(name));
  }

  /** Has the clients of streams served by workers, which have not been started yet. */
  useWorkers(dispatcher: Dispatcher): WorkerGroup {
    this.#workers = this.sight.workers = new WorkerGroup(dispatcher, () => this.#pairs);
    return this.#workers;
  }

  get pairs(): readonly OwnPair[] {
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
    this.sight.close();
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
  ): Promise<OwnPair> {
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
      const changes = Object.keys(settings).some(isFaultSetting) ? listFaultChanges(state, before) : [];
      const faulted = await Promise.all(changes.map((one) => this.#operate(state.faults, one)));
      if (cut) return this.#cutPair(name);
      // All are caused in the same connections.
      return { connections: Math.max(0, ...faulted.map(({ connections }) => connections)) };
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
    return this.#change(async () => {
      const pair = this.pair(name);
      const workers = isHandedOver(pair.state) ? this.#workers : undefined;
      const elsewhere = workers && (() => workers.setTargetEnabled(pair, target, isEnabled));
      await pair.setTargetEnabled(target, isEnabled, elsewhere);
      if (!cut || isEnabled) return { connections: 0 };
      await workers?.refresh();
      return this.#cut((entry) => entry.service === name && entry.target === target);
    });
  }

  async changeFaults(name: string, operation: FaultOperation): Promise<SteeringChange> {
    return this.#operate(this.pair(name).faults, operation);
  }

  async look(): Promise<SteeredSight> {
    await this.#workers?.refresh();
    return this.sight;
  }

  reset(id: number): void {
    if (this.#cut((entry) => entry.id === id).connections > 0) return;
    throw new TnetError('TNET_E_UNKNOWN_NAME', 'there is no open connection of this number', {
      subject: String(id),
    });
  }

  async resetTotals(): Promise<void> {
    await this.#workers?.refresh();
    this.sight.resetTotals();
  }

  listen(onEvent: (event: Event) => void): () => void {
    const stops = [this.#options.listen(onEvent), this.#workers?.listen(onEvent)];
    return () => {
      for (const stop of stops) stop?.();
    };
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
    const serve = async () => {
      await listeners.serve(
        [...states.values()].flatMap(({ service }) => service ?? []),
        signal,
      );
      for (const [pair, state] of states) pair.state = state;
      this.#pairs = [...states.keys()];
    };
    await (this.#workers ? this.#workers.reload(serve) : serve());
  }

  /** Changes faults, first here: when that fails, nothing has changed. */
  async #operate(faults: LiveFaults, operation: FaultOperation): Promise<SteeringChange> {
    const { connections } = operate(faults, operation);
    const elsewhere = await this.#workers?.changeFaults(faults, operation);
    return { connections: connections + (elsewhere ?? 0) };
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
