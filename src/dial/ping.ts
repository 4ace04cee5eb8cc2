import { TnetError, formatLimit } from '../errors.ts';
import type { EchoCheck, Reply } from '../protocol/echo-check/echo-check.ts';
import { socketOf, type Connection } from '../net/connection.ts';

export interface PingerOptions {
  readonly connection: Connection;
  readonly check: EchoCheck;
  /** How many payloads to send; Infinity: until it is ended. */
  readonly count: number;
  /** From one payload to the next, in milliseconds. Undefined: as soon as another one may be in flight. */
  readonly intervalMs: number | undefined;
  /** How many may be in flight at once. */
  readonly window: number;
  /** After the last payload, end when nothing has come back for this long. */
  readonly quitMs: number;
  /** End when nothing has come back for this long. Default: no limit. */
  readonly idleMs?: number | undefined;
  readonly signal: AbortSignal;
  readonly onReply?: (reply: Reply) => void;
}

/** How a ping ended: with `error` unless it was ended by its count, its limits or the signal. */
export interface PingEnding {
  readonly error?: Error;
  readonly durationMs: number;
}

/** How far behind a pace may fall, because the peer took nothing, and still be caught up with. */
const catchUpMs = 1_000;
/** How soon to check again whether a lost datagram has made room. */
const lookMs = 20;
/** After everything has come back: how long to wait for the end of the peer's side, or for a byte too many. */
const lastLookMs = 250;

/**
 * Sends payloads on an open connection and gives what comes back to the check, until all have been sent and have
 * come back, or something ends it. The caller closes the connection.
 */
export function runPing(options: PingerOptions): Promise<PingEnding> {
  return new Pinger(options).ended;
}

class Pinger {
  readonly ended: Promise<PingEnding>;
  readonly #options: PingerOptions;
  readonly #settle: (ending: PingEnding) => void;
  readonly #startedAt = performance.now();
  #nextAt = this.#startedAt;
  #paceTimer: NodeJS.Timeout | undefined;
  #quitTimer: NodeJS.Timeout | undefined;
  readonly #idleTimer: NodeJS.Timeout | undefined;
  /** Set when the ping is over and only the peer's end is waited for. */
  #durationMs: number | undefined;
  #isOver = false;

  constructor(options: PingerOptions) {
    this.#options = options;
    const { promise, resolve } = Promise.withResolvers<PingEnding>();
    this.ended = promise;
    this.#settle = resolve;
    const { connection, signal, idleMs } = options;
    if (idleMs !== undefined) {
      this.#idleTimer = setTimeout(() => {
        this.#end(new TnetError('TNET_E_TIMEOUT', `nothing came back for ${formatLimit(idleMs)}`));
      }, idleMs);
    }
    connection.on('data', (chunk: Buffer) => this.#receive(chunk));
    connection.on('drain', () => this.#pump());
    connection.on('error', (error) => this.#end(error));
    connection.on('end', () => this.#peerEnded());
    connection.on('close', () => this.#peerEnded());
    // What precedes a stream, such as a proxy's answer, is read from a socket that is then paused.
    connection.resume();
    const interrupt = () => this.#end();
    if (signal.aborted) interrupt();
    else signal.addEventListener('abort', interrupt, { once: true });
    this.#pump();
  }

  /** Sends what is due and may be sent now, and ensures that the rest follows. */
  #pump(): void {
    const { connection, check, count, intervalMs, window } = this.#options;
    clearTimeout(this.#paceTimer);
    while (!this.#isStopped && check.counts.sent < count) {
      const now = performance.now();
      // Continues at 'drain', or when something has come back.
      if (connection.writableNeedDrain) return;
      if (check.inFlight(now) >= window) return this.#pumpIn(lookMs);
      if (intervalMs !== undefined) {
        if (now < this.#nextAt) return this.#pumpIn(this.#nextAt - now);
        this.#nextAt = Math.max(this.#nextAt + intervalMs, now - catchUpMs);
      }
      connection.write(check.send(now));
    }
    if (!this.#isStopped) this.#quitTimer ??= setTimeout(() => this.#end(), this.#options.quitMs);
  }

  #pumpIn(delayMs: number): void {
    this.#paceTimer = setTimeout(() => this.#pump(), delayMs);
  }

  #receive(chunk: Buffer): void {
    if (this.#isOver) return;
    const { check, count, onReply } = this.#options;
    const replies = check.receive(chunk, performance.now());
    this.#idleTimer?.refresh();
    if (replies.length > 0 || socketOf(this.#options.connection)) this.#quitTimer?.refresh();
    for (const reply of replies) onReply?.(reply);
    const { sent, received } = check.counts;
    if (sent === count && received === sent) this.#endOwnSide();
    else if (this.#options.intervalMs === undefined) this.#pump();
  }

  get #isStopped(): boolean {
    return this.#isOver || this.#durationMs !== undefined;
  }

  /** Everything is back. A stream is ended in order, so that anything after the last byte is noticed. */
  #endOwnSide(): void {
    if (this.#isStopped) return;
    this.#durationMs = performance.now() - this.#startedAt;
    const { connection } = this.#options;
    if (!socketOf(connection)) return this.#end();
    clearTimeout(this.#quitTimer);
    this.#quitTimer = setTimeout(() => this.#end(), lastLookMs);
    connection.end();
  }

  #peerEnded(): void {
    if (this.#durationMs !== undefined) return this.#end();
    this.#end(new TnetError('TNET_E_ECHO', 'the peer ended the connection before everything had come back'));
  }

  #end(error?: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const timer of [this.#paceTimer, this.#quitTimer, this.#idleTimer]) clearTimeout(timer);
    const durationMs = this.#durationMs ?? performance.now() - this.#startedAt;
    // A break of the connection after everything came back says nothing about the echo.
    this.#settle(error && this.#durationMs === undefined ? { error, durationMs } : { durationMs });
  }
}
