import type { Duplex } from 'node:stream';

/** How a program ended. `status` is what a shell would give: 128 and the signal's number after a signal. */
export interface ProgramExit {
  readonly status: number;
  readonly signal?: NodeJS.Signals;
}

/** What a connection can do beyond a stream when its end is no peer but a program or a device of this machine. */
export interface LocalEnd {
  /** Of a program: settles when it has exited; never rejects. */
  readonly exited?: Promise<ProgramExit>;
  /** Of a program: whether it has been made to end. */
  readonly wasEnded?: () => boolean;
  /** Breaks the end off: a program is asked to end, what a serial line has not sent is dropped. */
  readonly hangUp?: () => void;
  /** Of a terminal: sets its size in characters. */
  readonly resize?: (columns: number, rows: number) => void;
}

const ends = new WeakMap<Duplex, LocalEnd>();

export function setLocalEnd(connection: Duplex, end: LocalEnd): void {
  ends.set(connection, end);
}

/** Undefined for a connection to a peer. */
export function localEndOf(connection: Duplex): LocalEnd | undefined {
  return ends.get(connection);
}

/** Breaks the end off when the signal aborts, or has been. Nothing is done to a peer. */
export function hangUpOnAbort(connection: Duplex, signal: AbortSignal): void {
  const hangUp = () => ends.get(connection)?.hangUp?.();
  if (signal.aborted) hangUp();
  else signal.addEventListener('abort', hangUp, { once: true });
}

/** The status of a program once it has exited by itself; 0 for one that was made to end, and for what is no program. */
export async function awaitStatus(connection: Duplex): Promise<number> {
  const { exited, wasEnded } = ends.get(connection) ?? {};
  const exit = await exited;
  return exit && wasEnded?.() !== true ? exit.status : 0;
}
