import { describeValues } from '../../../serve/greeting/header-values.ts';
import { closeSync } from 'node:fs';
import type { SocketEnds } from '../../../dial/send-proxy-header.ts';
import type { ExpressLane, LaneEvent } from '../../../flow/express-lane.ts';
import type { Connection } from '../../../net/connection.ts';
import { createFault } from '../../../net/guard.ts';
import { Socket } from '../../../net/index.ts';
import { decodeProxyHeader } from '../../../protocol/proxy-protocol/decode.ts';
import { failureFields } from '../../../report/sentences.ts';
import { formatSource, judgeHeader, sourceHost } from '../../../serve/greeting/greeting.ts';
import { leave, refuse } from '../../../serve/ledger.ts';
import { serveClient } from '../../../serve/serve-client.ts';
import type { Handler } from '../../../serve/service.ts';
import type { ProxyHost } from '../host.ts';
import { defaultConnectMs } from '../pair.ts';
import { createRelay } from '../relay.ts';
import type { LanelessService } from '../service.ts';
import { staggerMs } from '../targets/race.ts';
import type { ChosenTarget } from '../targets/upstream.ts';
import type { AskedConnection, LaneEntry } from './entry.ts';
import { createDialError, createRefusal, formatLaneTarget } from './target.ts';

type EventOf<Type extends LaneEvent['type']> = Extract<LaneEvent, { type: Type }>;

/** The connect that was under way when its client was taken. */
interface TakenAttempt extends PromiseWithResolvers<Connection> {
  readonly chosen: ChosenTarget;
}

export interface LaneQuestionsOptions {
  readonly host: ProxyHost;
  /** What the listener has bound. */
  readonly address: string;
  readonly service: LanelessService;
  /** The lane's connections, except those that were taken. */
  readonly entries: Map<number, LaneEntry>;
  /** Reports the attempt to connect to the first address. */
  readonly attempt: (entry: LaneEntry) => void;
}

/**
 * Answers the lane's questions about its clients, by the same rules, upstreams and headers as outside the lane.
 * Special cases are taken from the lane and served by serveClient(): a client whose header has not come in one
 * piece, a target that is not one address, and one that does not accept the connection when another may.
 */
export class LaneQuestions {
  readonly #options: LaneQuestionsOptions;
  /** Those whose target may be overtaken by another, in the order in which they were dialled. */
  readonly #staggered = new Map<number, number>();
  readonly #attempts = new Map<number, TakenAttempt>();
  #timer: NodeJS.Timeout | undefined;
  #lane: ExpressLane | undefined;

  constructor(options: LaneQuestionsOptions) {
    this.#options = options;
  }

