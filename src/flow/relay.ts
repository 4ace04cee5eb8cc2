import type { Duplex } from 'node:stream';
import type { Ending } from './ending.ts';
import type { Flow } from './flow.ts';
import { startFlowPair } from './start-flow.ts';

/**
 * Two connections joined faithfully: half-close carried both ways, FIN for FIN, RST for RST, no timer.
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
}

export interface RelayEnding {
  readonly up: Ending;
  readonly down: Ending;
  /** The side that broke, when one did: the other has not been told yet and is to be reset. */
  readonly broken?: 'client' | 'target';
  readonly error?: Error;
}

export interface Relay {
  readonly up: Flow;
  readonly down: Flow;
  /** Settles once both directions are over; never rejects. Neither connection is destroyed by the relay. */
  readonly ended: Promise<RelayEnding>;
  /** Stops both directions at once. */
  stop(reason: 'timeout' | 'aborted' | 'limit', error?: Error): void;
}

/** What came before a reset may hold up a side that takes nothing for so long, and what it has left with it. */
const lastWordsMs = 1_000;

/** Starts relaying between two connections. Both must have been created with `allowHalfOpen`. */
export function startRelay(options: RelayOptions): Relay {
  const { client, target, onActivity } = options;
  const [up, down] = startFlowPair(
    { source: client, sink: target, transforms: options.upTransforms, onActivity, lastWordsMs },
    { source: target, sink: client, transforms: options.downTransforms, onActivity, lastWordsMs },
  );
  return {
    up,
    down,
    ended: joinEndings(up, down),
    stop(reason, error) {
      up.stop(reason, error);
      down.stop(reason, error);
    },
  };
}

async function joinEndings(up: Flow, down: Flow): Promise<RelayEnding> {
  await Promise.all([stopOther(up, down), stopOther(down, up)]);
  const [upEnding, downEnding] = [await up.ended, await down.ended];
  const endings = { up: upEnding, down: downEnding };
  if (upEnding.error) {
    return { ...endings, broken: upEnding.side === 'source' ? 'client' : 'target', error: upEnding.error };
  }
  if (downEnding.error) {
    return {
      ...endings,
      broken: downEnding.side === 'source' ? 'target' : 'client',
      error: downEnding.error,
    };
  }
  return endings;
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
