import { setTimeout as delay } from 'node:timers/promises';
import { errorCode, TnetError, formatLimit } from '../errors.ts';
import { exitCodes } from '../exit-codes.ts';
import { isSetupFailure } from '../net/connect-failure.ts';
import { describeError } from '../report/sentences.ts';
import { longestDelayMs } from '../quantities.ts';
import { type Connection, leaveInOrder } from '../net/connection.ts';

/** How long and how often to try. */
export interface Patience {
  /** Further attempts after the first; Infinity for ever. */
  readonly retries: number;
  /** The wait after the first failure, in milliseconds. Each further one is twice as long, up to `maxDelayMs`. */
  readonly delayMs: number;
  readonly maxDelayMs: number;
  /** The limit of one attempt, in milliseconds. */
  readonly attemptMs: number;
  /** The limit of all attempts together, in milliseconds. Default: none. */
  readonly withinMs?: number | undefined;
  /** The connection must stay open for this long to count, in milliseconds. Default 0. */
  readonly stableMs?: number | undefined;
  /**
   * Whether a failure may pass by itself. Default: errors of the command line or of this machine's set-up do not.
   */
  readonly mayPass?: ((error: unknown) => boolean) | undefined;
}

/** An attempt that failed and will be repeated. */
export interface Retry {
  /** Counts from 1. */
  readonly retry: number;
  /** How many there will be at most: Infinity for no limit. */
  readonly of: number;
  readonly delayMs: number;
  readonly error: unknown;
}

/** What is tried again and again. */
export interface TrialOptions<Result> extends Pick<
  Patience,
  'retries' | 'delayMs' | 'maxDelayMs' | 'attemptMs' | 'withinMs' | 'mayPass'
> {
  /** The subject of error messages: what is waited for. */
  readonly subject: string;
  /** What is missing when the time runs out: `no connection`. */
  readonly missing: string;
  /** Tries once, within `timeoutMs`. Undefined: it has taken until after the limit of all. */
  readonly attempt: (timeoutMs: number, leftMs: () => number) => Promise<Result | undefined>;
  readonly signal?: AbortSignal | undefined;
  readonly onRetry?: ((retry: Retry) => void) | undefined;
  /** From 0 to below 1. Default Math.random. */
  readonly random?: (() => number) | undefined;
}

export interface PatienceOptions extends Patience, Omit<TrialOptions<Connection>, 'missing' | 'attempt'> {
  /** Opens one connection within `timeoutMs`. */
  readonly attempt: (timeoutMs: number) => Promise<Connection>;
}

/** How far a delay varies at random, either way: many clients of one server must not come back all at once. */
const jitter = 0.25;

/**
 * Opens a connection, again and again until one is there (and stays open for `stableMs`), the retries are used up, or
 * `withinMs` has passed. What the peer sends meanwhile stays in the socket.
 *
 * @throws the last attempt's error; TnetError TNET_E_TIMEOUT when `withinMs` has run out, with that error as its
 *   cause; TNET_E_UNSTABLE when the connection did not stay open; the signal's reason.
 */
export async function connectPatiently(options: PatienceOptions): Promise<Connection> {
  const { stableMs = 0, signal } = options;
  return tryPatiently({
    ...options,
    missing: stableMs > 0 ? `no connection that stays open for ${formatLimit(stableMs)}` : 'no connection',
    attempt: async (timeoutMs, leftMs) => {
      const socket = await options.attempt(timeoutMs);
      if (stableMs > 0) await staysOpen(socket, Math.max(0, Math.min(stableMs, leftMs())), signal);
      // A connection that could not prove itself in the time left does not count.
      if (stableMs === 0 || leftMs() > 0) return socket;
      void leaveInOrder(socket);
      return undefined;
    },
  });
}

/**
 * Tries until an attempt succeeds, the retries are used up, or `withinMs` has passed.
 *
 * @throws the last attempt's error; TnetError TNET_E_TIMEOUT when `withinMs` has run out, with that error as its
 *   cause; the signal's reason.
 */
