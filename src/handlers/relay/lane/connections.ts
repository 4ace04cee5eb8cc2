import { idleError, lifetimeError } from '../../../errors.ts';
import type { EndingReason } from '../../../flow/flow.ts';
import type { ExpressLane, LaneEvent, LaneName } from '../../../flow/express-lane.ts';
import { formatLaneName, refuseDenied, reportEvents, type LaneBooks } from '../../../serve/lane-listener.ts';
import { failureFields } from '../../../report/sentences.ts';
import { createDialError, createRefusal, formatLaneTarget, type ExpressTarget } from './target.ts';
import { defaultConnectMs } from '../pair.ts';
import type { EventName } from '../../../report/events.ts';
import { leave, refuse, tooManyNew, type Moved } from '../../../serve/ledger.ts';
import { createLoopError } from '../targets/rules.ts';
import type { LanelessService } from '../service.ts';
import { timedOut } from '../cut.ts';
import type { ProxyHost } from '../host.ts';
import { formatTarget } from '../targets/target.ts';
import type { LaneEntry } from './entry.ts';
import { LaneQuestions } from './questions.ts';

type EventOf<Type extends LaneEvent['type']> = Extract<LaneEvent, { type: Type }>;

export interface ExpressConnectionsOptions {
  readonly host: ProxyHost;
  /** What the listener has bound; names a client that has no address. */
  readonly address: string;
  /** Without an address, the engine asks where each client goes. */
  readonly target: ExpressTarget;
  readonly service: LanelessService;
}

/** Reports what a lane's connections do, in the words and the order of serveClient(). */
export class ExpressConnections {
  readonly #books: LaneBooks;
  readonly #host: ProxyHost;
  readonly #address: string;
  readonly #target: ExpressTarget;
  readonly #targetName: string;
  readonly #service: LanelessService;
  readonly #entries = new Map<number, LaneEntry>();
  readonly #questions: LaneQuestions | undefined;
  #lane: ExpressLane | undefined;

