import type { Duplex } from 'node:stream';
import { errorCode } from '../errors.ts';
import { deliveryMs } from '../net/connection.ts';
import { limitBreak, findHasLeft } from './break.ts';
import type { Ending, Flow, FlowOptions } from './flow.ts';
import { startFlowPair } from './start-flow.ts';
import { startSwitchingPair, type SwitchingPair } from './switching-flow.ts';

/**
 * Two connections joined faithfully: half-close carried both ways, FIN for FIN, RST for RST. The only timer is for
 * what came before an RST.
 *
 *     client ──up──▶ target
 *     client ◀─down─ target
 */
export interface RelayOptions {
  readonly client: Duplex;
  readonly target: Duplex;
  readonly upTransforms?: readonly Duplex[];
  readonly downTransforms?: readonly Duplex[];
  /**
   * The transforms are not needed before useTransforms() is called; until then bytes may pass without them. Default:
   * from the beginning.
   */
  readonly later?: {
    /** See startSwitchingPair(): `up` and `down`. */
    readonly onSwitch: (goOn: { readonly up: boolean; readonly down: boolean }) => void;
  };
  readonly onActivity?: () => void;
  /** How long the transforms may hold a byte, in milliseconds: a reset is delayed by as much. Default: 0. */
  readonly holdMs?: (() => number) | undefined;
}

export interface RelayEnding {
  readonly up: Ending;
  readonly down: Ending;
  /** The side that broke, when one did: the other does not know yet and has to be reset. */
  readonly broken?: 'client' | 'target';
  readonly error?: Error;
  /** A side had left before: nothing was cut off that a side still waits for; see findHasLeft(). */
  readonly hasLeft?: boolean;
  /** What is left of the time for what came before the break, in milliseconds; see deliveryMs. */
  readonly restMs: number;
}

export interface Relay {
  readonly up: Flow;
  readonly down: Flow;
  /** Settles once both directions are over; never rejects. Neither connection is destroyed by the relay. */
  readonly ended: Promise<RelayEnding>;
  /** Bytes that are read from now on pass the transforms; see RelayOptions.later. */
  readonly useTransforms: () => void;
  /** Stops both directions at once. */
  stop(reason: 'timeout' | 'aborted' | 'limit', error?: Error): void;
}

/** Starts relaying between two connections. Both must have been created with `allowHalfOpen`. */
export function startRelay(options: RelayOptions): Relay {
  const { client, target, onActivity, holdMs = () => 0 } = options;
  const lastWordsMs = deliveryMs;
  const start = options.later ? startLaterPair(options.later) : startPair;
  const { flows, useTransforms } = start(
    { source: client, sink: target, transforms: options.upTransforms, onActivity, lastWordsMs },
    { source: target, sink: client, transforms: options.downTransforms, onActivity, lastWordsMs },
  );
  const [up, down] = flows;
  let cut: Break | undefined;
  const stop: Relay['stop'] = (reason, error) => {
    up.stop(reason, error);
    down.stop(reason, error);
  };
  const watches = (['client', 'target'] as const).map((side) =>
    limitBreak(
      options[side],
      () => deliveryMs + holdMs(),
      (error) => {
        cut ??= { broken: side, error };
        stop('aborted');
      },
    ),
  );
  const silence = watchSilence(up, down);
  const ended = joinEndings(up, down).then(async (endings) => {
    for (const watch of watches) watch.end();
    const endedAt = performance.now();
    const seenAt = Math.min(...watches.map((watch) => watch.seenAt ?? Infinity), endedAt);
    const rests = [endings.up.restMs, endings.down.restMs].filter((rest) => rest !== undefined);
    const limitMs = Math.min(deliveryMs, Math.max(0, deliveryMs + holdMs() - (endedAt - seenAt)), ...rests);
    const found = findBreak(endings) ?? cut;
    const hasLeft =
      found !== undefined &&
      (await askHasLeft(options, { ...endings, ...found, isSilent: silence() }, limitMs));
    return { ...endings, ...found, hasLeft, restMs: Math.max(0, limitMs - (performance.now() - endedAt)) };
  });
  return { up, down, ended, useTransforms, stop };
}

type StartPair = (up: FlowOptions, down: FlowOptions) => SwitchingPair;

const startPair: StartPair = (up, down) => ({
  flows: startFlowPair(up, down),
  useTransforms: () => undefined,
});

function startLaterPair({ onSwitch }: NonNullable<RelayOptions['later']>): StartPair {
  return (one, other) => startSwitchingPair(one, other, ([up, down]) => onSwitch({ up, down }));
}

type Break = Required<Pick<RelayEnding, 'broken' | 'error'>>;

async function joinEndings(up: Flow, down: Flow): Promise<Pick<RelayEnding, 'up' | 'down'>> {
  await Promise.all([stopOther(up, down), stopOther(down, up)]);
  return { up: await up.ended, down: await down.ended };
}

/**
 * What broke, according to how the two flows ended. Of two breaks, the one that is not EPIPE: EPIPE means that the
 * side had ended in order before.
 */
function findBreak({ up, down }: Pick<RelayEnding, 'up' | 'down'>): Break | undefined {
  if (up.error && !(down.error && errorCode(up.error) === 'EPIPE')) {
    const broken = up.side === 'source' ? 'client' : 'target';
    return { broken, error: up.error };
  }
  if (!down.error) return undefined;
  const broken = down.side === 'source' ? 'target' : 'client';
  return { broken, error: down.error };
}

/**
 * The function returned tells, once both are over, whether a client has sent nothing since its target ended in
 * order.
 */
function watchSilence(up: Flow, down: Flow): () => boolean {
  let before: number | undefined;
  void down.ended.then(({ reason, oppositeRead = up.bytesRead }) => {
    if (reason === 'eof') before = oppositeRead;
  });
  return () => before === up.bytesRead;
}

function askHasLeft(
  { client, target }: RelayOptions,
  {
    up,
    down,
    broken: side,
    error,
    isSilent,
  }: Pick<RelayEnding, 'up' | 'down'> & Break & { readonly isSilent: boolean },
  limitMs: number,
): Promise<boolean> {
  const breakerIsClient = side === 'client';
  const [breaker, reader] = breakerIsClient ? [client, target] : [target, client];
  const isUp = up.error === error;
  const [broken, other] = isUp ? [up, down] : [down, up];
  return findHasLeft({ broken, other, breaker, reader, breakerIsClient, isSilent }, limitMs);
}

/**
 * When a flow breaks, the other one either ends by itself or is stopped. If the broken connection is this flow's sink,
 * it is the other's source: what it sent before it broke is still being delivered there, and its own end follows. If
 * it is this flow's source, nothing can be written to it any more.
 */
async function stopOther(flow: Flow, other: Flow): Promise<void> {
  const ending = await flow.ended;
  if (ending.reason !== 'eof' && ending.side !== 'sink') other.stop('aborted');
}
