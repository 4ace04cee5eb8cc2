import { TnetError } from '../../src/errors.ts';

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
    if (typeof written !== 'boolean') throw new TnetError('TNET_E_USAGE', 'true or false is needed.');
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
    throw new TnetError('TNET_E_USAGE', `One of ${values.join(', ')} is needed.`);
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
/** The path of a file that somebody else reads. */
export const file = text((path) => path, '/nowhere/file', 'file');

/** An option that may be repeated: texts that each their own rule reads. */
export function list<Value>(
  entry: (word: string) => Value,
  sample: string,
  completion?: Completion,
): ValueKind<readonly Value[]> {
  return {
    read(written) {
      if (!Array.isArray(written)) throw new TnetError('TNET_E_USAGE', 'A list of texts is needed.');
      return written.map((part) => entry(toText(part)));
    },
    schema: { type: 'array', items: { type: 'string' } },
    sample,
    entry,
    ...(completion && { completion }),
  };
}

/** A number may be written as one in JSON; anything else is text. */
export function toText(written: unknown): string {
  if (typeof written === 'string') return written;
  if (typeof written === 'number') return String(written);
  throw new TnetError('TNET_E_USAGE', 'A text is needed.');
}
