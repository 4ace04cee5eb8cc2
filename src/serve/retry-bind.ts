import { setTimeout as delay } from 'node:timers/promises';
import { errorCode } from '../errors.ts';

/** How long an address in use is left alone before the next try. Source: net.Server, 'error', of Node 0.x. */
const retryMs = 1_000;

export interface RetryOptions {
  /** Gives up when it aborts. */
  readonly signal: AbortSignal;
  /** Told before each wait. */
  readonly onRetry: (delayMs: number) => void;
}

/**
 * Binds, and tries again while the address is in use.
 *
 * @throws what `bind` throws for another reason, or last when the signal aborts
 */
export async function retryBind<Bound>(
  bind: () => Promise<Bound>,
  { signal, onRetry }: RetryOptions,
): Promise<Bound> {
  for (;;) {
    try {
      return await bind();
    } catch (error) {
      if (!isInUse(error) || signal.aborted) throw error;
      onRetry(retryMs);
      try {
        await delay(retryMs, undefined, { signal });
      } catch {
        throw error;
      }
    }
  }
}

function isInUse(error: unknown): boolean {
  return ['EADDRINUSE', 'TNET_E_PATH_IN_USE'].includes(errorCode(error) ?? '');
}