  watch(lane: ExpressLane): void {
    this.#lane = lane;
    const { signal } = this.#options.host;
    const stop = () => {
      for (const id of this.#attempts.keys()) lane.stopConnection(id);
    };
    signal.addEventListener('abort', stop, { once: true });
    void lane.ended.then(() => {
      signal.removeEventListener('abort', stop);
      clearTimeout(this.#timer);
    });
  }

  hear(event: EventOf<'asked' | 'taken' | 'dialled'>, entry: LaneEntry | undefined): void {
    if (event.type === 'asked') {
      if (entry?.asked) this.#asked(entry, entry.asked, event.said);
    } else if (event.type === 'taken') this.#taken(event, entry);
    else {
      const attempt = this.#attempts.get(event.id);
      this.#attempts.delete(event.id);
      if (attempt) attempt.resolve(adopt(event.fd));
      else closeSync(event.fd);
    }
  }

  /** A connection has been connected to its target, or is over. */
  settle(id: number): void {
    this.#staggered.delete(id);
  }

  /** Takes a connection whose target has failed, for the others; false when there is no other. */
  goOn({ chosen, asked }: LaneEntry): boolean {
    if (!chosen?.goOn || !asked) return false;
    this.settle(asked.id);
    this.#lane?.takeConnection(asked.id);
    return true;
  }

  /** Called with the result of the connect that was under way. */
  hearOfTaken(event: EventOf<'refused' | 'ended'>): void {
    const attempt = this.#attempts.get(event.id);
    if (!attempt) return;
    this.#attempts.delete(event.id);
    const { chosen, reject } = attempt;
    const { host, service } = this.#options;
    if (event.type === 'ended') return reject(new Error('stopped'));
    const target = { endpoint: chosen.endpoint, addresses: [chosen.address] };
    const error = createRefusal(chosen.address, event.errno);
    if (error.code === 'ECANCELED')
      return reject(createDialError(target, [], service.pair.values.waitConnect ?? defaultConnectMs));
    host.emit({
      event: 'attempt-failed',
      address: formatLaneTarget(chosen.address),
      ...failureFields(error),
    });
    reject(createDialError(target, [error], undefined));
  }

  #asked(entry: LaneEntry, asked: AskedConnection, said: Uint8Array): void {
    const { host, service } = this.#options;
    if (!service.acceptProxy) return this.#choose(entry, asked);
    const read = readHeader(said);
    if (!read) return this.#give(asked);
    const { header, headerBytes } = read;
    asked.greeting = { header };
    asked.skipped = headerBytes;
    const { id, remote } = entry.open;
    host.emit({
      event: 'client',
      id,
      remote,
      client: formatSource(header),
      ...describeValues(header.values),
    });
    this.#whenKnown(asked, judgeHeader(header, toEnds(asked), service), (reason) => {
      if (reason === undefined) return this.#choose(entry, asked);
      refuse(host, formatSource(header), reason);
      this.#options.entries.delete(asked.id);
      leave(entry.open, host, { reason: 'aborted', failed: true });
      this.#lane?.stopConnection(asked.id);
    });
  }

  /** Continues with a value at once, or when its promise resolves. A fault ends this connection alone. */
  #whenKnown<Value>(
    { id }: AskedConnection,
    value: Value | Promise<Value>,
    act: (value: Value) => void,
  ): void {
    if (!(value instanceof Promise)) return act(value);
    value.then(act).catch((error: unknown) => {
      this.#options.host.fail(this.#options.address, createFault(error));
      this.#lane?.stopConnection(id);
    });
  }

  #choose(entry: LaneEntry, asked: AskedConnection): void {
    const { service, address: listener, attempt, entries } = this.#options;
    const { greeting = {}, skipped, remote, id } = asked;
    try {
      asked.head = service.createHead?.(toEnds(asked), greeting);
    } catch {
      return this.#give(asked); // its handler reports what is wrong
    }
    const { head } = asked;
    const clientHost = sourceHost(greeting.header) ?? remote?.address ?? '';
    if (!service.upstream?.choose) {
      attempt(entry);
      this.#lane?.answer(id, { skipped, head });
      return;
    }
    this.#whenKnown(
      asked,
      service.upstream.choose({ id: entry.open.id, clientHost, listener, head }),
      (chosen) => {
        if (!entries.has(id)) return chosen?.release(); // it was stopped meanwhile
        if (!chosen) return this.#give(asked);
        entry.chosen = chosen;
        asked.dialledAt = performance.now();
        attempt(entry);
        this.#lane?.answer(id, { target: chosen.address, skipped, head });
        if (chosen.goOn) this.#stagger(id, asked.dialledAt);
      },
    );
  }

  #give({ id, skipped }: AskedConnection): void {
    this.#lane?.answer(id, { take: true, skipped });
  }

  /** Takes the connection in time to try another target in parallel. */
  #stagger(id: number, dialledAt: number): void {
    this.#staggered.set(id, dialledAt);
    this.#timer ??= setTimeout(() => this.#look(), staggerMs).unref();
  }

  #look(): void {
    this.#timer = undefined;
    for (const [id, dialledAt] of this.#staggered) {
      const leftMs = dialledAt + staggerMs - performance.now();
      if (leftMs > 1) {
        this.#timer = setTimeout(() => this.#look(), leftMs).unref();
        return;
      }
      this.#staggered.delete(id);
      this.#lane?.takeConnection(id);
    }
  }

  #taken({ id, fd }: EventOf<'taken'>, entry: LaneEntry | undefined): void {
    const { host, address, service, entries } = this.#options;
    const { asked } = entry ?? {};
    if (!entry || !asked) {
      closeSync(fd);
      this.#lane?.stopConnection(id);
      return;
    }
    entries.delete(id);
    this.settle(id);
    const { greeting } = asked;
    const { handle, attempt } = this.#continue(entry, asked);
    const client = adopt(fd);
    // Its place in the lane is free once both are over.
    client.once('close', () => {
      const free = () => this.#lane?.stopConnection(id);
      if (attempt) attempt.then(free, free);
      else free();
    });
    void serveClient(
      client,
      address,
      {
        ...service,
        entered: entry.open,
        readers: greeting ? [] : service.readers,
        handle: greeting ? (greeted) => handle({ ...greeted, greeting }) : handle,
      },
      host,
    );
  }

  /** Does everything that is left to do with a client that was taken. */
  #continue(
    { chosen, refusals }: LaneEntry,
    { id, head, dialledAt = 0 }: AskedConnection,
  ): { handle: Handler; attempt: Promise<unknown> | undefined } {
    const { host, service } = this.#options;
    const goOn = chosen?.goOn;
    if (!chosen || !goOn) return { handle: service.handle, attempt: undefined };
    const attempt = Promise.withResolvers<Connection>();
    const opened = attempt.promise.then((target) => {
      if (target instanceof Socket) host.loops?.connections.add(target);
      if (head) target.write(head);
      return target;
    });
    opened.catch(() => undefined);
    if (refusals.length === 0) this.#attempts.set(id, { ...attempt, chosen });
    else {
      const target = { endpoint: chosen.endpoint, addresses: [chosen.address] };
      attempt.reject(createDialError(target, refusals, undefined));
    }
    const begun = { opened, at: dialledAt, stop: () => this.#lane?.stopConnection(id) };
    return { handle: createRelay(service, host, () => goOn(begun)), attempt: opened };
  }
}

function readHeader(said: Uint8Array) {
  try {
    const read = decodeProxyHeader(Buffer.from(said.buffer, said.byteOffset, said.byteLength));
    return 'header' in read ? read : undefined;
  } catch {
    return undefined;
  }
}

/** Empty for a client without an address. */
function toEnds({ remote, local }: AskedConnection): SocketEnds {
  return {
    remoteAddress: remote?.address,
    remotePort: remote?.port,
    localAddress: local?.address,
    localPort: local?.port,
  };
}

/** A connection that the engine has released, as the same kind of socket that serve() and dial() return. */
function adopt(fd: number): Socket {
  return new Socket({ fd, allowHalfOpen: true, dataBeforeError: true }).on('error', () => undefined);
}
