import { roundMs } from '../src/quantities.ts';
import type { Connection } from '../src/net/connection.ts';
import { formatBound, formatLocal, formatRemote, type BoundServer } from '../src/serve/serve.ts';
import { exitCodes } from '../src/exit-codes.ts';
import type { EndingReason } from '../src/flow/flow.ts';
import { Socket } from '../src/net/index.ts';
import type { LiveConnection } from '../src/report/live-rates.ts';
import { ConnectionGuard } from '../src/net/guard.ts';
import type { Handler } from '../src/serve/handler.ts';
import { Ledger, type Moved, type OpenConnection } from '../src/serve/ledger.ts';
import { refuse } from '../src/serve/refuse.ts';
import type { Endpoint } from '../src/address/endpoint.ts';
import type { Context } from './context.ts';
import { recordOf, type Recorder } from './options/recording.ts';
import { catchInterruption, endingReason, type Interruption, type RunLimit } from './signals.ts';

interface ConnectionEnding {
  readonly reason: EndingReason;
  readonly error?: Error | undefined;
}

const nothingMoved: Moved = { sentBytes: 0, receivedBytes: 0 };

/** One accepted connection, as a server command reports it. */
export interface ConnectionReport {
  readonly id: number;
  readonly remote: string;
  /** Counts what the connection has moved so far into the run's sums, until its end. */
  watch(moved: () => Moved): void;
  /** Reports the end. The socket is the caller's to close. */
  ended(ending: ConnectionEnding, totals: Moved): void;
}

/** What a run has done so far, the open connections included as far as they are watched. */
export interface RunSums extends Moved {
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
  readonly #ledger = new Ledger();
  /** Bytes of datagrams that were answered one by one. */
  readonly #loose = { sentBytes: 0, receivedBytes: 0 };
  #datagrams = 0;
  #dropped = 0;
  /** Connections that had not ended when the run was interrupted. */
  #cut = 0;
  /** What reports a connection's end. */
  readonly #reports = new WeakMap<Connection, { report: ConnectionReport; entry: OpenConnection }>();

