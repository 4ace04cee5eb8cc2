import type { Duplex } from 'node:stream';
import type { EndingReason } from '../flow/flow.ts';
import { localEndOf } from '../net/local-end.ts';
import { roundMs } from '../quantities.ts';
import type { Event, EventName } from '../report/events.ts';
import type { DescribedGreeting } from './greeting/described-greeting.ts';

/** What a server has done so far, over all its listeners. `sentBytes` went to clients, `receivedBytes` came from them. */
export interface Totals {
  readonly connections: number;
  readonly open: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** How many connections ended with an error. */
  readonly failed: number;
  /** How many came and went without a word when one was expected: the checks of load balancers. */
  readonly probes: number;
  /** How many clients were refused, by reason. */
  readonly refused: Readonly<Record<string, number>>;
  /** Of a service that answers datagrams one by one: those that were accepted, and those that were not. */
  readonly datagrams?: number;
  readonly dropped?: number;
}

/** Bytes that went to the client, and that came from it. */
export interface Moved {
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

const nothingMoved: Moved = { sentBytes: 0, receivedBytes: 0 };

function sumOf(parts: readonly Moved[]): Moved {
  return {
    sentBytes: parts.reduce((sum, { sentBytes }) => sum + sentBytes, 0),
    receivedBytes: parts.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0),
  };
}

/** One open connection, as the ledger knows it. */
export interface OpenConnection {
  readonly id: number;
  readonly remote: string;
  /** The name of the service that the client came to, if it has one. */
  readonly service: string | undefined;
  /** What the client is connected to; undefined until that is decided. */
  target: string | undefined;
  /** What the client said before its stream began; undefined until it has, or if it says nothing. */
  greeting: DescribedGreeting | undefined;
  readonly startedAt: number;
  /** What it has moved up to now; undefined while nothing is being moved. */
  moved: (() => Moved) | undefined;
  /** Where another process serves it: what it had moved when that process last reported. */
  told: Moved | undefined;
  /** Ends it now, whatever it is doing. */
  breakOff: (() => void) | undefined;
  /** Breaking it off cuts no stream short: what it is doing is completed, or it has no stream of its own. */
  endsInOrder: boolean;
}

/** One open connection at a moment. `sentBytes` went to the client, `receivedBytes` came from it. */
export interface CarriedConnection
  extends Omit<OpenConnection, 'moved' | 'told' | 'breakOff' | 'endsInOrder'>, Moved {}

/** What a connection adds to the sums. */
export interface Carried extends Moved {
  readonly failed: boolean;
  readonly isProbe?: boolean;
}

/** Counts connections, bytes and refusals. */
export class Ledger {
  readonly open = new Set<OpenConnection>();
  /** What the open connections served by workers have moved, by worker, as each last reported. */
  readonly elsewhere = new Map<number, Moved>();
  /** What connections that are over had moved, by the name of their service. */
  readonly #movedBefore = new Map<string, Moved>();
  readonly #refused = new Map<string, number>();
  #connections = 0;
  #failed = 0;
  #probes = 0;
  #sentBytes = 0;
  #receivedBytes = 0;
  #datagrams: { readonly taken: number; readonly dropped: number } | undefined;
  /** Called when the last open connection is gone. */
  readonly #onIdle: (() => void)[] = [];

  /** Enters a connection to the service of that name. Numbers count from 1, unless the connection already has one. */
  enter(remote: string, service?: string, given?: number): OpenConnection {
    this.#connections++;
    const id = given ?? this.#connections;
    const entry: OpenConnection = {
      id,
      remote,
      service,
      target: undefined,
      greeting: undefined,
      startedAt: performance.now(),
      moved: undefined,
      told: undefined,
      breakOff: undefined,
      endsInOrder: false,
    };
    this.open.add(entry);
    return entry;
  }

