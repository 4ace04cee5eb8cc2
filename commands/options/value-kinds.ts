import { TnetError } from '../../src/errors.ts';
import {
  readCount,
  readFraction,
  readRate,
  readSizeBytes,
  readSpread,
  readTimeMs,
  readTimeSpread,
  type Rate,
  type Spread,
} from '../../src/quantities.ts';
import { compilePattern } from '../../src/transform/byte-pattern.ts';
import type { Step } from '../../src/transform/dialogue.ts';

/** The part of JSON Schema that tnet's own schema uses. */
export interface JsonSchema {
  readonly [keyword: string]: unknown;
}

/** What the shell can offer for a value. */
export type Completion = 'file' | 'folder' | 'socket' | 'address' | 'program';

/** How a value is written, in a word of the command line or in a configuration file. */
export interface ValueKind<Value> {
  /** @throws TnetError that says what is expected; with a subject where the value has parts */
  readonly read: (written: unknown) => Value;
  /** What the configuration file may hold. */
  readonly schema: JsonSchema;
  /** A word that is read: the shortest good example. Undefined for a flag, which has no word. */
  readonly sample?: string;
  /** The words there are, where they can be told. */
  readonly choices?: readonly string[];
  readonly completion?: Completion;
  /** The option may be repeated, and a file has a list: the reader of one entry. */
  readonly entry?: (word: string) => unknown;
  /** The option counts how often it is given. */
  readonly counts?: true;
}

/** A flag without a value. */
export const toggle: ValueKind<boolean> = {
  read(written) {
    if (typeof written !== 'boolean') throw new TnetError('TNET_E_USAGE', 'expected true or false');
    return written;
  },
  schema: { type: 'boolean' },
};

/** A flag that says more each time, as -vv does. */
export const counted: ValueKind<number> = { read: Number, schema: { type: 'integer' }, counts: true };

export function choice<const Value extends string>(values: readonly Value[]): ValueKind<Value> {
  const read = (written: unknown) => {
    const found = values.find((known) => known === written);
    if (found !== undefined) return found;
    throw new TnetError('TNET_E_USAGE', `expected one of ${values.join(', ')}`);
  };
  const [sample = ''] = values;
  return { read, schema: { enum: values }, sample, choices: values };
}

/** A text that its own rule reads. */
export function text<Value>(
  read: (word: string) => Value,
  sample: string,
  completion?: Completion,
): ValueKind<Value> {
  const shell = completion && { completion };
  return { read: (written) => read(toText(written)), schema: { type: 'string' }, sample, ...shell };
}

/** A text that is used as it is. */
export const word = text((written) => written, 'x');
/** The path of a file that another program reads. */
export const file = text((path) => path, '/nowhere/file', 'file');

/** An option that may be repeated: texts that each their own rule reads. */
export function list<Value>(
  entry: (word: string) => Value,
  sample: string,
  completion?: Completion,
): ValueKind<readonly Value[]> {
  return {
    read(written) {
      if (!Array.isArray(written)) throw new TnetError('TNET_E_USAGE', 'expected a list of strings');
      return written.map((part) => entry(toText(part)));
    },
    schema: { type: 'array', items: { type: 'string' } },
    sample,
    entry,
    ...(completion && { completion }),
  };
}

/** Files, one for each time that the option is given; a configuration file may also name a single one. */
export const files: ValueKind<readonly string[]> = {
  ...list((path) => path, '/nowhere/file', 'file'),
  read: (written) => (Array.isArray(written) ? written : [written]).map(toText),
  schema: { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] },
};

/** Entries of a list that are read later, as files among them want I/O. */
export function entries(sample: string): ValueKind<readonly string[]> {
  return list(requireWord, sample, 'file');
}

function requireWord(entry: string): string {
  if (entry !== '') return entry;
  throw new TnetError('TNET_E_USAGE', 'the entry is empty');
}

/** A number may be written as one in JSON; anything else is text. */
export function toText(written: unknown): string {
  if (typeof written === 'string') return written;
  if (typeof written === 'number') return String(written);
  throw new TnetError('TNET_E_USAGE', 'expected a string');
}

