/** What a server has done so far, over all its listeners. `sentBytes` went to clients, `receivedBytes` came from them. */
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

/** Bytes that went to the client, and that came from it. */
export interface Moved {
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

const nothingMoved: Moved = { sentBytes: 0, receivedBytes: 0 };

/** One open connection, as the ledger knows it. */
export interface OpenConnection {
  readonly id: number;
  readonly remote: string;
  /** What the client is connected to; undefined while that is not decided. */
  target: string | undefined;
  readonly startedAt: number;
  /** What it has moved up to now; undefined while nothing is. */
  moved: (() => Moved) | undefined;
  /** Ends it now, whatever it is at. */
  breakOff: (() => void) | undefined;
  /** A session between two UDP ends: it has no end of its own, so that ending it cuts nothing. */
  isSession: boolean;
}

/** One open connection at a moment. `sentBytes` went to the client, `receivedBytes` came from it. */
export interface CarriedConnection extends Omit<OpenConnection, 'moved' | 'breakOff' | 'isSession'>, Moved {}

/** What a connection comes to in the sums. */
export interface Carried extends Moved {
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
      moved: undefined,
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
    if (carried.isProbe) this.probe();
  }

  /** Counts a client that came and went without a word. */
  probe(): void {
    this.#probes++;
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

  /** What the open connections have moved up to now, all together. */
  get moving(): Moved {
    let { sentBytes, receivedBytes } = nothingMoved;
    for (const { moved } of this.open) {
      const one = moved?.() ?? nothingMoved;
      sentBytes += one.sentBytes;
      receivedBytes += one.receivedBytes;
    }
    return { sentBytes, receivedBytes };
  }

  /** The open connections with what each has carried up to now. */
  list(): CarriedConnection[] {
    return Array.from(this.open, ({ id, remote, target, startedAt, moved }) => ({
      id,
      remote,
      target,
      startedAt,
      ...(moved?.() ?? nothingMoved),
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
    };
  }
}
