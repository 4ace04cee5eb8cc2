import type { Connection } from '../src/net/connection.ts';
import { formatBound, formatLocal, formatRemote, type BoundServer } from '../src/serve/serve.ts';
import { exitCodes } from '../src/exit-codes.ts';
import type { EndingReason } from '../src/flow/ending.ts';
import { Socket } from '../src/net/index.ts';
import type { LiveConnection } from '../src/report/live-rates.ts';
import type { Context } from './context.ts';
import { recordOf, type Recorder } from './options/recording.ts';
import { catchInterruption, endingReason, type Interruption, type RunLimit } from './signals.ts';

interface Totals {
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

interface OpenConnection {
  readonly id: number;
  readonly remote: string;
  readonly startedAt: number;
  moved: (() => Totals) | undefined;
  /** Reports its end. */
  end: ((ending: ConnectionEnding, totals: Totals) => void) | undefined;
}

interface ConnectionEnding {
  readonly reason: EndingReason;
  readonly error?: Error;
}

/** One accepted connection, as a server command reports it. */
export interface ConnectionReport {
  readonly id: number;
  readonly remote: string;
  /** Counts what the connection has moved so far into the run's sums, until its end. */
  watch(moved: () => Totals): void;
  /** Reports the end. The socket is the caller's to close. */
  ended(ending: ConnectionEnding, totals: Totals): void;
}

/** What a run has done so far, the open connections included as far as they are watched. */
export interface RunSums extends Totals {
  readonly connections: number;
  readonly open: number;
  /** Of a UDP service: datagrams that were taken, and those that were not. */
  readonly datagrams: number;
  readonly dropped: number;
}

/**
 * The life of a server command: reports what it bound, each connection and the totals. SIGINT, SIGTERM or SIGHUP
 * stop the accepting and set the exit status; the connections are their owner's to end (`interruption.signal` tells).
 * Closing a server on a Unix socket removes its path. SIGUSR1 prints the totals so far.
 */
export class ServerRun {
  readonly interruption: Interruption;
  readonly #context: Context;
  readonly #recorder: Recorder | undefined;
  readonly #startedAt = performance.now();
  readonly #servers = new Set<BoundServer>();
  readonly #stopping = new AbortController();
  #address = '';
  #count = 0;
  #sentBytes = 0;
  #receivedBytes = 0;
  #datagrams = 0;
  #dropped = 0;
  #probes = 0;
  /** Connections that had not ended when the run was interrupted. */
  #cut = 0;
  readonly #open = new Map<number, OpenConnection>();
  readonly #entries = new WeakMap<Connection, OpenConnection>();

