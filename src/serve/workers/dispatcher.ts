import { randomBytes } from 'node:crypto';
import { readDescriptorLimit } from '../../net/descriptors.ts';
import { detachHandle } from '../../net/hand-over.ts';
import type { Socket } from '../../net/index.ts';
import type { Event } from '../../report/events.ts';
import type { LiveConnection, LiveWorker } from '../../report/live-rates.ts';
import type { Ledger } from '../ledger.ts';
import type { Place } from '../service.ts';
import type { HostCertificate } from '../throwaway-certificates.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import { OpenQuestions } from './open-questions.ts';
import type { WorkerGuide, WorkerProcess } from './worker-process.ts';
import { add, createWorker, showWorker, type Parcel, type Worker } from './worker-record.ts';

export interface DispatcherOptions {
  readonly count: number;
  readonly start: (worker: number) => WorkerProcess;
  readonly ledger: Ledger;
  readonly emit: (event: Event) => void;
  /** Counts a connection of a client named by a PROXY header. */
  readonly takeRate: (key: string, client: string) => boolean;
  /** What has been bound here, for a worker that is starting. */
  readonly own: () => readonly string[];
  /** The throw-away certificates made so far, the same for all workers. */
  readonly certificates: () => readonly HostCertificate[];
}

/** What a worker needs besides its connections. */
const descriptorReserve = 40;

/**
 * The most that a connection takes in a worker: its two sockets, and what the native engine opens for each
 * direction.
 */
const descriptorsEach = 8;

/** A worker that dies sooner than this is restarted after a pause, which doubles each time. */
const youngMs = 1_000;
const longestPauseMs = 30_000;

