import { InvalidArgumentError } from 'commander';

const timeUnitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, '': 1000 };
const sizeUnits: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** The longest delay of a Node timer; a longer one would fire at once. */
const maxDelayMs = 2 ** 31 - 1;

/**
 * TIME of the command line: `500ms`, `2s`, `1.5m`, `1h`; a bare number is seconds.
 *
 * @returns milliseconds
 */
export function parseTimeMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|)$/.exec(text);
  if (!match) throw new InvalidArgumentError('A time is a number with ms, s, m or h; seconds without one.');
  const [, digits = '', unit = ''] = match;
  const delayMs = Math.round(Number(digits) * (timeUnitsMs[unit] ?? 1000));
  if (delayMs > maxDelayMs) throw new InvalidArgumentError('The longest time is 24 days.');
  return delayMs;
}

/**
 * SIZE of the command line: `512`, `64k`, `10M`, `1G`, in powers of 1024.
 *
 * @returns bytes
 */
export function parseSizeBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kKmMgG]?)$/.exec(text);
  if (!match)
    throw new InvalidArgumentError('A size is a number of bytes, with k, M or G for powers of 1024.');
  const [, digits = '', unit = ''] = match;
  return Math.round(Number(digits) * (sizeUnits[unit.toLowerCase()] ?? 1));
}

/** A whole number of at least `least`. */
export function parseCount(least: number): (text: string) => number {
  return (text) => {
    const count = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(count) || count < least) {
      throw new InvalidArgumentError(`A whole number of at least ${least} is needed.`);
    }
    return count;
  };
}

/** Adds one for every time a flag such as `-v` is given. */
export function countUp(_value: string, previous: number): number {
  return previous + 1;
}

/** Gathers the values of a flag that may be given several times. */
export function collectWords(word: string, previous: readonly string[] = []): string[] {
  return [...previous, word];
}

/** Permission bits in octal: `0600`, `660`. */
export function parseFileMode(text: string): number {
  if (!/^0?[0-7]{3}$/.test(text)) {
    throw new InvalidArgumentError('Permissions are three octal digits, such as 0600.');
  }
  return Number.parseInt(text, 8);
}
