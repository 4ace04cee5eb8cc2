import { TnetError } from '../src/errors.ts';
import type { Context } from './context.ts';
import type { RunLimit } from './signals.ts';

/** The limit of --timeout, in milliseconds, on the whole run; running into it is said. */
export function readRunLimit(
  context: Context,
  { timeout }: { readonly timeout?: number },
): RunLimit | undefined {
  if (timeout === undefined) return undefined;
  const onTimeout = () =>
    context.reporter.fail('--timeout', new TnetError('TNET_E_TIMEOUT', `the run took ${timeout} ms`));
  return { timeoutMs: timeout, onTimeout };
}
