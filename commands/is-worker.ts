/** Tells a process of this program that it is a worker. */
export const workerVariable = 'TNET_WORKER';

/** Whether this process has been started as a worker. */
export function isWorker(): boolean {
  return process.env[workerVariable] !== undefined && process.send !== undefined;
}
