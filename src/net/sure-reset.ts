import type net from 'node:net';
import type { WriteCallback } from './held-errors.ts';
import { guarded } from './guard.ts';

/** What this file uses of node:net's TCP handle. */
interface ResettingHandle {
  /** Closes with a RST. When the system refuses, the handle can never be closed any more. */
  reset(onClosed: () => void): number;
  close(onClosed: () => void): void;
  readStop(): number;
}

/**
 * Set while a connection's half-close is under way: libuv refuses to reset it (EINVAL). A mark on the handle costs every
 * connection less than a WeakSet of handles.
 */
const kHalfClosing = Symbol('tnet.halfClosing');

type Handle = Partial<ResettingHandle> & { [kHalfClosing]?: boolean };

/** The loop finishes a half-close in its next round; this bound keeps the wait from going on for ever. */
const roundsMost = 100;

/** Notes that a socket's half-close begins; the callback for its end is to be used instead of `done`. */
export function noteHalfClose(socket: net.Socket, done: WriteCallback): WriteCallback {
  const handle = handleOf(socket);
  if (!handle) return done;
  handle[kHalfClosing] = true;
  return (error) => {
    handle[kHalfClosing] = false;
    done(error);
  };
}

/**
 * Makes a socket that is about to be destroyed by resetAndDestroy() wait for its half-close. Without this the reset
 * is refused, and the descriptor stays open and watched for as long as the process lives.
 */
export function resetAfterHalfClose(socket: net.Socket): void {
  const handle = handleOf(socket);
  if (!handle?.[kHalfClosing] || typeof handle.reset !== 'function') return;
  const whole = handle as ResettingHandle & Handle;
  const reset = whole.reset.bind(whole);
  const attempt = (onClosed: () => void, rounds: number): void => {
    if (!whole[kHalfClosing]) reset(onClosed);
    else if (rounds === 0) whole.close(onClosed);
    else setImmediate(guarded(attempt), onClosed, rounds - 1);
  };
  whole.reset = (onClosed) => {
    whole.readStop();
    attempt(onClosed, roundsMost);
    return 0;
  };
}

function handleOf(socket: net.Socket): Handle | null {
  return (socket as unknown as { _handle: Handle | null })._handle;
}
