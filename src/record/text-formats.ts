import { escapeText, escapeJson, hexDigits } from '../transform/escape-controls.ts';
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
 * with `>` for sent and `<` for received, the offset in its direction in hex, and at most 16 bytes. Lines with `=`
 * say what happened.
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
      formatHexLines(bytes, offset, { before: `${formatMicros(atMicros)} ${id} ${mark(direction)} ` }),
    ended: (connection, direction, atMicros) => say(connection, atMicros, `end of ${mark(direction)}`),
    closed: (connection, ending, atMicros) => say(connection, atMicros, `closed: ${ending}`),
  };
}

function mark(direction: RecordedDirection): '>' | '<' {
  return direction === 'sent' ? '>' : '<';
}

const SPACE = 0x20;
const DOT = 0x2e;
const BAR = 0x7c;
const LF = 0x0a;

/**
 * `BEFORE OFFSET HEX |ASCII| AFTER`, a newline after each line of at most `lineBytes`, 16 by default. Writes bytes
 * and builds no strings: everything that is relayed passes through here.
 *
 * @param offset of the first byte, shown in at least eight digits
 */
export function formatHexLines(
  bytes: Buffer,
  offset: number,
  { before = '', after = '', lineBytes = mostLineBytes } = {},
): Buffer {
  const [head, tail] = [Buffer.from(before), Buffer.from(after)];
  const lines = Math.ceil(bytes.length / lineBytes);
  const placeWidth = Math.max(8, (offset + bytes.length).toString(16).length);
  const fixed = head.length + placeWidth + 1 + lineBytes * 3 - 1 + 2 + 1 + tail.length + 1;
  const out = Buffer.allocUnsafe(lines * fixed + bytes.length);
  let to = 0;
  for (let at = 0; at < bytes.length; at += lineBytes) {
    const end = Math.min(at + lineBytes, bytes.length);
    for (const byte of head) out[to++] = byte;
    let place = offset + at;
    const digits = Math.max(8, place.toString(16).length);
    for (let digit = digits - 1; digit >= 0; digit--) {
      out[to + digit] = hexDigits[place % 16] ?? 0;
      place = Math.floor(place / 16);
    }
    to += digits;
    for (let i = at; i < end; i++) {
      const byte = bytes[i] ?? 0;
      out[to] = SPACE;
      out[to + 1] = hexDigits[byte >> 4] ?? 0;
      out[to + 2] = hexDigits[byte & 15] ?? 0;
      to += 3;
    }
    for (let blanks = (lineBytes - (end - at)) * 3 + 1; blanks > 0; blanks--) out[to++] = SPACE;
    out[to++] = BAR;
    for (let i = at; i < end; i++) {
      const byte = bytes[i] ?? 0;
      out[to++] = byte >= 0x20 && byte <= 0x7e ? byte : DOT;
    }
    out[to++] = BAR;
    for (const byte of tail) out[to++] = byte;
    out[to++] = LF;
  }
  return out.subarray(0, to);
}

/** How many bytes of hex fit a line: 16, 8 or 4; 0 when not even 4 do. */
export function hexBytesIn(columns: number): number {
  // Offset, a blank, three columns a byte except for the last blank, a blank and two bars, one column a byte.
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
