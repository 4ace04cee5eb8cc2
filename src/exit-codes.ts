/**
 * The exit statuses of every tnet command, defined once. The man pages' EXIT STATUS sections and the README are
 * tested against this table.
 *
 * 124 is what timeout(1) of coreutils uses; 129, 130 and 143 are what a shell reports for a process that SIGHUP,
 * SIGINT or SIGTERM ended, as they end tnet.
 */
export const exitCodes = {
  /** Done: every byte delivered. This includes a reader of stdout that left (`| head`). */
  ok: 0,
  /** The network or the peer failed: refused, reset, unreachable, DNS, TLS. `isip`: not an address. */
  failed: 1,
  /** Usage or local set-up: a bad flag, a port in use, no permission. */
  usage: 2,
  /** A time limit ended the run. */
  timeLimit: 124,
  /** Ended by SIGHUP after the flush. */
  sighup: 129,
  /** Ended by SIGINT after the flush. */
  sigint: 130,
  /** Ended by SIGTERM after the flush. */
  sigterm: 143,
} as const;