/**
 * Hands accepted connections to worker processes: each to the one that has the fewest. An accepted connection is
 * not lost when a worker dies before receiving it; a dead worker is replaced.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #capacity = Math.max(1, Math.floor((readDescriptorLimit() - descriptorReserve) / descriptorsEach));
  readonly #workers = new Map<number, Worker>();
  readonly #waiting: Parcel[] = [];
  readonly #questions = new OpenQuestions<Worker>();
  readonly #nonceKey = randomBytes(32).toString('base64');
  /** The number of the last change of what is served. */
  #lastChange = 0;
  #pauseMs = youngMs;
  #isClosing = false;
  /** All connections have been told to end. */
  #isCut = false;
  /** Accepted connections wait while a reload is in progress. */
  #isHeld = false;
  readonly #timers = new Set<NodeJS.Timeout>();
  #looking: Promise<void> | undefined;
  /** To be set before start(). Default: the workers read themselves what they serve. */
  guide: WorkerGuide | undefined;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** Starts the workers. Settles when all are ready. */
  async start(): Promise<void> {
    const { count } = this.#options;
    await Promise.all(Array.from({ length: count }, (_, index) => this.#startWorker(index + 1)));
  }

  /**
   * Changes what is served: first here with `change`, and then in the workers, which serve as before when that
   * fails. Clients accepted meanwhile wait for it. Settles when all workers have taken it.
   *
   * @throws what `change` throws
   */
  async reload(change: () => Promise<void>): Promise<void> {
    this.#isHeld = true;
    try {
      await change();
      await Promise.all(Array.from(this.#workers.values(), (worker) => this.#tellToServe(worker)));
    } finally {
      this.#isHeld = false;
      this.#dispatch();
    }
  }

  /** Settles when a worker has taken what is to be served by now, or is gone. */
  #tellToServe({ process, onServing }: Worker): Promise<void> {
    const change = ++this.#lastChange;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    onServing.push({ change, settle: () => resolve(undefined) });
    const state = this.guide?.state();
    const known = { certificates: this.#options.certificates(), nonceKey: this.#nonceKey };
    process.send({ type: 'serve', change, ...known, ...(state !== undefined && { state }) });
    return promise;
  }

  /** Sends a message to all workers. */
  broadcast(message: ToWorker): void {
    for (const { process } of this.#workers.values()) process.send(message);
  }

  /** Hands a client that was accepted in this same turn to a worker. */
  handOver(client: Socket, remote: string, { key, address, service }: Place): void {
    const handle = detachHandle(client);
    if (!handle) return;
    const entry = this.#options.ledger.enter(remote, service);
    const parcel = { entry, client, handle, key, address };
    entry.breakOff = () => this.#breakOff(parcel);
    this.#waiting.push(parcel);
    this.#dispatch();
  }

  /**
   * Asks the workers what their open connections have carried, within a time limit.
   *
   * @param each what each of them has carried, and where it leads
   */
  async refresh(each = false): Promise<void> {
    await Promise.all(Array.from(this.#workers.values(), (worker) => this.#askSum(worker, each)));
  }

  /**
   * Asks all workers something that only the kind of server knows.
   *
   * @param limitMs how long that may take. Default: no limit
   * @returns what those that have answered said, by their numbers
   */
  async ask(question: unknown, limitMs?: number): Promise<ReadonlyMap<number, unknown>> {
    const answers = new Map<number, unknown>();
    const ask = async (worker: Worker) => {
      const send = (number: number) => worker.process.send({ type: 'ask', ask: number, question });
      const answer = await this.#questions.ask(worker, send, limitMs);
      if (answer !== undefined) answers.set(worker.number, answer);
    };
    await Promise.all(Array.from(this.#workers.values(), ask));
    return answers;
  }

  /** Tells a worker something that only the kind of server knows. One that is gone is not told. */
  tell(worker: number, told: unknown): void {
    this.#workers.get(worker)?.process.send({ type: 'tell', told });
  }

  /** The number of the worker that serves a connection; undefined: none does. */
  workerOf(id: number): number | undefined {
    return [...this.#workers.values()].find(({ parcels }) => parcels.has(id))?.number;
  }

  /**
   * What the workers and their connections were doing when they last reported; and asks them again. A caller that
   * looks repeatedly sees them move.
   */
  look(): { readonly connections: readonly LiveConnection[]; readonly workers: readonly LiveWorker[] } {
    const all = [...this.#workers.values()];
    this.#looking ??= this.refresh(true).then(() => {
      this.#looking = undefined;
    });
    const { ledger } = this.#options;
    const workers = all.map((worker) => showWorker(worker, ledger.elsewhere.get(worker.number)));
    return { connections: ledger.list(), workers: workers.sort((one, other) => one.number - other.number) };
  }

  /** Breaks off all connections: what was sent is delivered. */
  cut(): void {
    this.#isCut = true;
    for (const parcel of this.#waiting.splice(0)) this.#drop(parcel);
    this.broadcast({ type: 'cut' });
  }

  /** Lets the workers go. */
  close(): void {
    this.#isClosing = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const { process } of this.#workers.values()) process.disconnect();
  }

  #startWorker(number: number): Promise<void> {
    const process = this.#options.start(number);
    const worker = createWorker(number, process);
    this.#workers.set(number, worker);
    process.onMessage((message) => this.#receive(worker, message));
    process.onExit((status, signal) => this.#replace(worker, status, signal));
    process.send({ type: 'own', addresses: this.#options.own() });
    this.guide?.started(number);
    return this.#tellToServe(worker);
  }

  #receive(worker: Worker, message: FromWorker): void {
    const { ledger, takeRate } = this.#options;
    switch (message.type) {
      case 'taken': {
        const parcel = worker.parcels.get(message.id);
        parcel?.handle?.close();
        if (parcel) parcel.handle = undefined;
        return;
      }
      case 'ended': {
        const parcel = worker.parcels.get(message.id);
        if (!parcel) return;
        worker.parcels.delete(message.id);
        worker.carried = add(worker.carried, message);
        // From now on it counts among the ended ones.
        const moving = ledger.elsewhere.get(worker.number);
        const { told } = parcel.entry;
        if (moving && told) ledger.elsewhere.set(worker.number, add(moving, told, -1));
        this.#end(parcel, message);
        return this.#dispatch();
      }
      case 'refused':
        return ledger.refuse(message.reason);
      case 'sum':
        ledger.elsewhere.set(worker.number, message);
        for (const { id, target, greeting, sentBytes, receivedBytes } of message.each ?? []) {
          const entry = worker.parcels.get(id)?.entry;
          if (entry) Object.assign(entry, { target, greeting, told: { sentBytes, receivedBytes } });
        }
        return this.#questions.settle(message.ask, undefined);
      case 'rate': {
        const { ask, key, client } = message;
        return worker.process.send({ type: 'rate', ask, isAllowed: takeRate(key, client) });
      }
      case 'ready':
        if (!worker.isReady)
          this.#options.emit({ event: 'worker-started', worker: worker.number, pid: worker.process.pid });
        worker.isReady = true;
        while ((worker.onServing[0]?.change ?? Infinity) <= message.change)
          worker.onServing.shift()?.settle();
        return this.#dispatch();
      case 'answer':
        return this.#questions.settle(message.ask, message.answer);
      case 'tell':
        return this.guide?.hear(worker.number, message.told);
    }
  }

  #dispatch(): void {
    while (this.#waiting.length > 0 && !this.#isHeld) {
      const free = [...this.#workers.values()].filter(
        ({ isReady, parcels }) => isReady && parcels.size < this.#capacity,
      );
      const [first, ...others] = free;
      const parcel = first && this.#waiting.shift();
      if (!parcel) return;
      const worker = others.reduce((best, one) => (one.parcels.size < best.parcels.size ? one : best), first);
      const { entry, key, address, handle } = parcel;
      worker.parcels.set(entry.id, parcel);
      worker.connections++;
      worker.process.send({ type: 'client', id: entry.id, key, address }, handle);
    }
  }

  /** The system breaks off a dead worker's connections; those that it had not received yet go to another one. */
  #replace(worker: Worker, status: number | null, signal: string | null): void {
    const { number, process, startedAt, parcels } = worker;
    this.#workers.delete(number);
    for (const { settle } of worker.onServing.splice(0)) settle();
    this.#questions.giveUp(worker);
    this.guide?.gone(number);
    this.#options.ledger.elsewhere.delete(number);
    const [kept, lost] = [[...parcels.values()].filter(({ handle }) => handle), [] as Parcel[]];
    for (const parcel of parcels.values()) if (!parcel.handle) lost.push(parcel);
    for (const parcel of lost) this.#end(parcel, { sentBytes: 0, receivedBytes: 0, failed: true });
    this.#waiting.unshift(...kept);
    if (this.#isClosing) return;
    const how = signal === null ? { status: status ?? 0 } : { signal };
    const event = {
      event: 'worker-ended',
      worker: number,
      pid: process.pid,
      connections: lost.length,
    } as const;
    this.#options.emit({ ...event, ...how });
    const isYoung = performance.now() - startedAt < youngMs;
    const pauseMs = isYoung ? this.#pauseMs : 0;
    this.#pauseMs = isYoung ? Math.min(this.#pauseMs * 2, longestPauseMs) : youngMs;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      void this.#startWorker(number);
    }, pauseMs);
    this.#timers.add(timer);
    this.#dispatch();
  }

  async #askSum(worker: Worker, each: boolean): Promise<void> {
    const send = (ask: number) => worker.process.send({ type: 'sum', ask, each });
    await this.#questions.ask(worker, send, answerMs);
  }

  /** Breaks off a connection, wherever it is by now. */
  #breakOff(parcel: Parcel): void {
    if (this.#isCut) return;
    const { id } = parcel.entry;
    const at = this.#waiting.indexOf(parcel);
    if (at >= 0) {
      this.#waiting.splice(at, 1);
      return this.#drop(parcel);
    }
    for (const { process, parcels } of this.#workers.values())
      if (parcels.has(id)) process.send({ type: 'break-off', id });
  }

  #drop(parcel: Parcel): void {
    parcel.handle?.close();
    this.#end(parcel, { sentBytes: 0, receivedBytes: 0, failed: true });
  }

  #end({ entry, client }: Parcel, carried: Parameters<Ledger['leave']>[1]): void {
    this.#options.ledger.leave(entry, carried);
    // Destroying the token also frees the place that it took.
    client.destroy();
  }
}

/** How long a worker may take to report its sums. */
const answerMs = 1_000;
