import type net from 'node:net';

/**
 * What a socket with `dataBeforeError` holds back so that the bytes come first.
 *
 *     kernel ──▶ readable buffer ──▶ reader          error of the read side: after the last byte
 *     kernel ◀── failed write ◀── writer             error of the write side: after the read side's end
 *
 * The kernel reports a socket's error once, to the first call that asks, and afterwards reads see an ordinary end.
 * So a write that met the error has used it up: `connectionError` remembers it for the read side.
 */
export interface HeldErrors {
  /** Set when reading failed while bytes were waiting for the reader; emitted when they are gone. */
  read: Error | undefined;
  /**
   * Set when a write failed while the reader may still have bytes to take; passed to its callback at the read
   * side's end.
   */
  write: { error: Error; done: WriteCallback } | undefined;
  /** Set when a write learned that the connection is gone; turns the read side's end into an error. */
  connectionError: Error | undefined;
  /** The break, once it has been announced: see kBroken. */
  told: Break | undefined;
  /** Whether the peer's FIN has been read. */
  ended: boolean;
  /** From connect() until it is read from. */
  isOpening: boolean;
  /** Set while a connect that failed because the connection broke waits for what its peer had sent before. */
  failedConnect: Error | undefined;
  /** Set when TLS has taken the descriptor over: errors of the connection come from there. */
  isSecure: boolean;
}

/** How a connection broke. */
export interface Break {
  readonly error: Error;
  /** The peer's stream had come to its end in order before. */
  readonly hasEnded: boolean;
}

export type WriteCallback = (error?: Error | null) => void;

export function createHeldErrors(): HeldErrors {
  return {
    read: undefined,
    write: undefined,
    connectionError: undefined,
    told: undefined,
    ended: false,
    isOpening: false,
    failedConnect: undefined,
    isSecure: false,
  };
}

const deadConnection = new Set([
  'EPIPE',
  'ECONNRESET',
  'ECONNABORTED',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'ENETRESET',
]);

/** Whether `error` is a failed write after which the connection cannot carry another byte. */
export function isDeadConnection(error: Error): boolean {
  return deadConnection.has((error as NodeJS.ErrnoException).code ?? '');
}

/** Whether `error` is node:net's error for a failed read, and not something a program passed to destroy(). */
export function isReadFailure(error: Error): boolean {
  return (error as NodeJS.ErrnoException).syscall === 'read';
}

/**
 * Whether `error` is that of a connect which met a break: no refusal has one of these codes, so the connection was
 * established, and broke before that was noticed. EPIPE: after an orderly end of the peer's stream.
 */
export function isEarlyBreak(error: Error): boolean {
  const { syscall, code } = error as NodeJS.ErrnoException;
  return syscall === 'connect' && (code === 'ECONNRESET' || code === 'EPIPE');
}

/** The error that a read (or another call) would have reported if an earlier call had not used it up. */
export function toReadError(error: Error, syscall = 'read'): Error {
  const { code, errno } = error as NodeJS.ErrnoException;
  return Object.assign(new Error(`${syscall} ${code ?? 'ECONNRESET'}`, { cause: error }), {
    errno,
    code,
    syscall,
  });
}

/** The part of node:net's handle that tells TCP from Unix sockets. */
interface StreamHandle {
  setNoDelay?: unknown;
}

/** Whether the socket has an open TCP descriptor. */
export function isTcp(socket: net.Socket): boolean {
  const { _handle: handle } = socket as unknown as { _handle: StreamHandle | null };
  return typeof handle?.setNoDelay === 'function';
}