  /** `recorder` records the connections that are accepted. Default: none are. `limit` ends the run. Default: nothing does. */
  constructor(context: Context, recorder?: Recorder, limit?: RunLimit) {
    this.interruption = catchInterruption(limit);
    this.#context = context;
    this.#recorder = recorder;
    this.interruption.signal.addEventListener('abort', () => {
      if (this.interruption.status !== undefined) context.exit(this.interruption.status);
      this.#closeServers(() => this.#reportTotals());
    });
    process.on('SIGUSR1', () => this.#reportTotals());
  }

  /** Aborts when accepting is over: stopped or interrupted. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** How many connections have been accepted so far. */
  get count(): number {
    return this.#count;
  }

  get sums(): RunSums {
    const moving = [...this.#open.values()].flatMap(({ moved }) => moved?.() ?? []);
    return {
      connections: this.#count,
      open: this.#open.size,
      sentBytes: moving.reduce((sum, { sentBytes }) => sum + sentBytes, this.#sentBytes),
      receivedBytes: moving.reduce((sum, { receivedBytes }) => sum + receivedBytes, this.#receivedBytes),
      datagrams: this.#datagrams,
      dropped: this.#dropped,
    };
  }

  /** The open connections, as far as they are watched. */
  get list(): readonly LiveConnection[] {
    return [...this.#open.values()].map(({ id, remote, startedAt, moved }) => ({
      id,
      remote,
      startedAt,
      ...(moved?.() ?? { sentBytes: 0, receivedBytes: 0 }),
    }));
  }

  /** What the server has really bound. */
  get address(): string {
    return this.#address;
  }

  /** Takes over a server that has been bound. @returns false when the run is over by now: the server is closed again. */
  started(server: BoundServer): boolean {
    const { reporter } = this.#context;
    if (this.stopping.aborted) {
      server.close();
      return false;
    }
    this.#servers.add(server);
    this.#address = formatBound(server);
    const address = this.#address;
    reporter.emit({ event: 'listening', address });
    server.on('error', (error) => reporter.fail(address, error));
    return true;
  }

  accepted(socket: Connection): ConnectionReport {
    const id = ++this.#count;
    const startedAt = performance.now();
    const remote = formatRemote(socket, this.#address);
    const { reporter } = this.#context;
    const open: OpenConnection = { id, remote, startedAt, moved: undefined, end: undefined };
    this.#open.set(id, open);
    this.#entries.set(socket, open);
    this.#recorder?.open(socket, id, 'accepted', this.#address);
    reporter.emit({ event: 'accepted', id, local: formatLocal(socket, this.#address), remote });
    open.end = (ending, totals) => {
      // A fault may end a connection that is being ended already.
      if (!this.#open.delete(id)) return;
      if (ending.reason === 'aborted' && this.interruption.signal.aborted) this.#cut++;
      this.#sentBytes += totals.sentBytes;
      this.#receivedBytes += totals.receivedBytes;
      const reason = endingReason(ending.reason, this.interruption);
      recordOf(socket)?.closed(reason);
      if (ending.error) reporter.fail(remote, ending.error, id);
      const durationMs = elapsedMs(startedAt);
      reporter.emit({ event: 'ended', id, remote, reason, ...totals, durationMs });
    };
    return {
      id,
      remote,
      watch(moved) {
        open.moved = moved;
      },
      ended: open.end,
    };
  }

  /** Ends the report of a connection that a fault of tnet has ended. Where it was the only one, that is the status. */
  broken(socket: Connection, error: Error): void {
    const open = this.#entries.get(socket);
    const totals = open?.moved?.() ?? { sentBytes: 0, receivedBytes: 0 };
    if (open?.end) open.end({ reason: 'aborted', error }, totals);
    else this.#context.reporter.fail(formatRemote(socket, this.#address), error);
    if (this.#stopping.signal.aborted && this.interruption.status === undefined) {
      this.#context.exit(exitCodes.failed);
    }
  }

  /** Reports a datagram that a service has taken, and its answer if there was one. */
  datagram(remote: string, receivedBytes: number, sentBytes: number | undefined): void {
    this.#datagrams++;
    this.#receivedBytes += receivedBytes;
    this.#sentBytes += sentBytes ?? 0;
    const answer = sentBytes === undefined ? {} : { sentBytes };
    this.#context.reporter.emit({ event: 'datagram', remote, receivedBytes, ...answer });
  }

  /** Counts a datagram that a service has not taken. */
  datagramDropped(): void {
    this.#dropped++;
  }

  /** Counts a client that left without the greeting that was waited for. */
  probed(remote: string): void {
    this.#probes++;
    this.#context.reporter.emit({ event: 'probe', remote });
  }

  /** Sets options on an accepted socket. A client that is gone already takes none, which is told and no more. */
  tune(client: Connection, apply: ((socket: Socket) => void) | undefined): void {
    try {
      if (client instanceof Socket) apply?.(client);
    } catch (error) {
      this.#context.reporter.fail(formatRemote(client, this.#address), error);
    }
  }

  /** Stops accepting; what has been accepted goes on. */
  stop(): void {
    this.#closeServers();
  }

  #closeServers(done?: () => void): void {
    this.#stopping.abort();
    let open = this.#servers.size;
    for (const server of this.#servers) {
      server.close(() => {
        if (--open === 0) done?.();
      });
    }
    this.#servers.clear();
  }

  #reportTotals(): void {
    if (this.#cut > 0) this.#context.reporter.emit({ event: 'cut', connections: this.#cut });
    const { connections, sentBytes, receivedBytes, datagrams, dropped } = this.sums;
    this.#context.reporter.emit({
      event: 'totals',
      connections,
      sentBytes,
      receivedBytes,
      durationMs: elapsedMs(this.#startedAt),
      ...(this.#probes > 0 && { probes: this.#probes }),
      ...(datagrams + dropped > 0 && { datagrams, dropped }),
    });
  }
}

/** Milliseconds since `startedAt` (of performance.now()), to the microsecond. */
export function elapsedMs(startedAt: number): number {
  return Math.round((performance.now() - startedAt) * 1000) / 1000;
}