  constructor({ host, address, target, service }: ExpressConnectionsOptions, asks: boolean) {
    this.#books = { host, address, service };
    this.#host = host;
    this.#address = address;
    this.#target = target;
    this.#targetName = formatTarget(target.endpoint);
    this.#service = service;
    if (!asks) return;
    this.#questions = new LaneQuestions({
      ...{ host, address, service, entries: this.#entries },
      attempt: (entry) => this.#attempt(entry, 0),
    });
  }

  /** Ends the dials of this lane when everything must end. */
  watch(lane: ExpressLane): void {
    this.#lane = lane;
    this.#questions?.watch(lane);
    const { signal } = this.#host;
    const stop = () => {
      for (const [id, { isJoined }] of this.#entries) if (!isJoined) lane.stopConnection(id);
    };
    signal.addEventListener('abort', stop, { once: true });
    void lane.ended.then(() => signal.removeEventListener('abort', stop));
  }

  report(events: readonly LaneEvent[]): void {
    reportEvents(events, (event) => this.#reportOne(event), this.#books, this.#lane);
  }

  #reportOne(event: LaneEvent): void {
    if (event.type === 'shortage') this.#host.fail(this.#address, event.error);
    else if (event.type === 'accepted') this.#accepted(event);
    else if (event.type === 'denied') refuseDenied(event.remote, this.#books);
    else {
      const entry = this.#entries.get(event.id);
      if (event.type === 'asked' || event.type === 'taken' || event.type === 'dialled')
        this.#questions?.hear(event, entry);
      else if (entry) this.#reportKnown(entry, event);
      else if (event.type !== 'connected') this.#questions?.hearOfTaken(event);
    }
  }

  #accepted({ id, remote, local, credentials }: EventOf<'accepted'>): void {
    const { ledger, emit, signal } = this.#host;
    const { rate, acceptProxy } = this.#service;
    if (rate && !acceptProxy && !rate.take(remote?.address ?? '', performance.now())) {
      refuse(this.#host, this.#name(remote), tooManyNew);
      this.#lane?.stopConnection(id);
      return;
    }
    const open = ledger.enter(this.#name(remote), this.#service.name);
    const asked = this.#questions && { id, remote, local };
    const entry: LaneEntry = { open, asked, refusals: [], isJoined: false, chosen: undefined };
    this.#entries.set(id, entry);
    if (this.#hears('accepted'))
      emit({ event: 'accepted', id: open.id, local: this.#name(local), remote: open.remote, ...credentials });
    if (!asked) this.#attempt(entry, 0);
    if (signal.aborted) this.#lane?.stopConnection(id);
  }

  /** What an entry is connected to, as errors name it. */
  #targetOf({ chosen }: LaneEntry): ExpressTarget {
    return chosen ? { endpoint: chosen.endpoint, addresses: [chosen.address] } : this.#target;
  }

  #attempt(entry: LaneEntry, index: number): void {
    if (!this.#hears('attempt')) return;
    const address = this.#targetOf(entry).addresses[index];
    if (address) this.#host.emit({ event: 'attempt', address: formatLaneTarget(address) });
  }

  #reportKnown(entry: LaneEntry, event: EventOf<'refused' | 'connected' | 'ended'>): void {
    if (event.type === 'refused') this.#refused(entry, event);
    else if (event.type === 'connected') this.#connected(entry, event);
    else this.#ended(entry, event);
  }

  #refused(entry: LaneEntry, { id, target, errno }: EventOf<'refused'>): void {
    const address = this.#targetOf(entry).addresses[target];
    if (!address) return;
    const error = createRefusal(address, errno);
    entry.refusals.push(error);
    this.#host.emit({ event: 'attempt-failed', address: formatLaneTarget(address), ...failureFields(error) });
    if (!entry.chosen) this.#attempt(entry, target + 1);
    else if (!this.#questions?.goOn(entry)) this.#lane?.stopConnection(id); // its end reports the rest
  }

  #connected(entry: LaneEntry, { id, local }: EventOf<'connected'>): void {
    const { open, chosen } = entry;
    const remote = chosen?.name ?? this.#targetName;
    chosen?.taken();
    this.#questions?.settle(id);
    entry.isJoined = true;
    open.moved = () => this.#read(id);
    open.breakOff = () => this.#lane?.cutConnection(id);
    open.target = remote;
    if (this.#hears('connected'))
      this.#host.emit({ event: 'connected', id: open.id, local: formatLaneName(local) ?? remote, remote });
  }

  #ended(entry: LaneEntry, event: EventOf<'ended'>): void {
    const { open, isJoined, chosen } = entry;
    this.#entries.delete(event.id);
    this.#questions?.settle(event.id);
    if (isJoined) open.moved = () => ({ sentBytes: event.downBytes, receivedBytes: event.upBytes });
    if (isJoined || this.#host.signal.aborted) chosen?.release();
    else this.#reportFailure(entry, event);
    leave(
      open,
      this.#host,
      isJoined ? this.#outcome(event) : { reason: 'aborted', failed: true },
      event.durationMs,
    );
  }

  /** For a connection that was not connected to its target. */
  #reportFailure(entry: LaneEntry, event: EventOf<'ended'>): void {
    const { chosen, asked, open } = entry;
    const error =
      event.error?.code === 'ELOOP'
        ? createLoopError(this.#address, this.#targetName)
        : this.#dialError(entry, event);
    if (chosen) chosen.failed(error, performance.now() - (asked?.dialledAt ?? 0));
    else this.#host.fail(event.error?.code === 'ELOOP' ? this.#address : this.#targetName, error, open.id);
  }

  #dialError(entry: LaneEntry, { broken }: EventOf<'ended'>): Error {
    const { refusals, chosen } = entry;
    const isRefused = broken ?? (chosen && refusals.length > 0);
    const limitMs = isRefused ? undefined : (this.#service.pair.values.waitConnect ?? defaultConnectMs);
    return createDialError(this.#targetOf(entry), refusals, limitMs);
  }

  #outcome({ error, broken }: EventOf<'ended'>): { reason: EndingReason; error?: Error; failed?: boolean } {
    if (!error) return { reason: 'eof' };
    // What a writer gets after an orderly end: the side had left.
    if (broken && error.code === 'EPIPE') return { reason: 'reset' };
    if (broken) return { reason: 'reset', error };
    const { idle = 0, timeout = 0 } = this.#service.pair.values;
    if (error.code === 'ETIMEDOUT') return timedOut(idleError(idle));
    if (error.code === 'ECONNABORTED') return timedOut(lifetimeError(timeout));
    return { reason: 'aborted', failed: true };
  }

  /** What a connection has moved up to now. */
  #read(id: number): Moved {
    const { up, down } = this.#lane?.readConnection(id) ?? {};
    return { sentBytes: down?.bytes ?? 0, receivedBytes: up?.bytes ?? 0 };
  }

  #hears(name: EventName): boolean {
    return this.#host.hears?.(name) !== false;
  }

  #name(name: LaneName | undefined): string {
    return formatLaneName(name) ?? this.#address;
  }
}
