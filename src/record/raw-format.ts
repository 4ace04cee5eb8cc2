import { nothing, type RecordFormat } from './record-format.ts';

/** The bytes of both directions as they came, with nothing between them: what nc and ncat users expect of a log. */
export function createRawFormat(): RecordFormat {
  return {
    begin: () => nothing,
    opened: () => nothing,
    data: (_connection, { bytes }) => bytes,
    ended: () => nothing,
    closed: () => nothing,
  };
}
