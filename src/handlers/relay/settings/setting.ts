import { TnetError } from '../../../errors.ts';
import {
  readCount,
  readFraction,
  readSizeBytes,
  readSpread,
  readTimeSpread,
  readTimeMs,
  type Spread,
} from '../../../quantities.ts';

/** The part of JSON Schema that tnet's own schema uses. */
export interface JsonSchema {
  readonly [keyword: string]: unknown;
}

/**
 * One setting of a proxy: a flag on the command line and a property of the same name in a configuration file, read by
 * the same rule. Help, manual, schema and the check of a file come from here.
 */
export interface Setting<Value> {
  /** As commander takes it: `-i, --idle <time>`. */
  readonly flags: string;
  readonly help: string;
  /** Whether the flag may be repeated, and a file has a list. */
  readonly isList?: boolean;
  /** What the configuration file may hold. */
  readonly schema: JsonSchema;
  /** @throws TnetError TNET_E_USAGE that says what is expected */
  readonly read: (value: unknown) => Value;
}

/** Settings by the name they have in a configuration file. */
export type SettingTable = Readonly<Record<string, Setting<unknown>>>;

/** The values of a table's settings, each of which may be absent. */
export type ValuesOf<Table extends SettingTable> = {
  readonly [Name in keyof Table]?: ReturnType<Table[Name]['read']>;
};

/** A number may be written as one in JSON; anything else is text. */
function toText(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return String(value);
  throw new TnetError('TNET_E_USAGE', 'A text is needed.');
}

function textOrNumber(pattern?: string): JsonSchema {
  return { type: ['string', 'number'], ...(pattern !== undefined && { pattern }) };
}

const timePattern = '\\d+(\\.\\d+)?(ms|s|m|h)?';
const sizePattern = '\\d+(\\.\\d+)?[kKmMgG]?';

export function time(flags: string, help: string): Setting<number> {
  return {
    flags,
    help,
    schema: textOrNumber(`^${timePattern}$`),
    read: (value) => readTimeMs(toText(value)),
  };
}

export function timeSpread(flags: string, help: string): Setting<Spread> {
  const pattern = `^${timePattern}((±|\\+-)${timePattern})?$`;
  return {
    flags,
    help,
    schema: textOrNumber(pattern),
    read: (value) => readTimeSpread(toText(value)),
  };
}

export function size(flags: string, help: string): Setting<number> {
  return {
    flags,
    help,
    schema: textOrNumber(`^${sizePattern}$`),
    read: (value) => readSizeBytes(toText(value)),
  };
}

/** A size of which none makes sense. */
export function positiveSize(flags: string, help: string): Setting<number> {
  const read = (value: unknown) => {
    const bytes = readSizeBytes(toText(value));
    if (bytes === 0) throw new TnetError('TNET_E_USAGE', 'A size of at least 1 is needed.');
    return bytes;
  };
  return { ...size(flags, help), read };
}

export function sizeSpread(flags: string, help: string): Setting<Spread> {
  const pattern = `^${sizePattern}((±|\\+-)${sizePattern})?$`;
  const read = (value: unknown) => {
    const spread = readSpread(toText(value), readSizeBytes);
    if (spread.mean === 0) throw new TnetError('TNET_E_USAGE', 'A size of at least 1 is needed.');
    return spread;
  };
  return { flags, help, schema: textOrNumber(pattern), read };
}

export function count(flags: string, help: string, least: number): Setting<number> {
  return {
    flags,
    help,
    schema: { type: 'integer', minimum: least },
    read: (value) => readCount(toText(value), least),
  };
}

export function fraction(flags: string, help: string): Setting<number> {
  return {
    flags,
    help,
    schema: { type: 'number', minimum: 0, maximum: 1 },
    read: (value) => readFraction(toText(value)),
  };
}

export function toggle(flags: string, help: string): Setting<boolean> {
  const read = (value: unknown) => {
    if (typeof value !== 'boolean') throw new TnetError('TNET_E_USAGE', 'true or false is needed.');
    return value;
  };
  return { flags, help, schema: { type: 'boolean' }, read };
}

export function choice<const Value extends string>(
  flags: string,
  help: string,
  values: readonly Value[],
): Setting<Value> {
  const read = (value: unknown) => {
    const found = values.find((known) => known === value);
    if (found !== undefined) return found;
    throw new TnetError('TNET_E_USAGE', `One of ${values.join(', ')} is needed.`);
  };
  return { flags, help, schema: { enum: values }, read };
}

/** A text that its own rule reads. */
export function text<Value>(flags: string, help: string, read: (text: string) => Value): Setting<Value> {
  return { flags, help, schema: { type: 'string' }, read: (value) => read(toText(value)) };
}

/** A list of texts that each their own rule reads. */
export function list<Value>(
  flags: string,
  help: string,
  read: (text: string) => Value,
): Setting<readonly Value[]> {
  return {
    flags,
    help,
    isList: true,
    schema: { type: 'array', items: { type: 'string' } },
    read(value) {
      if (!Array.isArray(value)) throw new TnetError('TNET_E_USAGE', 'A list of texts is needed.');
      return value.map((entry) => read(toText(entry)));
    },
  };
}
