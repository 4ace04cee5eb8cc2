import { TnetError } from '../../errors.ts';
import { ownValue } from '../../own-value.ts';
import { longestDelayMs } from '../../quantities.ts';

/**
 * What can be done to one direction of a connection on purpose, and exchanged while bytes flow. Times are in
 * milliseconds.
 */
export type Fault =
  /** Each chunk, and the end, comes so much later. The order stays, whatever the jitter. */
  | { readonly kind: 'latency'; readonly delayMs: number; readonly jitterMs?: number }
  /** With 0 nothing passes: it is held until the fault is changed or removed. */
  | { readonly kind: 'bandwidth'; readonly bytesPerSecond: number }
  /** Cut into pieces of about so many bytes, each written on its own, with a pause between two. */
  | {
      readonly kind: 'slice';
      readonly bytes: number;
      readonly variationBytes?: number;
      readonly delayMs?: number;
    }
  /** The end comes so much later. */
  | { readonly kind: 'slow-close'; readonly delayMs: number }
  /** After so many bytes the connection is closed. What has passed since the fault was added counts. */
  | { readonly kind: 'limit'; readonly bytes: number }
  /**
   * No byte passes, and after `afterMs` the connection is closed; 0: never. The end passes. Bytes are dropped, so
   * that the connection is closed when the fault is removed.
   */
  | { readonly kind: 'timeout'; readonly afterMs: number }
  /**
   * The connection is reset after so long: since the fault was added, or since the first byte after that, from
   * which on nothing passes. Default: since it was added.
   */
  | { readonly kind: 'reset'; readonly afterMs: number; readonly from?: 'start' | 'first-byte' }
  /** A share of the bytes, from 0 to 1, is replaced with others. */
  | { readonly kind: 'corrupt'; readonly share: number }
  /** Neither a byte nor the end passes. A connection that misses bytes is reset when the fault is removed. */
  | { readonly kind: 'blackhole' };

export type FaultKind = Fault['kind'];

/** What a stage of a chain does to the whole connection. */
export interface ConnectionActions {
  /** Closes it once everything that has come through has been taken. */
  readonly close: () => void;
  /** Resets both sides at once. */
  readonly reset: () => void;
}

/** The settings of each kind, with the least and the most that each may be. */
const limits: Readonly<Record<FaultKind, Readonly<Record<string, readonly [least: number, most: number]>>>> =
  {
    latency: { delayMs: [0, Infinity], jitterMs: [0, Infinity] },
    bandwidth: { bytesPerSecond: [0, Infinity] },
    slice: { bytes: [1, Infinity], variationBytes: [0, Infinity], delayMs: [0, Infinity] },
    'slow-close': { delayMs: [0, Infinity] },
    limit: { bytes: [0, Infinity] },
    timeout: { afterMs: [0, Infinity] },
    reset: { afterMs: [0, Infinity] },
    corrupt: { share: [0, 1] },
    blackhole: {},
  };

/**
 * Makes sure that a fault can be caused, wherever its settings come from.
 *
 * @throws TnetError TNET_E_USAGE whose subject is the setting
 */
export function checkFault(fault: Fault): void {
  const known = ownValue(limits, fault.kind);
  if (!known)
    throw new TnetError('TNET_E_USAGE', `expected one of ${Object.keys(limits).join(', ')}`, {
      subject: 'kind',
    });
  const settings: Readonly<Record<string, unknown>> = { ...fault };
  checkNames(settings, known);
  for (const [name, [least, most]] of Object.entries(known)) {
    const value = settings[name];
    if (value === undefined && isOptional(fault.kind, name)) continue;
    const limit = name.endsWith('Ms') ? Math.min(most, longestDelayMs) : most;
    const isRight = typeof value === 'number' && Number.isFinite(value) && value >= least && value <= limit;
    if (!isRight || (/bytes/i.test(name) && !Number.isInteger(value)))
      throw new TnetError(
        'TNET_E_USAGE',
        `expected a number from ${least}${limit < Infinity ? ` to ${limit}` : ' on'}`,
        { subject: name },
      );
  }
}

/** @throws TnetError TNET_E_USAGE for a setting that the kind of fault has not */
function checkNames({ kind, ...settings }: Readonly<Record<string, unknown>>, known: object): void {
  for (const [name, value] of Object.entries(settings)) {
    if (value === undefined || Object.hasOwn(known, name)) continue;
    const isFrom = kind === 'reset' && name === 'from';
    if (isFrom && (value === 'start' || value === 'first-byte')) continue;
    const message = isFrom ? 'expected start or first-byte' : 'this kind of fault has no such setting';
    throw new TnetError('TNET_E_USAGE', message, { subject: name });
  }
}

function isOptional(kind: FaultKind, name: string): boolean {
  return name === 'jitterMs' || name === 'variationBytes' || (kind === 'slice' && name === 'delayMs');
}
