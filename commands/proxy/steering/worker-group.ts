import { isServedHere } from '../../../src/address/endpoint.ts';
import type { SteeredTarget } from '../../../src/control/steered.ts';
import type { FaultOperation } from '../../../src/handlers/relay/faults/fault-operation.ts';
import type { LiveFaults } from '../../../src/handlers/relay/faults/live-faults.ts';
import type { Event } from '../../../src/report/events.ts';
import type { Dispatcher } from '../../../src/serve/workers/dispatcher.ts';
import type { WorkerGuide } from '../../../src/serve/workers/worker-process.ts';
import { listWrittenTargets, type OwnPair } from './own-pair.ts';
import type { ConnectionRates } from './rates.ts';
import type { PairState } from './state.ts';
import type { ToldWorker, WorkerNews, WorkerQuestion, WorkerSight, WorkerState } from './worker-messages.ts';
import { WorkerTaps } from './worker-taps.ts';

/** How long workers may take to say how their targets are. */
const answerMs = 1_000;

/** What a worker has said of targets, by pair, and of rates, by connection. */
interface Seen {
  readonly targets: ReadonlyMap<string, readonly SteeredTarget[]>;
  readonly rates: ReadonlyMap<number, ConnectionRates>;
}

/** Whether other processes serve the clients of a pair, where there are workers. */
export function isHandedOver({ service, pair }: PairState): boolean {
  return service !== undefined && !isServedHere(pair.listen);
}

/**
 * The workers of a steered proxy. They serve the pairs of the process that accepts, and keep nothing of their own:
 * what holds is told to all of them, in the order in which it came to hold, and to one that is started later.
 */
export class WorkerGroup implements WorkerGuide {
  readonly #dispatcher: Dispatcher;
  readonly #pairs: () => readonly OwnPair[];
  readonly taps: WorkerTaps;
  /** The numbers of services and faults, by which workers know them. */
  readonly #numbers = new WeakMap<object, number>();
  #lastNumber = 0;
  readonly #hearers = new Set<(event: Event) => void>();
  /** What each worker said last. */
  readonly #seen = new Map<number, Seen>();

  /** @param pairs those that there are by now */
  constructor(dispatcher: Dispatcher, pairs: () => readonly OwnPair[]) {
    this.#dispatcher = dispatcher;
    this.#pairs = pairs;
    this.taps = new WorkerTaps(dispatcher);
    dispatcher.guide = this;
  }

  state(): WorkerState {
    const states = this.#pairs().map(({ name, state }) => ({ name, ...state }));
    return {
      pairs: states
        .filter(isHandedOver)
        .map(({ name, service, settings, pair, faults, disabledTargets }) => ({
          name,
          service: this.#numberOf(service ?? pair),
          settings,
          listen: pair.listen,
          disabledTargets: [...disabledTargets],
          ...(pair.liveFaults && { faults: this.#numberOf(faults) }),
        })),
      faults: states
        .filter(({ pair }) => pair.liveFaults)
        .map(({ faults }) => ({ number: this.#numberOf(faults), seed: faults.seed, list: faults.list })),
    };
  }

  started(worker: number): void {
    if (this.#hearers.size > 0) this.#tell(worker, { tell: 'hear', isHeard: true });
  }

  hear(_worker: number, told: unknown): void {
    const news = told as WorkerNews;
    if (news.tell !== 'event') return this.taps.hear(news);
    for (const hear of this.#hearers) hear(news.event);
  }

  gone(worker: number): void {
    this.taps.gone(worker);
    this.#seen.delete(worker);
  }

  /** See Dispatcher#reload(). */
  reload(change: () => Promise<void>): Promise<void> {
    return this.#dispatcher.reload(change);
  }

  /** Changes the faults of a pair as they have been changed here. @returns how many open connections it applied to */
  async changeFaults(faults: LiveFaults, operation: FaultOperation): Promise<number> {
    const counts = await this.#ask({ ask: 'faults', number: this.#numberOf(faults), operation });
    return (counts as readonly number[]).reduce((sum, count) => sum + count, 0);
  }

  /** @returns false: the pair has no such target */
  async setTargetEnabled({ name, state }: OwnPair, target: string, isEnabled: boolean): Promise<boolean> {
    const answers = await this.#ask({ ask: 'enable-target', pair: name, target, isEnabled });
    if (answers.length > 0) return answers.includes(true);
    return listWrittenTargets(state).some(({ address }) => address === target);
  }

  /** Brings up to date what is known of connections and targets. */
  async refresh(): Promise<void> {
    const question: WorkerQuestion = { ask: 'look' };
    const [answers] = await Promise.all([
      this.#dispatcher.ask(question, answerMs),
      this.#dispatcher.refresh(true),
    ]);
    for (const [worker, answer] of answers) {
      const { targets, rates } = answer as WorkerSight;
      this.#seen.set(worker, { targets: new Map(targets), rates: new Map(rates) });
    }
  }

  /** The targets of a pair, as the workers said last. */
  targets({ name, state }: OwnPair): readonly SteeredTarget[] {
    const each = [...this.#seen.values()].flatMap(({ targets }) => {
      const known = targets.get(name);
      return known ? [known] : [];
    });
    return each.length > 0 ? mergeTargets(each) : listWrittenTargets(state);
  }

  /** The rates of a connection that a worker serves, as it said last; undefined: it has not. */
  ratesOf(id: number): ConnectionRates | undefined {
    for (const { rates } of this.#seen.values()) {
      const known = rates.get(id);
      if (known) return known;
    }
    return undefined;
  }

  /** Calls back for every event of the workers. @returns a function that ends this */
  listen(onEvent: (event: Event) => void): () => void {
    const hear = (event: Event) => onEvent(event);
    this.#hearers.add(hear);
    if (this.#hearers.size === 1) this.#tellAll({ tell: 'hear', isHeard: true });
    return () => {
      if (this.#hearers.delete(hear) && this.#hearers.size === 0)
        this.#tellAll({ tell: 'hear', isHeard: false });
    };
  }

  /** Settles when what the workers have said up to now has arrived, or within a time limit. */
  settle(): Promise<void> {
    return this.#dispatcher.refresh();
  }

  #numberOf(one: object): number {
    const number = this.#numbers.get(one) ?? ++this.#lastNumber;
    this.#numbers.set(one, number);
    return number;
  }

  async #ask(question: WorkerQuestion): Promise<readonly unknown[]> {
    return [...(await this.#dispatcher.ask(question)).values()];
  }

  #tell(worker: number, told: ToldWorker): void {
    this.#dispatcher.tell(worker, told);
  }

  #tellAll(told: ToldWorker): void {
    this.#dispatcher.broadcast({ type: 'tell', told });
  }
}

/**
 * What several processes know of the same targets: the connections of all; a target is up where it is up for one, and
 * down where it is down for all.
 */
function mergeTargets(each: readonly (readonly SteeredTarget[])[]): SteeredTarget[] {
  const merged = new Map<string, SteeredTarget[]>();
  for (const target of each.flat())
    merged.set(target.address, [...(merged.get(target.address) ?? []), target]);
  return Array.from(merged.values(), (same) => ({
    ...(same[0] as SteeredTarget),
    isUp: same.some(({ isUp }) => isUp) ? true : same.every(({ isUp }) => isUp === false) ? false : undefined,
    connections: same.reduce((sum, { connections }) => sum + connections, 0),
  }));
}
