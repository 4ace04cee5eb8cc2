import type { DetachedHandle } from '../../net/hand-over.ts';
import type { Socket } from '../../net/index.ts';
import type { LiveWorker } from '../../report/live-rates.ts';
import type { Moved, OpenConnection } from '../ledger.ts';
import type { WorkerProcess } from './worker-process.ts';

/** A worker, as the dispatcher knows it. */
export interface Worker {
  readonly number: number;
  readonly process: WorkerProcess;
  readonly startedAt: number;
  isReady: boolean;
  /** Called when it has taken a change, or is gone. */
  readonly onServing: { readonly change: number; readonly settle: () => void }[];
  readonly parcels: Map<number, Parcel>;
  /** How many connections it has been given, and what the ended ones carried. */
  connections: number;
  carried: Moved;
}

/** A connection on its way to a worker, or with it. */
export interface Parcel {
  readonly entry: OpenConnection;
  readonly client: Socket;
  readonly key: string;
  readonly address: string;
  /** Held here until the worker has it: when that fails, another worker gets it. */
  handle: DetachedHandle | undefined;
}

export function createWorker(number: number, process: WorkerProcess): Worker {
  return {
    ...{ number, process, startedAt: performance.now(), isReady: false, onServing: [], parcels: new Map() },
    ...{ connections: 0, carried: { sentBytes: 0, receivedBytes: 0 } },
  };
}

/** A worker in a live view. @param moving what its open connections have moved */
export function showWorker(
  { number, process: { pid }, parcels, carried, connections, startedAt }: Worker,
  moving: Moved | undefined,
): LiveWorker {
  return { number, pid, connections, open: parcels.size, startedAt, ...add(carried, moving) };
}

export function add(one: Moved, other: Moved | undefined, sign: 1 | -1 = 1): Moved {
  return {
    sentBytes: one.sentBytes + sign * (other?.sentBytes ?? 0),
    receivedBytes: one.receivedBytes + sign * (other?.receivedBytes ?? 0),
  };
}
