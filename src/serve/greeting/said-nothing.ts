import { errorCode } from '../../errors.ts';
import type { Socket } from '../../net/index.ts';

/** The client has left without a word, where a word was waited for. That is no failure: load balancers look so. */
export class SaidNothing extends Error {
  constructor() {
    super('the client left without a word');
  }
}

/**
 * Runs what waits for a client's greeting.
 *
 * @throws SaidNothing when it failed because the client has left, by an end or by a break, and no byte had come; else
 *   what `greet` throws. A client that stays and says nothing has run into the time limit, which is a failure.
 */
export async function hearGreeting<Greeting>(
  socket: Socket,
  greet: () => Promise<Greeting>,
  signal?: AbortSignal,
): Promise<Greeting> {
  const { bytesRead } = socket;
  const hasMore = socket.readableLength > 0;
  try {
    return await greet();
  } catch (error) {
    const hasSpoken = hasMore || socket.bytesRead > bytesRead;
    if (hasSpoken || signal?.aborted || isLimit(error)) throw error;
    throw new SaidNothing();
  }
}

function isLimit(error: unknown): boolean {
  if (errorCode(error) === 'TNET_E_TIMEOUT') return true;
  const { cause } = error as { cause?: unknown };
  return cause instanceof Error && cause.name === 'AbortError';
}
