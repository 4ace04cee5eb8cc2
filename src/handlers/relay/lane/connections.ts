import { idleError, lifetimeError } from '../../../errors.ts';
import type { AccessList } from '../../../access/access-list.ts';
import { formatHostPort, formatTargetEndpoint } from '../../../address/endpoint.ts';
import type { EndingReason } from '../../../flow/flow.ts';
import type { ExpressLane, LaneEvent, LaneName } from '../../../flow/express-lane.ts';
import { createFault } from '../../../net/guard.ts';
import { describeError } from '../../../report/sentences.ts';
import { ExpressRelay } from './relay.ts';
import { createDialError, createRefusal, formatLaneTarget, type ExpressTarget } from './target.ts';
import { defaultConnectMs, type PairValues } from '../pair.ts';
import { leave, refuse, type OpenConnection } from '../../../serve/ledger.ts';
import { createLoopError } from '../targets/rules.ts';
import { timedOut } from '../cut.ts';
import type { ProxyHost } from '../host.ts';

type EventOf<Type extends LaneEvent['type']> = Extract<LaneEvent, { type: Type }>;

/** A connection of a lane, by the engine's number. */
interface Entry {
  readonly open: OpenConnection;
  readonly refusals: NodeJS.ErrnoException[];
  relay: ExpressRelay | undefined;
}

export interface ExpressConnectionsOptions {
  readonly host: ProxyHost;
  /** What the listener has bound; names a client that has no address. */
  readonly address: string;
  readonly target: ExpressTarget;
  /** Says why a client was turned away. */
  readonly access: AccessList | undefined;
  readonly values: PairValues;
}

/** Reports what a lane's connections do, in the words and the order of serveClient(). */
export class ExpressConnections {
  readonly #host: ProxyHost;
  readonly #address: string;
  readonly #target: ExpressTarget;
  readonly #targetName: string;
  readonly #access: AccessList | undefined;
  readonly #values: PairValues;
  readonly #entries = new Map<number, Entry>();
  #lane: ExpressLane | undefined;

  constructor({ host, address, target, access, values }: ExpressConnectionsOptions) {
    this.#host = host;
    this.#address = address;
    this.#target = target;
    this.#targetName = formatTargetEndpoint(target.endpoint);
    this.#access = access;
    this.#values = values;
  }

  /** Ends the dials of this lane when everything is to end. */
  watch(lane: ExpressLane): void {
    this.#lane = lane;
    const { signal } = this.#host;
    const stop = () => {
      for (const [id, { relay }] of this.#entries) if (!relay) lane.stopConnection(id);
    };
    signal.addEventListener('abort', stop, { once: true });
    void lane.ended.then(() => signal.removeEventListener('abort', stop));
  }

  report(events: readonly LaneEvent[]): void {
    for (const event of events) {
      try {
        this.#reportOne(event);
      } catch (error) {
        this.#host.fail(this.#address, createFault(error));
        if ('id' in event) this.#lane?.stopConnection(event.id);
      }
    }
  }

  #reportOne(event: LaneEvent): void {
    if (event.type === 'shortage') this.#host.fail(this.#address, event.error);
    else if (event.type === 'accepted') this.#accepted(event);
    else if (event.type === 'denied') this.#denied(event);
    else {
      const entry = this.#entries.get(event.id);
      if (entry) this.#reportKnown(entry, event);
    }
  }

  #accepted({ id, remote, local }: EventOf<'accepted'>): void {
    const { ledger, emit, signal } = this.#host;
    const open = ledger.enter(this.#name(remote));
    this.#entries.set(id, { open, refusals: [], relay: undefined });
    emit({ event: 'accepted', id: open.id, local: this.#name(local), remote: open.remote });
    this.#attempt(0);
    if (signal.aborted) this.#lane?.stopConnection(id);
  }

  #denied({ remote }: EventOf<'denied'>): void {
    // The lists may have been read again since.
    const reason = this.#access?.judge(remote?.address) ?? 'not allowed';
    refuse(this.#host, this.#name(remote), reason);
  }

  #attempt(index: number): void {
    const address = this.#target.addresses[index];
    if (address) this.#host.emit({ event: 'attempt', address: formatLaneTarget(address) });
  }

  #reportKnown(entry: Entry, event: EventOf<'refused' | 'connected' | 'ended'>): void {
    if (event.type === 'refused') this.#refused(entry, event);
    else if (event.type === 'connected') this.#connected(entry, event);
    else this.#ended(entry, event);
  }

  #refused({ refusals }: Entry, { target, errno }: EventOf<'refused'>): void {
    const address = this.#target.addresses[target];
    if (!address) return;
    const error = createRefusal(address, errno);
    refusals.push(error);
    const { code = 'ERROR' } = error;
    const message = describeError(error);
    this.#host.emit({ event: 'attempt-failed', address: formatLaneTarget(address), code, message });
    this.#attempt(target + 1);
  }

  #connected(entry: Entry, { id, local }: EventOf<'connected'>): void {
    const { open } = entry;
    const remote = this.#targetName;
    if (this.#lane) {
      const relay = new ExpressRelay(this.#lane, id);
      entry.relay = relay;
      open.moved = () => ({ sentBytes: relay.down.bytes, receivedBytes: relay.up.bytes });
      open.breakOff = () => relay.stop();
    }
    open.target = remote;
    this.#host.emit({ event: 'connected', id: open.id, local: format(local) ?? remote, remote });
  }

  #ended(entry: Entry, event: EventOf<'ended'>): void {
    const { open, relay } = entry;
    this.#entries.delete(event.id);
    relay?.end(event);
    if (!relay && !this.#host.signal.aborted) {
      if (event.error?.code === 'ELOOP')
        this.#host.fail(this.#address, createLoopError(this.#address, this.#targetName), open.id);
      else this.#host.fail(this.#targetName, this.#dialError(entry, event), open.id);
    }
    leave(
      open,
      this.#host,
      relay ? this.#outcome(event) : { reason: 'aborted', failed: true },
      event.durationMs,
    );
  }

  #dialError({ refusals }: Entry, { broken }: EventOf<'ended'>): Error {
    const limitMs = broken ? undefined : (this.#values.waitConnect ?? defaultConnectMs);
    return createDialError(this.#target, refusals, limitMs);
  }

  #outcome({ error, broken }: EventOf<'ended'>): { reason: EndingReason; error?: Error; failed?: boolean } {
    if (!error) return { reason: 'eof' };
    // What a writer finds behind an orderly end: the side had left.
    if (broken && error.code === 'EPIPE') return { reason: 'reset' };
    if (broken) return { reason: 'reset', error };
    const { idle = 0, timeout = 0 } = this.#values;
    if (error.code === 'ETIMEDOUT') return timedOut(idleError(idle));
    if (error.code === 'ECONNABORTED') return timedOut(lifetimeError(timeout));
    return { reason: 'aborted', failed: true };
  }

  #name(name: LaneName | undefined): string {
    return format(name) ?? this.#address;
  }
}

function format(name: LaneName | undefined): string | undefined {
  return name && formatHostPort(name.address, name.port);
}
