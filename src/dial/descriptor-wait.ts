import { setTimeout as delay } from 'node:timers/promises';
import { errorCode } from '../errors.ts';

/** How long it is waited for a free descriptor before it is looked again. */
const lookAgainMs = 50;

/**
 * Opens a connection, and again as long as the process or the system has no free descriptor and there is time: another
 * connection will leave.
 *
 * @param open opens it within `timeoutMs`
 * @throws what `open` throws, or the signal's AbortError
 */
export async function awaitDescriptor<Opened>(
  open: (timeoutMs: number | undefined) => Promise<Opened>,
  limitMs: number | undefined,
  signal: AbortSignal | undefined,
): Promise<Opened> {
  const endsAt = performance.now() + (limitMs ?? Infinity);
  for (let leftMs = limitMs; ; leftMs = limitMs && Math.max(1, Math.ceil(endsAt - performance.now()))) {
    try {
      return await open(leftMs);
    } catch (error) {
      if (!isExhausted(error) || performance.now() + lookAgainMs >= endsAt) throw error;
      await delay(lookAgainMs, undefined, { signal });
    }
  }
}

function isExhausted(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'EMFILE' || code === 'ENFILE';
}
