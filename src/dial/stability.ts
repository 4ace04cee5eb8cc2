import { TnetError } from '../errors.ts';
import type { Connection } from '../net/connection.ts';

/** A peer that has sent this much is talking to us: no more is read ahead. */
const readAheadBytes = 64 * 1024;

/**
 * Waits until the connection has been open for `forMs`. What the peer sends in that time is put back, to be read by
 * whoever reads the socket next. The socket is destroyed when it does not hold.
 *
 * It has to be read meanwhile, because a socket that is not read shows neither the peer's end nor a reset.
 *
 * @throws TnetError TNET_E_UNSTABLE when the peer ended or reset the connection; the signal's reason.
 */
export async function staysOpen(socket: Connection, forMs: number, signal?: AbortSignal): Promise<void> {
  const chunks: Buffer[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const fail = (cause?: Error) => {
    const how = cause ? 'was reset' : 'was ended by the peer';
    reject(new TnetError('TNET_E_UNSTABLE', `the connection ${how} within ${forMs} ms`, { cause }));
  };
  const onData = (chunk: Buffer) => {
    chunks.push(chunk);
    if (chunks.reduce((sum, { length }) => sum + length, 0) >= readAheadBytes) socket.pause();
  };
  const onEnd = () => fail();
  const onAbort = () => reject(signal?.reason as Error);
  const timer = setTimeout(resolve, forMs, undefined);
  signal?.addEventListener('abort', onAbort, { once: true });
  socket.on('data', onData).once('end', onEnd).once('error', fail);
  try {
    await promise;
  } catch (error) {
    socket.once('error', () => undefined).destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    socket.pause();
    socket.off('data', onData).off('end', onEnd).off('error', fail);
  }
  if (chunks.length > 0) socket.unshift(Buffer.concat(chunks));
}
