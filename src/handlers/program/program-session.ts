import { Writable, type Duplex, type Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { errorCode } from '../../errors.ts';
import { deliveryMs, socketOf } from '../../net/connection.ts';
import { waitAcknowledged } from '../../net/tuning.ts';
import { limitBreak } from '../../flow/break.ts';
import type { Ending } from '../../flow/flow.ts';
import { finishFlows, startFlow, startFlowPair } from '../../flow/start-flow.ts';
import { guarded } from '../../net/guard.ts';

/** A connection joined to a program: what the peer sends is its stdin, and its stdout goes to the peer. */
export interface ProgramSessionOptions {
  readonly remote: Duplex;
  readonly input: Writable;
  readonly output: Readable;
  /** Settles when the program has exited. */
  readonly exited: Promise<unknown>;
  /** Ends the program: the peer has broken off, a limit has run out, or the session was interrupted. */
  readonly endProgram: () => void;
  /** End when no byte has moved in either direction for this long. Default: no limit. */
  readonly idleMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Drop what the peer sends: the program's stdin ends at once. Default false. */
  readonly sendOnly?: boolean | undefined;
  /** Drop what the program prints. Default false. */
  readonly receiveOnly?: boolean | undefined;
  /** Half-close the connection at the end of the program's output. Default true. */
  readonly halfClose?: boolean | undefined;
  /** End no later than this long after the end of the program's output. Default: no limit. */
  readonly quitMs?: number | undefined;
  readonly sendTransforms?: readonly Duplex[];
  readonly receiveTransforms?: readonly Duplex[];
}

export interface ProgramSessionEnding {
  readonly reason: Ending['reason'];
  /** What broke the connection. A program that takes no more input is not a failure. */
  readonly error?: Error | undefined;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

/** How long a peer may keep its side open after the program has exited and everything was taken. */
const lingerMs = 2_000;

/**
 * Runs the session to its end: the program has exited and its output is delivered. Half-close goes both ways: the
 * peer's end closes the program's stdin, and the end of its stdout half-closes the connection. Never rejects. `input` and
 * `output` are closed at the end; the caller closes `remote`.
 */
export async function runProgramSession(options: ProgramSessionOptions): Promise<ProgramSessionEnding> {
  const { remote, input, output, exited, endProgram, idleMs, quitMs, signal } = options;
  const idle = watchIdle(idleMs, () => {
    up.stop('timeout');
    down.stop('timeout');
    endProgram();
  });
  const [up, down] = startFlowPair(
    {
      source: remote,
      sink: options.sendOnly ? createDrain() : input,
      transforms: options.receiveTransforms,
      onActivity: idle.refresh,
    },
    {
      source: output,
      sink: options.receiveOnly ? createDrain() : remote,
      transforms: options.receiveOnly ? [] : options.sendTransforms,
      onActivity: idle.refresh,
      ...(options.halfClose === false && { onEnd: 'keep-open' as const }),
    },
  );
  if (options.sendOnly) input.end();
  const interrupt = () => {
    endProgram();
    finishFlows(up, down);
  };
  // The program may be blocked writing to a connection that no longer takes anything, and read nothing meanwhile.
  let broken: Error | undefined;
  const watch = limitBreak(
    remote,
    () => deliveryMs,
    (error) => {
      broken = error;
      endProgram();
      up.stop('aborted');
      down.stop('aborted');
    },
  );
  if (signal?.aborted) interrupt();
  else signal?.addEventListener('abort', interrupt, { once: true });

  const received = up.ended.then((ending) => {
    if (isPeerGone(ending, 'source')) endProgram();
    else if (ending.side === 'sink') dropRest(remote);
    return ending;
  });
  let quitTimer: NodeJS.Timeout | undefined;
  const sent = down.ended.then((ending) => {
    if (isPeerGone(ending, 'sink')) endProgram();
    if (options.receiveOnly && options.halfClose !== false) remote.end();
    if (quitMs !== undefined) quitTimer = setTimeout(guarded(endProgram), quitMs);
    return ending;
  });
  await Promise.all([exited, sent]);
  watch.end();
  idle.cancel();
  clearTimeout(quitTimer);
  signal?.removeEventListener('abort', interrupt);
  if (!idle.hasFired() && signal?.aborted !== true) await awaitPeer(remote, sent, signal, quitMs);
  up.stop('aborted');
  const [upEnding, downEnding] = [await received, await sent];
  // The engine works on duplicates: our own ends of the program's pipes are still open.
  input.destroy();
  output.destroy();
  const error =
    [breakOf(upEnding, 'source'), breakOf(downEnding, 'sink')].find((one) => one !== undefined) ?? broken;
  return {
    reason: idle.hasFired() ? 'timeout' : error ? 'reset' : downEnding.reason,
    error,
    receivedBytes: up.bytesRead,
    sentBytes: downEnding.bytes,
  };
}

function watchIdle(idleMs: number | undefined, onIdle: () => void) {
  let fired = false;
  const fire = () => {
    fired = true;
    onIdle();
  };
  const timer = idleMs === undefined ? undefined : setTimeout(guarded(fire), idleMs);
  return {
    hasFired: () => fired,
    refresh: () => void timer?.refresh(),
    cancel: () => clearTimeout(timer),
  };
}

function isPeerGone(ending: Ending, side: 'source' | 'sink'): boolean {
  return ending.reason !== 'eof' && ending.side === side;
}

function breakOf(ending: Ending, side: 'source' | 'sink'): Error | undefined {
  return ending.side === side ? ending.error : undefined;
}

/** The program reads no more: what the peer still sends goes nowhere, and must not make the system send a reset. */
function dropRest(remote: Duplex): void {
  startFlow({
    source: remote,
    sink: createDrain(),
    onEnd: 'keep-open',
  });
}

function createDrain(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}

/**
 * Waits until the peer has taken everything, and then for its end, for a while: closing with its bytes unread would
 * send a reset, which may destroy what it has not received yet.
 */
async function awaitPeer(
  remote: Duplex,
  sent: Promise<Ending>,
  signal: AbortSignal | undefined,
  quitMs: number | undefined,
): Promise<void> {
  if ((await sent).reason !== 'eof' || remote.readableEnded || remote.destroyed) return;
  const stop = new AbortController();
  const isOver = new Promise<void>((resolve) => {
    remote.once('end', resolve);
    remote.once('close', resolve);
    remote.once('error', (error) => (errorCode(error) === undefined ? undefined : resolve()));
    signal?.addEventListener('abort', () => resolve(), { once: true });
  });
  const lingered = async () => {
    const socket = socketOf(remote);
    if (socket) await waitAcknowledged(socket, { signal: stop.signal });
    await delay(lingerMs, undefined, { signal: stop.signal });
  };
  const ways = [isOver, lingered()];
  if (quitMs !== undefined) ways.push(delay(quitMs, undefined, { signal: stop.signal }));
  await Promise.race(ways.map((way) => way.catch(() => undefined)));
  stop.abort();
}
