import type { LiveTaps, OpenTap, TapListener } from './live-taps.ts';
import type { RecordedDirection } from './record-format.ts';

/** What is told of a tap, wherever the connection is served. */
export interface ConnectionTapListener extends TapListener {
  /** The first call. */
  readonly opened: (tap: Omit<OpenTap, 'stop'>) => void;
  /** Bytes passed that are not told: too many were under way to here. */
  readonly missed: (direction: RecordedDirection, bytes: number) => void;
}

/** Taps open connections, those included that other processes serve. */
export interface ConnectionTaps {
  /**
   * Taps a connection. The caller stops the tap, unless the connection is over first.
   *
   * @param mostWaiting how many bytes may be under way to here; what passes besides is missed
   * @returns stops it; undefined: see LiveTaps
   */
  readonly tap: (
    id: number,
    listener: ConnectionTapListener,
    mostWaiting: number,
  ) => Promise<(() => void) | undefined>;
}

/** Taps the connections of this process: none of their bytes is missed on the way. */
export function tapHere(taps: LiveTaps): ConnectionTaps {
  return {
    tap(id, listener) {
      const tap = taps.tap(id, listener);
      if (tap) listener.opened(tap);
      return Promise.resolve(tap?.stop);
    },
  };
}