  /** `recorder` records the connections that are accepted. Default: none are. `limit` ends the run. Default: nothing does. */
  constructor(context: Context, recorder?: Recorder, limit?: RunLimit) {
    this.interruption = catchInterruption(limit);
    this.#context = context;
    this.#recorder = recorder;
    this.interruption.signal.addEventListener('abort', () => {
      if (this.interruption.status !== undefined) context.exit(this.interruption.status);
      this.#closeServers(() => this.#reportTotals());
      for (const { breakOff } of this.#ledger.open) breakOff?.();
    });
    process.on('SIGUSR1', () => this.#reportTotals());
  }

  /** Aborts when accepting is over: stopped or interrupted. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  get sums(): RunSums {
    const { connections, open, sentBytes, receivedBytes } = this.#ledger.sum();
    return {
      connections,
      open,
      sentBytes: sentBytes + this.#loose.sentBytes,
      receivedBytes: receivedBytes + this.#loose.receivedBytes,
      datagrams: this.#datagrams,
      dropped: this.#dropped,
    };
  }

  /** The open connections, as far as they are watched. */
  get list(): readonly LiveConnection[] {
    return this.#ledger.list();
  }

  /** What the server has really bound. */
  get address(): string {
    return this.#address;
  }

  /**
   * Serves the run's metrics until accepting is over; `command` is the second word of their names.
   *
   * @throws ServeError
   */
  async serveMetrics(endpoint: Endpoint, command: string): Promise<void> {
    const { startMetrics } = await import('./options/metrics.ts');
    const served = await startMetrics(this.#context, endpoint, this.stopping, {
      server: command,
      sum: () => ({ ...this.#ledger.sum(), ...this.sums }),
      refresh: () => undefined,
      isReady: () => this.#servers.size > 0,
    });
    if (served) this.stopping.addEventListener('abort', served.close, { once: true });
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
    return this.#report(socket, this.#enter(socket));
  }

  /** Serves a client by a handler, reports its end, and has it closed then. */
  async serve(client: Connection, handle: Handler): Promise<void> {
    const entry = this.#enter(client);
    const report = this.#report(client, entry);
    const guard = new ConnectionGuard((fault) => this.broken(client, fault));
    const served = handle({ client, greeting: {}, listener: this.#address, entry, guard });
    if (this.interruption.signal.aborted) entry.breakOff?.();
    const ending = await served;
    report.ended(ending, entry.moved?.() ?? nothingMoved);
    await ending.close();
  }

  #enter(socket: Connection): OpenConnection {
    const entry = this.#ledger.enter(formatRemote(socket, this.#address));
    const { id, remote } = entry;
    this.#recorder?.open(socket, id, 'accepted', this.#address);
    const local = formatLocal(socket, this.#address);
    this.#context.reporter.emit({ event: 'accepted', id, local, remote });
    return entry;
  }

  #report(socket: Connection, entry: OpenConnection): ConnectionReport {
    const { id, remote, startedAt } = entry;
    const { reporter } = this.#context;
    const report: ConnectionReport = {
      id,
      remote,
      watch(moved) {
        entry.moved = moved;
      },
      ended: (ending, moved) => {
        // A fault may end a connection that is being ended already.
        if (!this.#ledger.open.has(entry)) return;
        if (ending.reason === 'aborted' && this.interruption.signal.aborted) this.#cut++;
        this.#ledger.leave(entry, { ...moved, failed: ending.error !== undefined });
        const reason = endingReason(ending.reason, this.interruption);
        recordOf(socket)?.closed(reason);
        if (ending.error) reporter.fail(remote, ending.error, id);
        const durationMs = elapsedMs(startedAt);
        reporter.emit({ event: 'ended', id, remote, reason, ...moved, durationMs });
      },
    };
    this.#reports.set(socket, { report, entry });
    return report;
  }

  /** Ends the report of a connection that a fault of tnet has ended. Where it was the only one, that is the status. */
  broken(socket: Connection, error: Error): void {
    const known = this.#reports.get(socket);
    if (known) known.report.ended({ reason: 'aborted', error }, known.entry.moved?.() ?? nothingMoved);
    else this.#context.reporter.fail(formatRemote(socket, this.#address), error);
    if (this.#stopping.signal.aborted && this.interruption.status === undefined) {
      this.#context.exit(exitCodes.failed);
    }
  }

  /** Reports a datagram that a service has taken, and its answer if there was one. */
  datagram(remote: string, receivedBytes: number, sentBytes: number | undefined): void {
    this.#datagrams++;
    this.#loose.receivedBytes += receivedBytes;
    this.#loose.sentBytes += sentBytes ?? 0;
    const answer = sentBytes === undefined ? {} : { sentBytes };
    this.#context.reporter.emit({ event: 'datagram', remote, receivedBytes, ...answer });
  }

  /** Counts a datagram that a service has not taken. */
  datagramDropped(): void {
    this.#dropped++;
  }

  /** Counts a client that left without the greeting that was waited for. */
  probed(remote: string): void {
    this.#ledger.probe();
    this.#context.reporter.emit({ event: 'probe', remote });
  }

  /** Counts a client that is turned away, and reports it. */
  refused(remote: string, reason: string): void {
    const { reporter } = this.#context;
    refuse({ ledger: this.#ledger, emit: (event) => reporter.emit(event) }, remote, reason);
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
    const { probes } = this.#ledger.sum();
    this.#context.reporter.emit({
      event: 'totals',
      connections,
      sentBytes,
      receivedBytes,
      durationMs: elapsedMs(this.#startedAt),
      ...(probes > 0 && { probes }),
      ...(datagrams + dropped > 0 && { datagrams, dropped }),
    });
  }
}

/** Milliseconds since `startedAt` (of performance.now()), to the microsecond. */
export function elapsedMs(startedAt: number): number {
  return roundMs(performance.now() - startedAt);
}