const timePattern = '\\d+(\\.\\d+)?(ms|s|m|h)?';
const sizePattern = '\\d+(\\.\\d+)?[kKmMgG]?';

/** TIME: `500ms`, `2s`, `1.5m`, `1h`; a bare number is seconds. Read as milliseconds. */
export const time = quantity(readTimeMs, `^${timePattern}$`, '1s');
/** A time that varies: `100ms±20ms`. */
export const timeSpread: ValueKind<Spread> = quantity(
  readTimeSpread,
  `^${timePattern}((±|\\+-)${timePattern})?$`,
  '1s',
);
/** SIZE: `512`, `64k`, `10M`, `1G`, in powers of 1024. Read as bytes. */
export const size = quantity(readSizeBytes, `^${sizePattern}$`, '64');
/** A size of which none makes sense. */
export const positiveSize = quantity((word) => atLeastOne(readSizeBytes(word)), `^${sizePattern}$`, '64');
export const sizeSpread: ValueKind<Spread> = quantity(
  (word) => {
    const spread = readSpread(word, readSizeBytes);
    atLeastOne(spread.mean);
    return spread;
  },
  `^${sizePattern}((±|\\+-)${sizePattern})?$`,
  '64',
);
/** So many in a time: `10/s`, `100/m`. */
export const rate: ValueKind<Rate> = {
  ...text(readRate, '1/s'),
  schema: { type: ['string', 'integer'], pattern: '^\\d+(/(\\d+(\\.\\d+)?)?(ms|s|m|h))?$', minimum: 1 },
};
/** A share: from 0 to 1, or in per cent. */
export const fraction: ValueKind<number> = {
  read: (written) => readFraction(toText(written)),
  schema: { type: ['number', 'string'], minimum: 0, maximum: 1, pattern: '^\\d+(\\.\\d+)?%$' },
  sample: '0.5',
};

/** A whole number of at least `least`. */
export function count(least: number): ValueKind<number> {
  return {
    read: (written) => readCount(toText(written), least),
    schema: { type: 'integer', minimum: least },
    sample: String(Math.max(1, least)),
  };
}

function quantity<Value>(read: (word: string) => Value, pattern: string, sample: string): ValueKind<Value> {
  const schema = { type: ['string', 'number'], pattern };
  return { read: (written) => read(toText(written)), schema, sample };
}

function atLeastOne(bytes: number): number {
  if (bytes === 0) throw new TnetError('TNET_E_USAGE', 'expected a size of at least 1');
  return bytes;
}

/** A pattern for bytes: see compilePattern(). */
export function parseExpect(text: string): Step {
  try {
    return { kind: 'expect', text, pattern: compilePattern(text) };
  } catch (error) {
    const [reason] = (error as Error).message.split('\n');
    throw new TnetError('TNET_E_USAGE', reason ?? 'the pattern cannot be read', { subject: '--expect' });
  }
}

const escapes: Readonly<Record<string, string>> = {
  r: '\r',
  n: '\n',
  t: '\t',
  0: '\0',
  e: '\x1b',
  '\\': '\\',
};

/**
 * The bytes of a text in which `\r`, `\n`, `\t`, `\0`, `\e`, `\\` and `\xHH` stand for bytes, as in printf(1).
 *
 * @throws TnetError TNET_E_USAGE for any other backslash.
 */
export function unescapeText(text: string): Buffer {
  const parts = text.split(/(\\x[0-9a-f]{2}|\\[^]?)/i).map((part, index) => {
    if (index % 2 === 0) return Buffer.from(part);
    if (part.length === 4) return Buffer.from(part.slice(2), 'hex');
    const byte = escapes[part.slice(1)];
    if (byte === undefined)
      throw new TnetError('TNET_E_USAGE', `${part} is not an escape sequence; write \\\\ for \\`, {
        subject: '--send',
      });
    return Buffer.from(byte, 'latin1');
  });
  return Buffer.concat(parts);
}
