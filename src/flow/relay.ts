import type { Duplex } from 'node:stream';
import { isReset } from '../errors.ts';
import { deliveryMs } from '../net/reset.ts';
import { limitBreak } from './break-limit.ts';
import type { Ending } from './ending.ts';
import type { Flow } from './flow.ts';
import { startFlowPair } from './start-flow.ts';

/**
 * Two connections joined faithfully: half-close carried both ways, FIN for FIN, RST for RST. The only timer is for what
 * came before a RST.
 *
 *     client ──up──▶ target
 *     client ◀─down─ target
 */
export interface RelayOptions {
  readonly client: Duplex;
  readonly target: Duplex;
  readonly upTransforms?: readonly Duplex[];
  readonly downTransforms?: readonly Duplex[];
  readonly onActivity?: () => void;
  /** How long the transforms may hold a byte, in milliseconds: so much later a reset arrives too. Default 0. */
  readonly holdMs?: number | undefined;
}

export interface RelayEnding {
  readonly up: Ending;
  readonly down: Ending;
  /** The side that broke, when one did: the other has not been told yet and is to be reset. */
  readonly broken?: 'client' | 'target';
  readonly error?: Error;
  /**
   * The side that broke had ended its own stream in order, and all of that was delivered: it has left, and only what
   * came for it afterwards was lost.
   */
  readonly hasLeft?: boolean;
  /** What is left of the time for what came before the break, in milliseconds; see deliveryMs. */
  readonly restMs: number;
}

export interface Relay {
  readonly up: Flow;
  readonly down: Flow;
  /** Settles once both directions are over; never rejects. Neither connection is destroyed by the relay. */
  readonly ended: Promise<RelayEnding>;
  /** Stops both directions at once. */
  stop(reason: 'timeout' | 'aborted' | 'limit', error?: Error): void;
}

/** Starts relaying between two connections. Both must have been created with `allowHalfOpen`. */
export function startRelay(options: RelayOptions): Relay {
  const { client, target, onActivity, holdMs = 0 } = options;
  const lastWordsMs = deliveryMs;
  const [up, down] = startFlowPair(
    { source: client, sink: target, transforms: options.upTransforms, onActivity, lastWordsMs },
    { source: target, sink: client, transforms: options.downTransforms, onActivity, lastWordsMs },
  );
  let cut: Break | undefined;
  const stop: Relay['stop'] = (reason, error) => {
    up.stop(reason, error);
    down.stop(reason, error);
  };
  const watches = (['client', 'target'] as const).map((side) =>
    limitBreak(options[side], deliveryMs + holdMs, (error) => {
      cut ??= { broken: side, error };
      stop('aborted');
    }),
  );
  const ended = joinEndings(up, down).then((endings) => {
    for (const watch of watches) watch.end();
    const seenAt = Math.min(...watches.map((watch) => watch.seenAt ?? Infinity), performance.now());
    const restMs = Math.max(0, deliveryMs + holdMs - (performance.now() - seenAt));
    const rests = [endings.up.restMs, endings.down.restMs].filter((rest) => rest !== undefined);
    return { ...endings, ...(findBreak(endings) ?? cut), restMs: Math.min(restMs, deliveryMs, ...rests) };
  });
  return { up, down, ended, stop };
}

type Break = Pick<RelayEnding, 'broken' | 'error' | 'hasLeft'>;

async function joinEndings(up: Flow, down: Flow): Promise<Pick<RelayEnding, 'up' | 'down'>> {
  await Promise.all([stopOther(up, down), stopOther(down, up)]);
  return { up: await up.ended, down: await down.ended };
}

/** What broke, by how the two flows ended. */
function findBreak({ up, down }: Pick<RelayEnding, 'up' | 'down'>): Break | undefined {
  if (up.error) {
    const broken = up.side === 'source' ? 'client' : 'target';
    return { broken, error: up.error, hasLeft: hasLeft(up, down) };
  }
  if (!down.error) return undefined;
  const broken = down.side === 'source' ? 'target' : 'client';
  return { broken, error: down.error, hasLeft: hasLeft(down, up) };
}

/** Whether the sink of a broken flow had ended in order as the source of the other. */
function hasLeft(broken: Ending, other: Ending): boolean {
  return broken.side === 'sink' && isReset(broken.error) && other.reason === 'eof';
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
