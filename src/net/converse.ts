import { TnetError, type TnetErrorCode } from '../errors.ts';
import type { Socket } from './index.ts';

/** What results from a chunk of the peer. */
export interface Answer<T> {
  readonly send?: Buffer | undefined;
  /** The conversation is over: with its result, and the bytes after it, which belong to the stream. */
  readonly done?: { readonly value: T; readonly rest: Buffer } | undefined;
}

export interface Conversation<T> {
  /** What we say first. */
  readonly first?: Buffer;
  /** Takes a chunk of the peer, cut anywhere. What it throws ends the conversation. */
  readonly receive: (chunk: Buffer) => Answer<T>;
  /** The error when the peer ends or breaks off: its code and message. */
  readonly cut: { readonly code: TnetErrorCode; readonly message: string };
  readonly signal?: AbortSignal | undefined;
}

/**
 * Holds a handshake with the peer of a connected socket before its stream begins. Afterwards the socket is paused,
 * and what came after the handshake is put back to be read first. It is not closed, whatever happens.
 *
 * @throws what `receive` throws, the signal's reason, the socket's error, or a TnetError with the `cut` code.
 */
export async function converse<T>(socket: Socket, conversation: Conversation<T>): Promise<T> {
  const { first, receive, cut, signal } = conversation;
  signal?.throwIfAborted();
  const result = Promise.withResolvers<T>();
  const onData = (chunk: Buffer) => {
    try {
      const { send, done } = receive(chunk);
      if (send) socket.write(send);
      if (!done) return;
      release();
      if (done.rest.length > 0) socket.unshift(done.rest);
      result.resolve(done.value);
    } catch (error) {
      result.reject(error);
    }
  };
  const onEnd = () => result.reject(new TnetError(cut.code, cut.message));
  const onError = (error: Error) => result.reject(error);
  const onAbort = () => result.reject(signal?.reason as Error);
  const release = () => {
    socket.off('data', onData).off('end', onEnd).off('close', onEnd).off('error', onError);
    signal?.removeEventListener('abort', onAbort);
    socket.pause();
  };
  socket.on('data', onData).on('end', onEnd).on('close', onEnd).on('error', onError);
  signal?.addEventListener('abort', onAbort, { once: true });
  if (first && first.length > 0) socket.write(first);
  socket.resume();
  try {
    return await result.promise;
  } finally {
    release();
  }
}
