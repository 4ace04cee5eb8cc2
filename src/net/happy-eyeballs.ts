import type { LookupAddress } from 'node:dns';
import type net from 'node:net';
import { errorCode, TnetError } from '../errors.ts';
import { longestDelayMs } from '../quantities.ts';
import { createSelfRefusal, sortFailures } from './connect-failure.ts';
import { isIP, isIPv4 } from '../address/ip.ts';
import { lookupAll } from './lookup.ts';
import type { SocketOptions } from './socket-options.ts';
import { SocketClass, type Socket } from './socket.ts';
import { guarded } from './guard.ts';

/** One address to try. */
export interface Candidate {
  readonly address: string;
  readonly family: 4 | 6;
}

/** One address being tried. */
export interface Attempt extends Candidate {
  readonly port: number;
  /** Counts from 0. */
  readonly index: number;
  /** How many addresses there are to try. */
  readonly of: number;
}

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
  /** How long an attempt runs before the next one starts beside it, in milliseconds. Default 250 (RFC 8305, 8). */
  readonly staggerMs?: number | undefined;
  /** The limit for the whole: DNS and all attempts together, in milliseconds. Default: no limit. */
  readonly timeoutMs?: number | undefined;
  /** What the error calls the limit, where `timeoutMs` is only the rest of it. Default `timeoutMs`. */
  readonly limitMs?: number | undefined;
  /** Ends the race; the promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Judges an address before it is tried: an error keeps it from being connected to, and counts as its failure. */
  readonly judge?: ((candidate: Candidate) => Error | undefined) | undefined;
  /** Called with the candidates in the order in which they will be tried. */
  readonly onLookup?: ((candidates: readonly Candidate[]) => void) | undefined;
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
  const { signal, timeoutMs } = options;
  signal?.throwIfAborted();
  const stop = new AbortController();
  const progress: Progress = { tried: [], errors: [] };
  const failure = Promise.withResolvers<never>();
  const timer =
    timeoutMs === undefined || timeoutMs > longestDelayMs
      ? undefined
      : // Settled a turn later, so that a connection or an error of this very turn comes first.
        setTimeout(
          () => setImmediate(() => failure.reject(createTimeoutError(options, progress))),
          timeoutMs,
        );
  const onAbort = () => failure.reject(signal?.reason as Error);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([failure.promise, race(options, progress, stop.signal)]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    stop.abort();
  }
}

/** What an error has to tell: which addresses were tried, and why each that is over failed. */
export interface Progress {
  readonly tried: Pick<Attempt, 'address' | 'family' | 'port'>[];
  readonly errors: Error[];
}

async function race(options: RaceOptions, progress: Progress, stop: AbortSignal): Promise<Socket> {
  const candidates = keepAllowed(await findCandidates(options), options, progress);
  if (!stop.aborted) options.onLookup?.(candidates);
  const { port, staggerMs = defaultStaggerMs } = options;
  return new Promise((resolve, reject) => {
    const running = new Set<Socket>();
    let next = 0;
    let isOver = false;
    let timer: NodeJS.Timeout | undefined;
    const finish = (winner?: Socket) => {
      isOver = true;
      clearTimeout(timer);
      if (winner) running.delete(winner);
      for (const socket of running) socket.destroy();
      running.clear();
    };
    const startNext = () => {
      clearTimeout(timer);
      const candidate = candidates[next];
      if (!candidate || isOver) return;
      const attempt: Attempt = { ...candidate, port, index: next++, of: candidates.length };
      progress.tried.push(attempt);
      options.onAttempt?.(attempt);
      const socket = startAttempt(options, attempt, {
        connected() {
          if (isOver) return;
          finish(socket);
          resolve(socket);
        },
        failed(error) {
          running.delete(socket);
          socket.destroy();
          if (isOver) return;
          progress.errors.push(error);
          options.onAttemptFailed?.(attempt, error);
          if (next < candidates.length) startNext();
          else if (running.size === 0) reject(createRaceError(options, progress));
        },
      });
      running.add(socket);
      if (next < candidates.length)
        timer = setTimeout(guarded(startNext), Math.min(staggerMs, longestDelayMs));
    };
    stop.addEventListener('abort', () => finish(), { once: true });
    if (!stop.aborted) startNext();
  });
}

/** The candidates that may be tried. @throws as connectTcp() does when there is none */
function keepAllowed(
  candidates: readonly Candidate[],
  options: RaceOptions,
  progress: Progress,
): Candidate[] {
  const { judge, port, onAttemptFailed } = options;
  if (!judge) return [...candidates];
  const kept = candidates.filter((candidate, index) => {
    const denial = judge(candidate);
    if (!denial) return true;
    const attempt = { ...candidate, port, index, of: candidates.length };
    progress.tried.push(attempt);
    progress.errors.push(denial);
    onAttemptFailed?.(attempt, denial);
    return false;
  });
  if (kept.length === 0) throw createRaceError(options, progress);
  return kept;
}

interface AttemptEvents {
  connected(): void;
  failed(error: Error): void;
}

