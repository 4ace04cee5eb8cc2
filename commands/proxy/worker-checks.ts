import { TnetError } from '../../src/errors.ts';
import type { Pair } from '../../src/handlers/relay/pair.ts';
import type { ProxyOptions } from './options.ts';

/** Says to a process of this program that it is a worker. */
export const workerVariable = 'TNET_PROXY_WORKER';

/** Whether this process has been started as a worker. */
export function isWorker(): boolean {
  return process.env[workerVariable] !== undefined && process.send !== undefined;
}

/**
 * Checks that the workers can do what is asked for.
 *
 * @throws TnetError TNET_E_USAGE
 */
export function checkWorkers(pairs: readonly Pair[], { workers }: ProxyOptions): void {
  if (workers === undefined) return;
  const subject = (['seed', 'replay'] as const).find((name) =>
    pairs.some(({ values }) => values[name] !== undefined),
  );
  if (subject === undefined) return;
  const message = 'makes no sense with --workers: which of them gets a connection is not repeatable';
  throw new TnetError('TNET_E_USAGE', message, { subject: `--${subject}` });
}
