import { LiveFaults } from '../../../src/handlers/relay/faults/live-faults.ts';
import { operate } from '../../../src/handlers/relay/faults/fault-operation.ts';
import { prepareRelay } from '../../../src/handlers/relay/prepare.ts';
import type { RelayService } from '../../../src/handlers/relay/service.ts';
import { LoopWatch } from '../../../src/handlers/relay/targets/rules.ts';
import { listTargets, setTargetEnabled } from '../../../src/handlers/relay/targets/states.ts';
import { LiveTaps } from '../../../src/record/live-taps.ts';
import type { Event } from '../../../src/report/events.ts';
import type { ServeHost } from '../../../src/serve/service.ts';
import type { WorkerKind } from '../../../src/serve/workers/worker.ts';
import { readPairSettings, type SharedOptions } from '../config-file.ts';
import { LedgerRates } from './ledger-rates.ts';
import { OutgoingTap } from './outgoing-tap.ts';
import type {
  ToldWorker,
  WorkerFaults,
  WorkerNews,
  WorkerPair,
  WorkerQuestion,
  WorkerSight,
  WorkerState,
} from './worker-messages.ts';

/** What a worker of a steered proxy works with. */
export interface SteeredWorkerOptions {
  /** What the command line says about every pair. */
  readonly shared: Omit<SharedOptions, 'values'>;
  /** See Reporter#listen(). */
  readonly listen: (onEvent: (event: Event) => void) => () => void;
  readonly tell: (news: WorkerNews) => void;
}

interface ServedPair {
  readonly name: string;
  readonly service: RelayService;
}

/** A worker of a proxy that is steered: it serves what the process that accepts says, with the faults that it says. */
export class SteeredWorker implements WorkerKind {
  readonly #options: SteeredWorkerOptions;
  readonly #taps = new LiveTaps();
  readonly #open = new Map<number, { readonly outgoing: OutgoingTap; readonly stop: () => void }>();
  #loops: LoopWatch | undefined;
  /** What is served, by the numbers of the accepting process. */
  #pairs: ReadonlyMap<number, ServedPair> = new Map();
  #faults: ReadonlyMap<number, LiveFaults> = new Map();
  #stopHearing: (() => void) | undefined;
  #rates: LedgerRates | undefined;

  constructor(options: SteeredWorkerOptions) {
    this.#options = options;
  }

  /** What stays, with its faults, is not touched: what holds for it, it has been told already. */
  async prepare(host: ServeHost, state: unknown): Promise<readonly RelayService[]> {
    const { pairs, faults } = state as WorkerState;
    const allFaults = new Map(
      faults.map((each) => [each.number, this.#faults.get(each.number) ?? createFaults(each)]),
    );
    this.#rates ??= new LedgerRates(host.ledger);
    this.#loops ??= host.own && new LoopWatch(host.own);
    const next = await Promise.all(
      pairs.map(async (pair) => {
        const kept = this.#pairs.get(pair.service);
        const service = kept?.service ?? (await this.#prepare(pair, host, allFaults));
        return [pair.service, { name: pair.name, service }] as const;
      }),
    );
    this.#pairs = new Map(next);
    this.#faults = allFaults;
    return next.map(([, { service }]) => service);
  }

  async #prepare(
    { name, settings, listen, disabledTargets, faults }: WorkerPair,
    host: ServeHost,
    all: ReadonlyMap<number, LiveFaults>,
  ): Promise<RelayService> {
    const [read] = readPairSettings({ ...settings, name }, this.#options.shared);
    if (!read) throw new Error('one was given');
    const liveFaults = faults === undefined ? undefined : all.get(faults);
    const service = await prepareRelay(
      { ...read.pair, listen, ...(liveFaults && { liveFaults }) },
      { ...host, ...(this.#loops && { loops: this.#loops }), recordings: [this.#taps] },
    );
    for (const target of disabledTargets) setTargetEnabled(service, target, false);
    return service;
  }

  answer(asked: unknown): unknown {
    const question = asked as WorkerQuestion;
    switch (question.ask) {
      case 'faults': {
        const faults = this.#faults.get(question.number);
        return faults ? operate(faults, question.operation).connections : 0;
      }
      case 'enable-target': {
        const { pair, target, isEnabled } = question;
        return [...this.#pairs.values()]
          .filter(({ name }) => name === pair)
          .some(({ service }) => setTargetEnabled(service, target, isEnabled));
      }
      case 'look':
        return this.#look();
    }
  }

  #look(): WorkerSight {
    return {
      targets: Array.from(this.#pairs.values(), ({ name, service }) => [name, listTargets(service)]),
      rates: this.#rates?.list() ?? [],
    };
  }

  hear(told: unknown): void {
    const message = told as ToldWorker;
    switch (message.tell) {
      case 'hear':
        this.#stopHearing?.();
        this.#stopHearing = message.isHeard
          ? this.#options.listen((event) => this.#options.tell({ tell: 'event', event }))
          : undefined;
        return;
      case 'tap':
        return this.#tap(message);
      case 'taken':
        return this.#open.get(message.tap)?.outgoing.taken(message.bytes);
      case 'untap':
        this.#open.get(message.tap)?.stop();
        this.#open.delete(message.tap);
    }
  }

  #tap({ tap, id, most }: Extract<ToldWorker, { tell: 'tap' }>): void {
    const { tell } = this.#options;
    const outgoing = new OutgoingTap(tap, most, (news) => {
      if (news.tell === 'closed') this.#open.delete(tap);
      tell(news);
    });
    const opened = this.#taps.tap(id, outgoing);
    if (!opened) return tell({ tap, tell: 'unknown' });
    const { stop, ...rest } = opened;
    this.#open.set(tap, { outgoing, stop });
    tell({ tap, tell: 'opened', opened: rest });
  }
}

function createFaults({ seed, list }: WorkerFaults): LiveFaults {
  const faults = new LiveFaults({ seed });
  for (const fault of list) faults.add(fault);
  return faults;
}
