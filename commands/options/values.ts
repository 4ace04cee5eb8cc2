import { InvalidArgumentError } from 'commander';
import { readCount, readSizeBytes, readTimeMs } from '../../src/quantities.ts';

/**
 * TIME of the command line: `500ms`, `2s`, `1.5m`, `1h`; a bare number is seconds.
 *
 * @returns milliseconds
 */
export function parseTimeMs(text: string): number {
  return asArgument(() => readTimeMs(text));
}

/**
 * SIZE of the command line: `512`, `64k`, `10M`, `1G`, in powers of 1024.
 *
 * @returns bytes
 */
export function parseSizeBytes(text: string): number {
  return asArgument(() => readSizeBytes(text));
}

/** A whole number of at least `least`. */
export function parseCount(least: number): (text: string) => number {
  return (text) => asArgument(() => readCount(text, least));
}

/** What is wrong with a value, told the way that makes commander name its flag. */
export function asArgument<Value>(read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
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
