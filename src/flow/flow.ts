import type { Duplex, Readable, Writable } from 'node:stream';

/**
 * Why a flow or a session stopped.
 *
 * - `eof`: the source came to its end and the sink has taken everything.
 * - `reset`: one side broke off (ECONNRESET, EPIPE, or another failure of the stream); `error` says how.
 * - `timeout`: a time limit ended it.
 * - `aborted`: it was stopped from outside.
 * - `limit`: a limit on bytes or connections ended it.
 */
export type EndingReason = 'eof' | 'reset' | 'timeout' | 'aborted' | 'limit';

/** How a flow ended, as a value: an expected end is not an error. */
export interface Ending {
  readonly reason: EndingReason;
  /** Bytes that the sink has taken. */
  readonly bytes: number;
  /** Bytes that were read from the source and that the sink has not taken. 0 for `eof`. */
  readonly unsentBytes: number;
  /** What broke, when something did. */
  readonly error?: Error;
  /** Which side broke or ended the flow. */
  readonly side?: 'source' | 'sink';
  /** What is left of `lastWordsMs`, in milliseconds, when the native engine has seen the source break. */
  readonly restMs?: number;
  /** What the opposite flow of the connection had read by then; only the native engine reports it, and later. */
  readonly oppositeRead?: number;
}

/**
 * Bytes in one direction: from a readable side to a writable side until the source ends, then a half-close.
 *
 *     source ──▶ transform ──▶ … ──▶ sink
 *        ▲                             │
 *        └──── paused while full ◀─────┘
 *
 * echo is one flow from a socket to itself; connect and listen are two (stdin → socket, socket → stdout); proxy is two.
 */
export interface FlowOptions {
  /** Read until it ends. Not closed by the flow. */
  readonly source: Readable;
  /** Written to; ended when the source ends (see `onEnd`). Not destroyed by the flow. */
  readonly sink: Writable;
  /** Applied in order. The flow owns them and destroys them when it is over. */
  readonly transforms?: readonly Duplex[];
  /** What the source's end does to the sink: `half-close` (default) ends it, `keep-open` leaves it as it is. */
  readonly onEnd?: 'half-close' | 'keep-open';
  /**
   * How long the sink may take for what the source delivered before it broke; then the flow ends with the break,
   * and counts the rest as unsent. Only the native engine sees a break while the sink takes nothing. Default 0: no
   * limit.
   */
  readonly lastWordsMs?: number | undefined;
  /** Called with every chunk of bytes read from the source, before it is written. */
  readonly onActivity?: (bytes: number) => void;
}

/** A running flow. */
export interface Flow {
  /** Bytes that the sink has taken so far. */
  readonly bytes: number;
  /** Bytes read from the source so far. */
  readonly bytesRead: number;
  /** Bytes that are in flight from the source to the sink; transforms may have made them more or fewer. */
  readonly untakenBytes: number;
  /** Whether the sink is not taking bytes at this moment. */
  readonly blocked: boolean;
  /** Settles once, never rejects. After it the flow holds no listener on either end. */
  readonly ended: Promise<Ending>;
  /** Stops reading at once. What was read and not yet taken is counted in the ending's `unsentBytes`. */
  stop(reason: 'timeout' | 'aborted' | 'limit', error?: Error): void;
  /** Acts as if the source had ended now: what was read is delivered, then `onEnd` applies. */
  finish(): void;
}
