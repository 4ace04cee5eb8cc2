import type { Relay } from '../flow/relay.ts';

/** What a proxy has done so far, over all its listeners. `sentBytes` went to clients, `receivedBytes` came from them. */
export interface Totals {
  readonly connections: number;
  readonly open: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** How many connections ended with an error. */
  readonly failed: number;
  /** How many came and went without a word, where a word was waited for: the checks of load balancers. */
  readonly probes: number;
  /** How many clients were turned away, by reason. */
  readonly refused: Readonly<Record<string, number>>;
}

/** One open connection, as the ledger knows it. */
export interface OpenConnection {
  readonly id: number;
  readonly remote: string;
  /** What the client is connected to; undefined while that is not decided. */
  target: string | undefined;
  readonly startedAt: number;
  /** Undefined until both ends are joined. */
  relay: Pick<Relay, 'up' | 'down' | 'stop'> | undefined;
  /** Ends it now, whatever it is at; undefined where only its relay can be stopped. */
  breakOff: (() => void) | undefined;
  /** A session between two UDP ends: it has no end of its own, so that ending it cuts nothing. */
  isSession: boolean;
}

/** One open connection at a moment. `sentBytes` went to the client, `receivedBytes` came from it. */
export interface CarriedConnection extends Omit<OpenConnection, 'relay' | 'breakOff' | 'isSession'> {
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

/** What a connection comes to in the sums. */
export interface Carried {
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly failed: boolean;
  readonly isProbe?: boolean;
}

/** Counts connections, bytes and refusals. */
export class Ledger {
  readonly open = new Set<OpenConnection>();
  readonly #refused = new Map<string, number>();
  #connections = 0;
  #failed = 0;
  #probes = 0;
  #sentBytes = 0;
  #receivedBytes = 0;

  /** Enters a connection. Its number counts from 1, unless it has got one elsewhere. */
  enter(remote: string, given?: number): OpenConnection {
    this.#connections++;
    const id = given ?? this.#connections;
    const entry: OpenConnection = {
      id,
      remote,
      target: undefined,
      startedAt: performance.now(),
      relay: undefined,
      breakOff: undefined,
      isSession: false,
    };
    this.open.add(entry);
    return entry;
  }

  /** Strikes a connection off, with what it carried. */
  leave(entry: OpenConnection, carried: Carried): void {
    this.open.delete(entry);
    this.#sentBytes += carried.sentBytes;
    this.#receivedBytes += carried.receivedBytes;
    if (carried.failed) this.#failed++;
    if (carried.isProbe) this.#probes++;
  }

  refuse(reason: string): void {
    // A long list of denials is one reason: it becomes a label of the metrics.
    const kind = reason.startsWith('denied by ') ? 'denied' : reason;
    this.#refused.set(kind, (this.#refused.get(kind) ?? 0) + 1);
  }

  /** How many open connections would be cut if everything ended now. */
  get unended(): number {
    return Array.from(this.open).filter(({ isSession }) => !isSession).length;
  }

  /** The open connections with what each has carried up to now. */
  list(): CarriedConnection[] {
    return Array.from(this.open, ({ id, remote, target, startedAt, relay }) => ({
      id,
      remote,
      target,
      startedAt,
      sentBytes: relay?.down.bytes ?? 0,
      receivedBytes: relay?.up.bytes ?? 0,
    }));
  }

  /** What has been done up to now, open connections included. */
  sum(): Totals {
    let [sentBytes, receivedBytes] = [this.#sentBytes, this.#receivedBytes];
    for (const { relay } of this.open) {
      sentBytes += relay?.down.bytes ?? 0;
      receivedBytes += relay?.up.bytes ?? 0;
    }
    return {
      connections: this.#connections,
      open: this.open.size,
      sentBytes,
      receivedBytes,
      failed: this.#failed,
      probes: this.#probes,
      refused: Object.fromEntries(this.#refused),
    };
  }
}
