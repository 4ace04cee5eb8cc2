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
}
