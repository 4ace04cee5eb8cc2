import { escapeText, escapeJson } from '../transform/escape-controls.ts';
import {
  formatEnd,
  formatMicros,
  nothing,
  type RecordedConnection,
  type RecordedDirection,
  type RecordFormat,
} from './record-format.ts';

const mostLineBytes = 16;

/**
 * Text for people and for grep. A line of data is
 *
 *     TIME ID DIRECTION OFFSET HEX |ASCII|
 *
 * with `>` for sent and `<` for received, the offset in its direction in hex, and at most 16 bytes. Lines with `=` tell
 * what happened.
 */
export function createHexFormat(): RecordFormat {
  const say = ({ id }: RecordedConnection, atMicros: number, text: string) =>
    Buffer.from(`${formatMicros(atMicros)} ${id} = ${text}\n`);
  return {
    begin: () => nothing,
    opened(connection, atMicros) {
      const { local, remote, role, target, note } = connection;
      const parts = [
        `${role} ${formatEnd(local)} ${role === 'accepted' ? '<-' : '->'} ${formatEnd(remote)}`,
        ...(target === undefined ? [] : [`to ${target}`]),
        ...(note === undefined ? [] : [`(${note})`]),
      ];
      return say(connection, atMicros, escapeText(parts.join(' ')));
    },
    data: ({ id }, { direction, bytes, offset, atMicros }) =>
      Buffer.from(
        formatHexLines(bytes, offset)
          .map((line) => `${formatMicros(atMicros)} ${id} ${mark(direction)} ${line}\n`)
          .join(''),
      ),
    ended: (connection, direction, atMicros) => say(connection, atMicros, `end of ${mark(direction)}`),
    closed: (connection, ending, atMicros) => say(connection, atMicros, `closed: ${ending}`),
  };
}

function mark(direction: RecordedDirection): '>' | '<' {
  return direction === 'sent' ? '>' : '<';
}

/** `OFFSET HEX |ASCII|`, `lineBytes` bytes a line. */
export function formatHexLines(bytes: Buffer, offset: number, lineBytes: number = mostLineBytes): string[] {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += lineBytes) {
    const line = bytes.subarray(at, at + lineBytes);
    const hex = line.toString('hex').replace(/..(?=.)/g, '$& ');
    const ascii = line.toString('latin1').replace(/[^\x20-\x7e]/g, '.');
    const place = (offset + at).toString(16).padStart(8, '0');
    lines.push(`${place} ${hex.padEnd(lineBytes * 3 - 1)} |${ascii}|`);
  }
  return lines;
}

/** How many bytes of hex fit a line: 16, 8 or 4; 0 when not even 4 do. */
export function hexBytesIn(columns: number): number {
  // Offset, a blank, three columns a byte but for the last blank, a blank and two bars, one column a byte.
  return [16, 8, 4].find((bytes) => 11 + 4 * bytes <= columns) ?? 0;
}

/** Lines of JSON, one object for each occurrence: docs/recording.md has the fields. Data is in base64. */
export function createJsonFormat(): RecordFormat {
  const line = ({ id }: RecordedConnection, atMicros: number, fields: object) =>
    Buffer.from(`${escapeJson(JSON.stringify({ time: formatMicros(atMicros), id, ...fields }))}\n`);
  return {
    begin: () => nothing,
    opened(connection, atMicros) {
      const { local, remote, role, transport, target, note } = connection;
      const ends = { local: formatEnd(local), remote: formatEnd(remote) };
      return line(connection, atMicros, {
        event: 'open',
        role,
        transport,
        ...ends,
        ...(target !== undefined && { target }),
        ...(note !== undefined && { note }),
      });
    },
    data: (connection, { direction, bytes, offset, atMicros }) =>
      line(connection, atMicros, { event: 'data', direction, offset, data: bytes.toString('base64') }),
    ended: (connection, direction, atMicros) => line(connection, atMicros, { event: 'end', direction }),
    closed: (connection, ending, atMicros) => line(connection, atMicros, { event: 'close', reason: ending }),
  };
}

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