function startAttempt(options: RaceOptions, attempt: Attempt, events: AttemptEvents): Socket {
  const { localAddress, localPort } = options;
  // The signal is the race's: a socket that has won is the caller's alone.
  const socket = new SocketClass({ ...options, signal: undefined });
  const onConnect = () => {
    socket.off('error', onError);
    if (!isOwnPeer(socket)) {
      events.connected();
      return;
    }
    // A FIN would leave the port in TIME_WAIT, and keep the server from it that is waited for.
    socket.on('error', () => undefined).resetAndDestroy();
    events.failed(createSelfRefusal(attempt.address, attempt.port));
  };
  const onError = (error: Error) => {
    socket.off('connect', onConnect);
    events.failed(error);
  };
  socket.once('connect', onConnect).once('error', onError);
  socket.connect({
    host: attempt.address,
    port: attempt.port,
    family: attempt.family,
    localAddress,
    localPort,
    autoSelectFamily: false,
  });
  return socket;
}

/** Whether both ends are the same socket. */
function isOwnPeer({ localPort, remotePort, localAddress, remoteAddress }: Socket): boolean {
  return localPort !== undefined && localPort === remotePort && localAddress === remoteAddress;
}

async function findCandidates(options: RaceOptions): Promise<Candidate[]> {
  const { host = 'localhost', localAddress } = options;
  const wanted = localAddress ? (isIPv4(localAddress) ? 4 : 6) : (options.family ?? 0);
  const found = isIP(host) ? [{ address: host, family: isIP(host) }] : await resolve(host, options, wanted);
  const fit = found.filter(({ family }) => wanted === 0 || family === wanted) as Candidate[];
  const candidates = interleave(fit);
  if (candidates.length > 0) return candidates;
  const kind = wanted === 0 ? 'IP' : `IPv${wanted}`;
  throw new TnetError('TNET_E_ADDRESS', `${host} has no ${kind} address`, { subject: host });
}

async function resolve(host: string, options: RaceOptions, family: number): Promise<LookupAddress[]> {
  const { lookup, hints } = options;
  if (!lookup) return lookupAll(host, { family, hints });
  const answer = await new Promise<unknown>((fulfil, reject) => {
    lookup(host, { all: true, family, hints }, (error, addresses) => {
      if (error) reject(error);
      else fulfil(addresses);
    });
  });
  return readAnswer(answer);
}

/** What a lookup function gave. What is no address must not be looked up again. */
function readAnswer(answer: unknown): LookupAddress[] {
  const given = (Array.isArray(answer) ? answer : [{ address: answer }]) as { address?: unknown }[];
  const words = given.map((entry) => String((entry as typeof entry | null)?.address));
  const addresses = words.filter((word) => isIP(word) !== 0);
  const [wrong] = words;
  if (addresses.length === 0 && wrong !== undefined) {
    throw Object.assign(new TypeError(`Invalid IP address: ${wrong}`), { code: 'ERR_INVALID_IP_ADDRESS' });
  }
  return addresses.map((address) => ({ address, family: isIP(address) }));
}

/** Families take turns, beginning with the resolver's first choice; duplicates are tried once (RFC 8305, 4). */
export function interleave(addresses: readonly Candidate[]): Candidate[] {
  const first = addresses[0]?.family;
  const unique = [...new Map(addresses.map((entry) => [entry.address, entry])).values()];
  const lead = unique.filter(({ family }) => family === first);
  const other = unique.filter(({ family }) => family !== first);
  const length = Math.max(lead.length, other.length);
  return Array.from({ length }, (_, index) => [lead[index], other[index]])
    .flat()
    .filter((entry) => entry !== undefined);
}

/** The failure of a host whose addresses have all failed. */
export function createRaceError(
  { host = 'localhost' }: Pick<RaceOptions, 'host'>,
  { tried, errors }: Progress,
): Error {
  const sorted = sortFailures(errors);
  const [first] = sorted;
  if (sorted.length === 1 && first) return first;
  const code = errorCode(first);
  const reasons = sorted.map(({ message }) => message).join('; ');
  const message = `none of the ${tried.length} addresses of ${host} accepted the connection: ${reasons}`;
  return Object.assign(new AggregateError(sorted, message), { code });
}

/** The failure of a host for which there was not enough time. */
export function createTimeoutError(
  {
    host = 'localhost',
    port,
    timeoutMs = 0,
    limitMs = timeoutMs,
  }: Pick<RaceOptions, 'host' | 'port' | 'timeoutMs' | 'limitMs'>,
  { tried, errors }: Progress,
): Error {
  const list = tried.map(formatAttempt).join(', ');
  const what = tried.length === 0 ? `its address was not found` : `tried ${list}`;
  return new TnetError('TNET_E_TIMEOUT', `no connection to ${host} within ${limitMs} ms: ${what}`, {
    subject: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`,
    cause: errors.length > 0 ? new AggregateError(errors) : undefined,
  });
}

function formatAttempt({ address, family, port }: Pick<Attempt, 'address' | 'family' | 'port'>): string {
  return family === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}
