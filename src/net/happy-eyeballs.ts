import type net from 'node:net';
import { longestDelayMs } from '../quantities.ts';
import { findCandidates, type Attempt, type Candidate } from './candidates.ts';
import { createRaceError, createSelfRefusal, createTimeoutError, type Progress } from './connect-failure.ts';
import type { SocketOptions } from './socket-type.ts';
import { SocketClass, type Socket } from './socket.ts';
import { onAbort } from './deadline.ts';
import { guarded } from './guard.ts';

export interface RaceOptions extends Omit<SocketOptions, 'signal' | 'fd' | 'handle' | 'type'> {
  readonly port: number;
  /** A name or an address. Default `localhost`. */
  readonly host?: string | undefined;
  /** Only this family: 4 or 6. Default 0, both. */
  readonly family?: 0 | 4 | 6 | undefined;
  /** The address to connect from; candidates of the other family are left out. */
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  /** As in node:net; called with `all: true`. Default dns.lookup; localhost and the names under it are loopback. */
  readonly lookup?: net.LookupFunction | undefined;
  /** dns.lookup's hints. */
  readonly hints?: number | undefined;
  /**
   * How long an attempt runs before the next one starts in parallel, in milliseconds. Default 250 (RFC 8305, 8).
   */
  readonly staggerMs?: number | undefined;
  /** The limit for DNS and all attempts together, in milliseconds. Default: no limit. */
  readonly timeoutMs?: number | undefined;
  /** The limit that the error names, if `timeoutMs` is only the rest of it. Default `timeoutMs`. */
  readonly limitMs?: number | undefined;
  /** Ends the race; the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Judges an address before it is tried: an error keeps it from being connected to, and counts as its failure. */
  readonly judge?: ((candidate: Candidate) => Error | undefined) | undefined;
  /** Called with the candidates in the order in which they will be tried. */
  readonly onLookup?: ((candidates: readonly Candidate[]) => void) | undefined;
  /** Lets the caller reword an attempt's failure. */
  readonly explain?: ((error: Error) => Error) | undefined;
  readonly onAttempt?: ((attempt: Attempt) => void) | undefined;
  readonly onAttemptFailed?: ((attempt: Attempt, error: Error) => void) | undefined;
}

const defaultStaggerMs = 250;

/**
 * Connects to the first address of the host that accepts, by RFC 8305: families take turns, a new attempt starts
 * when the last one has failed or has run for `staggerMs`, attempts run side by side, and the first to connect wins.
 * The others are destroyed.
 *
 * @returns the connected socket, which belongs to the caller. No listener of the race is left on it.
 * @throws when every address has failed: the error of the only one, or an AggregateError whose message lists each
 *   address with its reason, whose `errors` are theirs, and whose `code` is the first one's, as node:net's is. A refusal
 *   comes first among them, a failure of this machine's own set-up last.
 *   TNET_E_TIMEOUT when the limit ran out, with what failed before as its `cause`. The resolver's error (ENOTFOUND, …).
 *   TNET_E_ADDRESS when no address has the wanted family.
 */
export async function connectTcp(options: RaceOptions): Promise<Socket> {
  const { signal, timeoutMs, port, staggerMs = defaultStaggerMs } = options;
  signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const progress: Progress = { tried: [], failed: new Set(), errors: [] };
  const running = new Set<Socket>();
  let candidates: readonly Candidate[] = [];
  let next = 0;
  let isOver = false;
  let stagger: NodeJS.Timeout | undefined;
  // Settled a turn later, so that a connection or an error of this same turn comes first.
  const expire = () => setImmediate(() => reject(createTimeoutError(options, progress)));
  const isLimited = timeoutMs !== undefined && timeoutMs <= longestDelayMs;
  const limit = isLimited ? setTimeout(expire, timeoutMs) : undefined;
  const ignoreAbort = signal && onAbort(signal, () => reject(signal.reason as Error));

  const tryNext = () => {
    clearTimeout(stagger);
    const candidate = candidates[next];
    if (!candidate || isOver) return;
    const attempt: Attempt = { ...candidate, port, index: next++, of: candidates.length };
    progress.tried.push(attempt);
    options.onAttempt?.(attempt);
    // The signal ends only the race: a socket that has won belongs to the caller alone.
    const socket = new SocketClass({ ...options, signal: undefined });
    const fail = (cause: Error) => {
      socket.off('connect', succeed);
      running.delete(socket);
      socket.destroy();
      if (isOver) return;
      const error = options.explain?.(cause) ?? cause;
      progress.failed.add(attempt);
      progress.errors.push(error);
      options.onAttemptFailed?.(attempt, error);
      if (next < candidates.length) tryNext();
      else if (running.size === 0) reject(createRaceError(options, progress));
    };
    const succeed = () => {
      socket.off('error', fail);
      if (isOwnPeer(socket, port)) {
        // A FIN would leave the port in TIME_WAIT, so that the awaited server could not bind it.
        socket.on('error', () => undefined).resetAndDestroy();
        fail(createSelfRefusal(attempt.address, port));
        return;
      }
      running.delete(socket);
      resolve(socket);
    };
    running.add(socket);
    socket.once('connect', succeed).once('error', fail);
    const { localAddress, localPort } = options;
    const { address: host, family } = attempt;
    socket.connect({ host, port, family, localAddress, localPort, autoSelectFamily: false });
    if (next < candidates.length) stagger = setTimeout(guarded(tryNext), Math.min(staggerMs, longestDelayMs));
  };

  const begin = (found: readonly Candidate[]) => {
    candidates = keepAllowed(found, options, progress);
    if (isOver) return;
    options.onLookup?.(candidates);
    tryNext();
  };
  try {
    const found = findCandidates(options);
    if (Array.isArray(found)) begin(found);
    else found.then(begin).catch(reject);
    return await promise;
  } finally {
    isOver = true;
    clearTimeout(limit);
    clearTimeout(stagger);
    ignoreAbort?.();
    for (const socket of running) socket.destroy();
  }
}

/** The candidates that may be tried. @throws as connectTcp() does when there is none */
function keepAllowed(
  candidates: readonly Candidate[],
  options: RaceOptions,
  progress: Progress,
): readonly Candidate[] {
  const { judge, port, onAttemptFailed } = options;
  if (!judge) return candidates;
  const kept = candidates.filter((candidate, index) => {
    const denial = judge(candidate);
    if (!denial) return true;
    const attempt = { ...candidate, port, index, of: candidates.length };
    progress.tried.push(attempt);
    progress.failed.add(attempt);
    progress.errors.push(denial);
    onAttemptFailed?.(attempt, denial);
    return false;
  });
  if (kept.length === 0) throw createRaceError(options, progress);
  return kept;
}

/** Whether both ends are the same socket. */
export function isOwnPeer(socket: net.Socket, port: number): boolean {
  return socket.localPort === port && socket.localAddress === socket.remoteAddress;
}
