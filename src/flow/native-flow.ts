import { getSystemErrorName } from 'node:util';
import type { NativeAddon } from '../native/addon.ts';

/** How a flow in the engine's thread ended. */
export interface NativeEnding {
  /** What broke; undefined for an orderly end. ECANCELED after `stop`. */
  readonly error?: NodeJS.ErrnoException;
  readonly side?: 'source' | 'sink';
  readonly bytesRead: number;
  readonly bytesSent: number;
  /** What is left of `lastWordsMs`; undefined when the source has not broken under the flow. */
  readonly restMs: number | undefined;
}

/** What is asked of the engine. Descriptors are duplicated: the caller's stay its own. */
export interface NativeFlowOptions {
  /** -1: the flow ends after `head`. */
  readonly sourceFd: number;
  readonly sinkFd: number;
  /** Sent first, and counted as read. */
  readonly head?: Uint8Array | undefined;
  /** Whether the source's end shuts the sink's sending side down. Only sockets have one. */
  readonly halfClose: boolean;
  /** How long the sink may take for what the source gave before it broke. 0: as long as it likes. */
  readonly lastWordsMs: number;
}

const rowLength = 6;
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
    const { sourceFd, sinkFd, head, halfClose, lastWordsMs } = options;
    const id = addon.start(Int32Array.of(sourceFd, sinkFd, halfClose ? 1 : 0, lastWordsMs), head);
    running.set(id, onEnded);
    return id;
  } catch (error) {
    throw withCode(error);
  }
}

/** Has the engine tell this module of endings. Without it nothing can be started. */
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

function deliverEndings(rows: Float64Array): void {
  for (let at = 0; at < rows.length; at += rowLength) {
    const row = rows.subarray(at, at + rowLength);
    const [id = 0, errno = 0, side = 0, bytesRead = 0, bytesSent = 0, rest = -1] = row;
    const onEnded = running.get(id);
    running.delete(id);
    const error = errno === 0 ? undefined : createErrnoError(errno, side === 2 ? 'write' : 'read');
    const restMs = rest < 0 ? undefined : rest;
    onEnded?.({ error, side: sides[side], bytesRead, bytesSent, restMs });
  }
}
