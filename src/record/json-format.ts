import { escapeJson } from '../transform/escape-controls.ts';
import {
  formatEnd,
  formatMicros,
  nothing,
  type RecordedConnection,
  type RecordFormat,
} from './record-format.ts';

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
