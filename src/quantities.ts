import { TnetError } from './errors.ts';

const timeUnitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, '': 1000 };
const sizeUnits: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** The longest delay of a Node timer, 24.8 days; a longer one would fire at once. Source: Node doc, setTimeout(). */
export const longestDelayMs = 2 ** 31 - 1;

/** A value that cannot be read: the message says what was expected, the caller adds where it occurs. */
function badValue(message: string): TnetError {
  return new TnetError('TNET_E_USAGE', message);
}

/**
 * TIME: `500ms`, `2s`, `1.5m`, `1h`; a bare number is seconds.
 *
 * @returns milliseconds
 * @throws TnetError TNET_E_USAGE
 */
export function readTimeMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|)$/.exec(text);
  if (!match) throw badValue('a time is a number with ms, s, m or h; seconds without one');
  const [, digits = '', unit = ''] = match;
  const delayMs = Math.round(Number(digits) * (timeUnitsMs[unit] ?? 1000));
  if (delayMs > longestDelayMs) throw badValue('the longest time is 24 days');
  return delayMs;
}

/** A measured duration in milliseconds, to the microsecond: more digits mean nothing. */
export function roundMs(durationMs: number): number {
  return Math.round(durationMs * 1000) / 1000;
}

/**
 * SIZE: `512`, `64k`, `10M`, `1G`, in powers of 1024.
 *
 * @returns bytes
 * @throws TnetError TNET_E_USAGE
 */
export function readSizeBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kKmMgG]?)$/.exec(text);
  if (!match) throw badValue('a size is a number of bytes, with k, M or G for powers of 1024');
  const [, digits = '', unit = ''] = match;
  return Math.round(Number(digits) * (sizeUnits[unit.toLowerCase()] ?? 1));
}

/**
 * A whole number of at least `least`.
 *
 * @throws TnetError TNET_E_USAGE
 */
export function readCount(text: string, least: number): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(count) || count < least) {
    throw badValue(`expected a whole number of at least ${least}`);
  }
  return count;
}

/** A number of events in a span of time. */
export interface Rate {
  readonly count: number;
  readonly perMs: number;
}

/**
 * RATE: `10` or `10/s`, `100/m`, `1000/h`, `5/10s`.
 *
 * @throws TnetError TNET_E_USAGE
 */
export function readRate(text: string): Rate {
  const match = /^(\d+)(?:\/(\d+(?:\.\d+)?)?(ms|s|m|h))?$/.exec(text);
  const [, digits = '', amount = '1', unit = 's'] = match ?? [];
  const perMs = Number(amount) * (timeUnitsMs[unit] ?? 1000);
  if (!match || Number(digits) === 0 || perMs === 0) {
    throw badValue('a rate is a number with a time, such as 10/s, 100/m or 5/10s');
  }
  if (perMs > longestDelayMs) throw badValue('the longest time is 24 days');
  return { count: Number(digits), perMs };
}

/** A value, and how far from it the real one may be, either way. */
export interface Spread {
  readonly mean: number;
  readonly spread: number;
}

/**
 * `A` or `A±B` (also written `A+-B`), each read by `read`.
 *
 * @throws TnetError TNET_E_USAGE, also when B is greater than A
 */
export function readSpread(text: string, read: (part: string) => number): Spread {
  const [first = '', second, ...more] = text.split(/±|\+-/);
  const spread = second === undefined ? 0 : read(second);
  const mean = read(first);
  if (more.length > 0) throw badValue('only one ± is allowed');
  if (spread > mean) throw badValue('the value after ± cannot be greater than the one before it');
  return { mean, spread };
}

/**
 * `TIME` or `TIME±TIME`, in milliseconds.
 *
 * @throws TnetError TNET_E_USAGE, also when the longest time of it is longer than a TIME may be
 */
export function readTimeSpread(text: string): Spread {
  const time = readSpread(text, readTimeMs);
  if (time.mean + time.spread > longestDelayMs) throw badValue('the longest time is 24 days');
  return time;
}

/**
 * A share or chance: from 0 to 1, or from 0% to 100%.
 *
 * @throws TnetError TNET_E_USAGE
 */
export function readFraction(text: string): number {
  const isShare = text.endsWith('%');
  const digits = isShare ? text.slice(0, -1) : text;
  const value = Number(digits) / (isShare ? 100 : 1);
  if (!/^\d*\.?\d+(e-?\d+)?$/i.test(digits) || value > 1)
    throw badValue('expected a number from 0 to 1, or from 0% to 100%');
  return value;
}

/** Milliseconds since `startedAt` (of performance.now()), to the microsecond. */
export function elapsedMs(startedAt: number): number {
  return roundMs(performance.now() - startedAt);
}
