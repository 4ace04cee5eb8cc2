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
import { text, toText, type ValueKind } from './value-kinds.ts';

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
/** A share, from 0 to 1. */
export const fraction: ValueKind<number> = {
  read: (written) => readFraction(toText(written)),
  schema: { type: 'number', minimum: 0, maximum: 1 },
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
  if (bytes === 0) throw new TnetError('TNET_E_USAGE', 'A size of at least 1 is needed.');
  return bytes;
}