export async function tryPatiently<Result>(options: TrialOptions<Result>): Promise<Result> {
  const { retries, attemptMs, withinMs = Infinity, signal, random = Math.random } = options;
  const { mayPass = mayPassByItself } = options;
  const startedAt = performance.now();
  const leftMs = () => withinMs - (performance.now() - startedAt);
  let lastError: unknown;
  for (let retry = 1; ; retry++) {
    try {
      const result = await options.attempt(Math.max(1, Math.min(attemptMs, leftMs())), leftMs);
      if (result !== undefined) return result;
    } catch (error) {
      if (signal?.aborted || !mayPass(error)) throw error;
      if (leftMs() > 0 || lastError === undefined) lastError = error;
      if (retry > retries && leftMs() > 0) throw error;
    }
    if (leftMs() <= 0) throw createWaitError(options, lastError);
    const plainMs = Math.min(options.delayMs * 2 ** (retry - 1), options.maxDelayMs);
    const jitteredMs = Math.round(plainMs * (1 + jitter * (2 * random() - 1)));
    const delayMs = Math.min(jitteredMs, longestDelayMs);
    options.onRetry?.({ retry, of: retries, delayMs, error: lastError });
    await delay(Math.max(0, Math.min(delayMs, leftMs())), undefined, { signal });
    if (leftMs() <= 0) throw createWaitError(options, lastError);
  }
}

function mayPassByItself(error: unknown): boolean {
  return error instanceof TnetError ? error.exitCode !== exitCodes.usage : !isSetupFailure(error);
}

function createWaitError(
  { subject, missing, withinMs = 0 }: Pick<TrialOptions<unknown>, 'subject' | 'missing' | 'withinMs'>,
  cause: unknown,
): TnetError {
  const within = `within ${formatLimit(withinMs)}`;
  const code = errorCode(cause);
  const reason = cause === undefined ? '' : `: ${describeError(cause)}, ${code ?? 'ERROR'}`;
  const isSilent = missing === 'no connection' && code === 'TNET_E_TIMEOUT';
  // Where something was said, there was a connection.
  const what = missing === 'no connection' && code === 'TNET_E_EXPECT' ? 'not ready' : missing;
  const message = isSilent ? `no answer from ${subject} ${within}` : `${what} ${within}${reason}`;
  return new TnetError('TNET_E_TIMEOUT', message, { subject, cause });
}

/** A peer that has sent this much is talking to us: no more is read ahead. */
const readAheadBytes = 64 * 1024;

/**
 * Waits until the connection has been open for `forMs`. What the peer sends in that time is put back, for the next
 * reader of the socket. The socket is destroyed when the connection breaks.
 *
 * The socket has to be read meanwhile, because a socket that is not read shows neither the peer's end nor a reset.
 *
 * @throws TnetError TNET_E_UNSTABLE when the peer ended or reset the connection; the signal's reason.
 */
async function staysOpen(socket: Connection, forMs: number, signal?: AbortSignal): Promise<void> {
  const chunks: Buffer[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const fail = (cause?: Error) => {
    const how = cause ? 'was reset' : 'was ended by the peer';
    reject(new TnetError('TNET_E_UNSTABLE', `the connection ${how} within ${formatLimit(forMs)}`, { cause }));
  };
  const onData = (chunk: Buffer) => {
    chunks.push(chunk);
    if (chunks.reduce((sum, { length }) => sum + length, 0) >= readAheadBytes) socket.pause();
  };
  const onEnd = () => fail();
  const onAbort = () => reject(signal?.reason as Error);
  const timer = setTimeout(resolve, forMs, undefined);
  signal?.addEventListener('abort', onAbort, { once: true });
  socket.on('data', onData).once('end', onEnd).once('error', fail);
  try {
    await promise;
  } catch (error) {
    socket.once('error', () => undefined).destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    socket.pause();
    socket.off('data', onData).off('end', onEnd).off('error', fail);
  }
  if (chunks.length > 0) socket.unshift(Buffer.concat(chunks));
}