  /** Removes a connection, with what it carried. */
  leave(entry: OpenConnection, carried: Carried): void {
    this.open.delete(entry);
    this.#sentBytes += carried.sentBytes;
    this.#receivedBytes += carried.receivedBytes;
    const { service } = entry;
    if (service !== undefined)
      this.#movedBefore.set(service, sumOf([this.#movedBefore.get(service) ?? nothingMoved, carried]));
    if (carried.failed) this.#failed++;
    if (carried.isProbe) this.#probes++;
    if (this.open.size > 0) return;
    for (const settle of this.#onIdle.splice(0)) settle();
  }

  /** Settles when no connection is open, or when the limit is over. Default: no limit. */
  async idle(limitMs?: number): Promise<void> {
    if (this.open.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const settle = () => resolve(undefined);
    this.#onIdle.push(settle);
    const timer = limitMs === undefined ? undefined : setTimeout(settle, limitMs);
    await promise;
    clearTimeout(timer);
  }

  /** Counts datagrams that belong to no connection, and what they carried. Those that were dropped carried nothing. */
  datagrams(
    count: { readonly taken: number; readonly dropped: number },
    { sentBytes, receivedBytes } = nothingMoved,
  ): void {
    const { taken, dropped } = this.#datagrams ?? { taken: 0, dropped: 0 };
    this.#datagrams = { taken: taken + count.taken, dropped: dropped + count.dropped };
    this.#sentBytes += sentBytes;
    this.#receivedBytes += receivedBytes;
  }

  refuse(reason: string): void {
    // All denials are one reason, since it becomes a label of the metrics.
    const kind = reason.startsWith('denied by ') ? 'denied' : reason;
    this.#refused.set(kind, (this.#refused.get(kind) ?? 0) + 1);
  }

  /** How many open connections would be cut short if everything ended now. */
  get unended(): number {
    return Array.from(this.open).filter(({ endsInOrder }) => !endsInOrder).length;
  }

  /** What the open connections have moved up to now, all together. */
  get moving(): Moved {
    const here = Array.from(this.open, ({ moved }) => moved?.() ?? nothingMoved);
    return sumOf([...here, ...this.elsewhere.values()]);
  }

  /** What the connections of a service of that name have moved up to now, those that are over included. */
  movedBy(service: string): Moved {
    const here = [...this.open].filter((entry) => entry.service === service);
    const moving = here.map(({ moved, told = nothingMoved }) => moved?.() ?? told);
    return sumOf([this.#movedBefore.get(service) ?? nothingMoved, ...moving]);
  }

  /** The open connections with what each has carried up to now. */
  list(): CarriedConnection[] {
    return Array.from(this.open, ({ id, remote, service, target, greeting, startedAt, ...entry }) => ({
      ...{ id, remote, service, target, greeting, startedAt },
      ...(entry.moved?.() ?? entry.told ?? nothingMoved),
    }));
  }

  /** What has been done up to now, open connections included. */
  sum(): Totals {
    const moving = this.moving;
    return {
      connections: this.#connections,
      open: this.open.size,
      sentBytes: this.#sentBytes + moving.sentBytes,
      receivedBytes: this.#receivedBytes + moving.receivedBytes,
      failed: this.#failed,
      probes: this.#probes,
      refused: Object.fromEntries(this.#refused),
      ...(this.#datagrams && { datagrams: this.#datagrams.taken, dropped: this.#datagrams.dropped }),
    };
  }
}

/** Where connections are counted, and reported. */
export interface Books {
  readonly ledger: Ledger;
  readonly emit: (event: Event) => void;
  /** Whether anything listens to events of this name; the others need not be created. Default: true. */
  readonly hears?: (name: EventName) => boolean;
  /** Reports a failure as one line: what failed, why, and in which connection. */
  readonly fail: (subject: string, error: unknown, id?: number) => void;
}

/** How a connection ended. */
export interface ConnectionEnding {
  readonly reason: EndingReason;
  /** Reported as one line. */
  readonly error?: Error | undefined;
  /** What the error is about. Default: the client. */
  readonly subject?: string | undefined;
  /**
   * Counts as failed although there is no error to report: it could not be served, or a stream was cut. Default
   * false.
   */
  readonly failed?: boolean;
}

/**
 * Removes a connection from the ledger and reports its end, once.
 *
 * @param ending `isProbe`: it came and went without a word
 * @param lastedMs how long it lasted. Default: until now
 */
export function leave(
  entry: OpenConnection,
  { ledger, emit, fail, hears }: Books,
  {
    reason,
    error,
    subject,
    isProbe = false,
    failed = false,
  }: ConnectionEnding & { readonly isProbe?: boolean },
  lastedMs = performance.now() - entry.startedAt,
): void {
  const { id, remote } = entry;
  // A fault may end a connection that is being ended already.
  if (!ledger.open.has(entry)) return;
  const moved = entry.moved?.() ?? nothingMoved;
  const counted = { ...moved, failed: failed || error !== undefined };
  ledger.leave(entry, { ...counted, ...(isProbe && { isProbe }) });
  if (error) fail(subject ?? remote, error, id);
  if (hears?.('ended') === false) return;
  const durationMs = roundMs(lastedMs);
  emit({ event: 'ended', id, remote, reason, ...moved, durationMs });
}

/** Reports how a program that is an end of a connection has exited, which no stream shows. */
export function tellExit(connection: Duplex, id: number, { emit }: Pick<Books, 'emit'>): void {
  void localEndOf(connection)?.exited?.then((exit) => emit({ event: 'program-ended', id, ...exit }));
}

/** The reason for refusing a client that connects more often than it may. */
export const tooManyNew = 'too many new connections';

/** Counts a client that is refused, and reports it. */
export function refuse(
  { ledger, emit }: Pick<Books, 'ledger' | 'emit'>,
  remote: string,
  reason: string,
): void {
  ledger.refuse(reason);
  emit({ event: 'refused', remote, reason });
}
