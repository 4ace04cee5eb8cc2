import { fork } from 'node:child_process';
import type { DetachedHandle } from '../src/net/hand-over.ts';
import type { WorkerProcess } from '../src/serve/workers/worker-process.ts';
import type { FromWorker, ToWorker } from '../src/serve/workers/messages.ts';
import { ServeWorker, type WorkerKind } from '../src/serve/workers/worker.ts';
import type { Context } from './context.ts';
import { workerVariable } from './is-worker.ts';
import { activation, readFamily, type ServerAddressFlags } from './options/server-address.ts';

/** Starts this program again, with the same arguments, as a worker. It reports on our stderr. */
export function startWorker(number: number): WorkerProcess {
  const [, script = '', ...args] = process.argv;
  const child = fork(script, args, {
    env: { ...process.env, ...activation, [workerVariable]: String(number) },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  // 'exit' reports a worker that is gone.
  child.on('error', () => undefined);
  return {
    pid: child.pid ?? 0,
    send: (message, handle) => {
      if (child.connected) child.send(message, handle as never, () => undefined);
    },
    onMessage: (listener) => child.on('message', (message) => listener(message as FromWorker)),
    onExit: (listener) => child.once('exit', listener),
    disconnect: () => {
      if (child.connected) child.disconnect();
    },
  };
}

/** How long a worker may take to end its connections when the process that it works for is gone. */
const orphanedMs = 1_000;

/**
 * The life of a worker: it does what the process that started it asks, and ends with it. For its signals see
 * main.ts.
 */
export function runWorker(
  { reporter }: Context,
  flags: Pick<ServerAddressFlags, 'ipv4' | 'ipv6' | 'numeric'>,
  kind: WorkerKind,
): ServeWorker {
  const worker = new ServeWorker(
    {
      emit: (event) => reporter.emit(event),
      hears: (name) => reporter.hears(name),
      fail: (subject, error, id) => reporter.fail(subject, error, id),
      family: readFamily(flags),
      numericOnly: flags.numeric,
    },
    kind,
    (message) => {
      if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
    },
  );
  process.on('message', (message, handle) =>
    worker.receive(message as ToWorker, handle as DetachedHandle | undefined),
  );
  process.on('disconnect', () => {
    worker.cut();
    // A worker never outlives the process that started it, whatever holds it.
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), orphanedMs).unref();
  });
  return worker;
}
