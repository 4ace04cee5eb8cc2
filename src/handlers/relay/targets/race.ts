import type { Connection } from '../../../net/connection.ts';
import { guarded } from '../../../net/guard.ts';

/** How long a target is tried before the next one is tried in parallel. As in RFC 8305, 8, for addresses. */
export const staggerMs = 250;

/** How long only the others are tried before one that is left out is tried in parallel, as a last resort. */
const lastResortMs = 1_000;

/** The attempt at the first target, if it is under way or has failed already. */
export interface BegunAttempt {
  readonly opened: Promise<Connection>;
  /** On performance.now()'s clock. */
  readonly at: number;
  /** Ends it. */
  readonly stop: () => void;
}

/** What a race needs of its targets. */
export interface RaceOptions<Target> {
  /** Default: the first target is yet to be connected to. */
  readonly begun?: BegunAttempt | undefined;
  readonly targets: readonly Target[];
  /** Whether a target is left out at the moment. */
  readonly isLastResort: (target: Target) => boolean;
  /** Whether a target whose turn has come is not to be tried after all. */
  readonly isSkipped: (target: Target) => boolean;
  /**
   * Connects to a target; rejects when that fails, at the latest after its time limit, or when the signal is
   * aborted.
   */
  readonly connect: (target: Target, signal: AbortSignal) => Promise<Connection>;
  /** Called for each failure, even when another target has won by then. */
  readonly onFailed: (target: Target, error: unknown, tookMs: number) => void;
  /**
   * Another target has won. The attempt goes on, to see whether this one answers at all; it ends when the signal is
   * aborted.
   */
  readonly onOvertaken: (target: Target, over: Promise<void>) => void;
  /** A target that was overtaken has accepted after all: its connection is not used. */
  readonly onLate: (target: Target, connection: Connection) => void;
  /** Whether no new attempt is to begin. */
  readonly isStopped: () => boolean;
  /** Ends attempts that were overtaken, and no others. */
  readonly closing: AbortSignal;
}

/**
 * Tries targets in their order: the next one when the last has failed, or in parallel when that one has not
 * answered for `staggerMs`. The first to accept is the winner. Undefined when none accepted.
 */
export function raceTargets<Target>(
  options: RaceOptions<Target>,
): Promise<{ readonly target: Target; readonly connection: Connection } | undefined> {
  const { targets, isLastResort, isSkipped, connect, onFailed, onOvertaken, onLate, isStopped, closing } =
    options;
  let { begun } = options;
  return new Promise((resolve) => {
    const running = new Map<Target, { over: Promise<void>; stop: () => void }>();
    let next = 0;
    let isWon = false;
    let timer: NodeJS.Timeout | undefined;
    const win = (target: Target, connection: Connection) => {
      isWon = true;
      clearTimeout(timer);
      for (const [loser, { over, stop }] of running) {
        onOvertaken(loser, over);
        if (closing.aborted) stop();
        else closing.addEventListener('abort', stop, { once: true });
        void over.then(() => closing.removeEventListener('abort', stop));
      }
      resolve({ target, connection });
    };
    const startNext = () => {
      clearTimeout(timer);
      if (!begun) while (next < targets.length && isSkipped(targets[next] as Target)) next++;
      const target = isWon || isStopped() ? undefined : targets[next++];
      if (target === undefined) {
        if (running.size === 0 && !isWon) resolve(undefined);
        return;
      }
      const controller = new AbortController();
      const startedAt = begun?.at ?? performance.now();
      const opened = begun?.opened ?? connect(target, controller.signal);
      if (begun) controller.signal.addEventListener('abort', begun.stop, { once: true });
      begun = undefined;
      const over = opened.then(
        (connection) => {
          running.delete(target);
          if (isWon) onLate(target, connection);
          else win(target, connection);
        },
        (error: unknown) => {
          running.delete(target);
          if (!controller.signal.aborted) onFailed(target, error, performance.now() - startedAt);
          if (!isWon) startNext();
        },
      );
      running.set(target, { over, stop: () => controller.abort() });
      const [following] = targets.slice(next);
      if (following === undefined) return;
      const nextAt = startedAt + (isLastResort(following) ? lastResortMs : staggerMs);
      timer = setTimeout(guarded(startNext), Math.max(0, nextAt - performance.now()));
    };
    startNext();
  });
}
