import type { DetachedHandle } from '../../net/hand-over.ts';
import type { FromWorker, ToWorker } from './messages.ts';

/** A worker's process, as the dispatcher uses it. */
export interface WorkerProcess {
  readonly pid: number;
  send(message: ToWorker, handle?: DetachedHandle): void;
  onMessage(listener: (message: FromWorker) => void): void;
  onExit(listener: (status: number | null, signal: string | null) => void): void;
  /** Lets it end: it has nothing left to do. */
  disconnect(): void;
}

/** What decides what the workers serve, when that is not what they read themselves; see WorkerKind. */
export interface WorkerGuide {
  /** What is to be served by now, as plain data. */
  readonly state: () => unknown;
  /** A worker has been started, and has been told nothing yet. */
  readonly started: (worker: number) => void;
  /** A worker says something. */
  readonly hear: (worker: number, told: unknown) => void;
  /** A worker is gone, with its connections. */
  readonly gone: (worker: number) => void;
}
