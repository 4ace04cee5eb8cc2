import { getSystemErrorName } from 'node:util';
import type { NativeAddon } from '../native/addon.ts';

/** A descriptor for the engine. */
export interface EndDescriptor {
  readonly fd: number;
  /**
   * For a socket that is kept open meanwhile, its family: the engine uses the descriptor itself. 0: it makes a
   * duplicate. Source: enum lent in native/engine.h.
   */
  readonly lent: 0 | 1 | 2;
}

/** How a flow in the engine's thread ended. */
export interface NativeEnding {
  /** What broke; undefined for an orderly end. ECANCELED after `stop`. */
  readonly error?: NodeJS.ErrnoException;
  readonly side?: 'source' | 'sink';
  readonly bytesRead: number;
  readonly bytesSent: number;
  /** What is left of `lastWordsMs`; undefined when the source has not broken under the flow. */
  readonly restMs: number | undefined;
  /** What the opposite flow of the connection had read by then, if there was one. */
  readonly oppositeRead: number | undefined;
  /** It was handed back: what had been read and not taken. `side` is then the source if that had ended. */
  readonly handed?: Buffer;
}

/** The options of a flow in the engine. */
export interface NativeFlowOptions {
  /** Undefined: the flow ends after `head`. */
  readonly source: EndDescriptor | undefined;
  readonly sink: EndDescriptor;
  /** Sent first, and counted as read. */
  readonly head?: Uint8Array | undefined;
  /** Whether the source's end shuts down the sink's sending side. Only sockets have one. */
  readonly halfClose: boolean;
  /** How long the sink may take for what the source delivered before it broke. 0: no limit. */
  readonly lastWordsMs: number;
}

/** Reused for each call. */
const numbers = new Int32Array(6);
const rowLength = 8;
const nothing = new Uint8Array();
const sides = [undefined, 'source', 'sink'] as const;

const running = new Map<number, (ending: NativeEnding) => void>();
let listening: NativeAddon | undefined;

/**
 * Starts a flow in the engine's thread and returns its number. `onEnded` is called once.
 *
 * @throws {Error} with `code` when a descriptor is bad or none is left.
 */
export function startNativeFlow(
  addon: NativeAddon,
  options: NativeFlowOptions,
  onEnded: (ending: NativeEnding) => void,
): number {
  listenToEngine(addon);
  try {
    const { source, sink, head, halfClose, lastWordsMs } = options;
    numbers[0] = source?.fd ?? -1;
    numbers[1] = sink.fd;
    numbers[2] = halfClose ? 1 : 0;
    numbers[3] = lastWordsMs;
    numbers[4] = source?.lent ?? 0;
    numbers[5] = sink.lent;
    const id = addon.start(numbers, head);
    running.set(id, onEnded);
    return id;
  } catch (error) {
    throw withCode(error);
  }
}

/**
 * Ends flows where they stand, and delivers their endings, with what is handed back, before it returns. One that is
 * breaking is left alone.
 */
export function handBackNativeFlows(addon: NativeAddon, ids: readonly number[]): void {
  addon.handBack(Float64Array.from(ids), deliverEndings);
}

/** Makes the engine report endings to this module. Without it nothing can be started. */
export function listenToEngine(addon: NativeAddon): void {
  if (listening === addon) return;
  addon.listen(deliverEndings);
  listening = addon;
}

/** An error for `errno` (positive), as Node's own calls throw it. */
export function createErrnoError(errno: number, syscall: string): NodeJS.ErrnoException {
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(`${syscall} ${code}`), { code, errno: -errno, syscall });
}

function withCode(error: unknown): Error {
  const { errno } = error as NodeJS.ErrnoException;
  return Object.assign(error as Error, errno === undefined ? {} : { code: getSystemErrorName(errno) });
}

function deliverEndings(rows: Float64Array, bytes: Uint8Array = nothing): void {
  let taken = 0;
  for (let at = 0; at < rows.length; at += rowLength) {
    const row = rows.subarray(at, at + rowLength);
    const [id = 0, errno = 0, side = 0, bytesRead = 0, bytesSent = 0, rest = -1, opposite = -1, held = -1] =
      row;
    const onEnded = running.get(id);
    running.delete(id);
    const error = errno === 0 ? undefined : createErrnoError(errno, side === 2 ? 'write' : 'read');
    const restMs = rest < 0 ? undefined : rest;
    const oppositeRead = opposite < 0 ? undefined : opposite;
    const handed =
      held < 0 ? undefined : { handed: Buffer.from(bytes.buffer, bytes.byteOffset + taken, held) };
    taken += Math.max(held, 0);
    onEnded?.({ error, side: sides[side], bytesRead, bytesSent, restMs, oppositeRead, ...handed });
  }
}
