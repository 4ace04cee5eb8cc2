import type { Transform } from 'node:stream';
import { idleError } from '../../../errors.ts';
import type { Relay } from '../../../flow/relay.ts';
import { FrameDatagrams, UnframeDatagrams } from '../../../transform/datagrams.ts';
import { defaultSessionIdleMs, type PairValues } from '../pair.ts';
import type { DatagramFaults } from '../faults/datagram-faults.ts';
import type { DatagramEnds } from '../targets/target.ts';
import { timedOut, type Cut } from '../cut.ts';
import { guarded } from '../../../net/guard.ts';

/** The transforms of the two directions. */
export interface Ways {
  readonly up: readonly Transform[];
  readonly down: readonly Transform[];
  /** How long they may hold a byte on purpose, in milliseconds. Default: not at all. */
  readonly holdMs?: (() => number) | undefined;
}

/** What is different about a pair with a UDP end. */
export interface DatagramSessions {
  readonly ends: DatagramEnds;
  /** The faults of a session, in the transforms between datagrams and the stream. @param faults of the stream */
  readonly open: (session: number, faults: Ways) => Ways;
  /**
   * Watches a session for its end, which UDP does not signal: silence. Returns functions to call as the session
   * goes on.
   */
  readonly watch: (relay: () => Relay, cutOff: (how: Cut) => void) => SessionWatch;
}

export interface SessionWatch {
  /** The relay runs. */
  readonly start: () => void;
  readonly onActivity: () => void;
  readonly clear: () => void;
}

/** @param createFaults draws the faults of a session between two UDP ends. Default: it has none */
export function createDatagramSessions(
  values: PairValues,
  ends: DatagramEnds,
  createFaults?: (session: number) => DatagramFaults,
): DatagramSessions {
  return {
    ends,
    open(session, faults) {
      const own = createFaults?.(session);
      if (own) return { ...own, holdMs: () => own.holdMs };
      return { ...faults, ...frame(values.framing === 'length', ends, faults) };
    },
    watch: (relay, cutOff) => watchSession(values.idle, ends, relay, cutOff),
  };
}

function frame(hasLengths: boolean, { client, target }: DatagramEnds, { up, down }: Ways): Ways {
  if (!hasLengths || client === target) return { up, down };
  return client
    ? { up: [new FrameDatagrams(), ...up], down: [...down, new UnframeDatagrams()] }
    : { up: [...up, new UnframeDatagrams()], down: [new FrameDatagrams(), ...down] };
}

/**
 * A session with a UDP client ends when it has been silent for `idle` (or the default), which is not a failure:
 * there is no other end. A stream client ends its session itself; once it has ended its side, silence for that long
 * means that no more answers will come. Before that only an `idle` that was asked for ends it, as on any stream:
 * with an error.
 */
function watchSession(
  idle: number | undefined,
  ends: DatagramEnds,
  relay: () => Relay,
  cutOff: (how: Cut) => void,
): SessionWatch {
  const idleMs = idle ?? defaultSessionIdleMs;
  let isOver = false;
  let mayBeSilent = ends.client;
  let timer: NodeJS.Timeout | undefined;
  const end = () => {
    const { up, down } = relay();
    if (!mayBeSilent) {
      cutOff(timedOut(idleError(idleMs)));
      return;
    }
    // A stream that still has bytes to deliver must not look complete.
    const isWhole = up.untakenBytes + down.untakenBytes === 0;
    cutOff({ reason: 'timeout', closing: isWhole ? 'close' : 'reset' });
  };
  const arm = () => {
    clearTimeout(timer);
    if (!isOver) timer = setTimeout(guarded(end), idleMs);
  };
  return {
    start() {
      if (ends.client || idle !== undefined) arm();
      // The stream's end is the session's end: a UDP client has none of its own.
      if (ends.client && !ends.target) void relay().down.ended.then(guarded(() => relay().up.finish()));
      if (ends.client) return;
      void relay().up.ended.then(({ reason }) => {
        mayBeSilent = true;
        if (reason === 'eof') arm();
      });
    },
    onActivity: () => void timer?.refresh(),
    clear() {
      isOver = true;
      clearTimeout(timer);
    },
  };
}
