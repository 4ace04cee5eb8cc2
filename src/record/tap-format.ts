import { escapeText, showLine } from '../transform/escape-controls.ts';
import { formatHexLines, hexBytesIn } from './text-formats.ts';
import {
  formatEnd,
  nothing,
  type RecordedConnection,
  type RecordedDirection,
  type RecordFormat,
} from './record-format.ts';

/**
 * How many bytes at the end are the beginning of an incomplete UTF-8 character: 0 to 3. Source: RFC 3629 section 3.
 */
function incompleteTail(bytes: Buffer): number {
  for (let length = 1; length <= Math.min(3, bytes.length); length++) {
    const byte = bytes[bytes.length - length] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return characterBytes(byte) > length ? length : 0;
  }
  return 0;
}

/** The length of a character by its first byte. A byte that begins none counts as a whole one. */
function characterBytes(first: number): number {
  if (first >= 0xf5 || first < 0xc2) return 1;
  return first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
}

/** How a tap shows bytes. */
export type TapStyle = 'hex' | 'text';

/** The colours of a tap's lines. */
export type TapPaint = Readonly<Record<RecordedDirection | 'note', (text: string) => string>>;

/** What a direction of a connection has shown, in the text style. */
interface TextState {
  /** The beginning of a character whose end has not arrived yet. */
  tail: Buffer;
  /** Whether the last line shown is not over yet. */
  isOpen: boolean;
}

const marks = { sent: '>', received: '<' } as const;
const LF = 0x0a;

/**
 * Lines for people who watch, each whole and in the colour of its direction:
 *
 *     TIME ID > OFFSET HEX |ASCII|
 *     TIME ID > TEXT
 *     TIME ID = WHAT HAPPENED
 *
 * TIME is that of the local clock. In text, control characters are shown as escapes; a line that continues the last
 * one of its direction has `>+` or `<+`. When a line of hex would not fit with 8 bytes, `TIME ID >` has a line of
 * its own.
 *
 * @param columns how wide the terminal is at this moment; undefined when there is none
 */
export function createTapFormat(
  style: TapStyle,
  paint: TapPaint,
  columns: () => number | undefined = () => undefined,
): RecordFormat {
  const states = new Map<number, Record<RecordedDirection, TextState>>();
  const head = ({ id }: RecordedConnection, atMicros: number) => `${formatClock(atMicros)} ${id}`;
  const note = (connection: RecordedConnection, atMicros: number, text: string) =>
    Buffer.from(`${paint.note(`${head(connection, atMicros)} = ${text}`)}\n`);

  const textLines = (state: TextState, start: string, bytes: Buffer): string[] =>
    cutLines(state, bytes).map(({ text, continues }) => `${start}${continues ? '+' : ''} ${text}`);

  /** The rest of a character that will never be complete. */
  const flush = (connection: RecordedConnection, direction: RecordedDirection, atMicros: number): Buffer => {
    const state = states.get(connection.id)?.[direction];
    if (!state || state.tail.length === 0) return nothing;
    const text = showLine(state.tail);
    const start = `${head(connection, atMicros)} ${marks[direction]}${state.isOpen ? '+' : ''}`;
    state.tail = nothing;
    return Buffer.from(`${paint[direction](`${start} ${text}`)}\n`);
  };

  return {
    begin: () => nothing,
    opened(connection, atMicros) {
      const { id, local, remote, role, target, note: remark } = connection;
      states.set(id, { sent: { tail: nothing, isOpen: false }, received: { tail: nothing, isOpen: false } });
      const [from, to] = role === 'accepted' ? [remote, local] : [local, remote];
      const parts = [
        `${formatEnd(from)} -> ${formatEnd(to)}`,
        ...(target === undefined ? [] : [`to ${target}`]),
        ...(remark === undefined ? [] : [`(${remark})`]),
      ];
      return note(connection, atMicros, escapeText(parts.join(' ')));
    },
    data(connection, { direction, bytes, offset, atMicros }) {
      const state = states.get(connection.id)?.[direction];
      if (!state) return nothing;
      const start = `${head(connection, atMicros)} ${marks[direction]}`;
      if (style === 'hex')
        return layOutHex(start, bytes, offset, { paint: paint[direction], columns: columns() });
      const lines = textLines(state, start, bytes);
      return Buffer.from(lines.map((line) => `${paint[direction](line)}\n`).join(''));
    },
    ended(connection, direction, atMicros) {
      const rest = flush(connection, direction, atMicros);
      return Buffer.concat([rest, note(connection, atMicros, `end of ${marks[direction]}`)]);
    },
    closed(connection, ending, atMicros) {
      const rest = (['sent', 'received'] as const).map((direction) => flush(connection, direction, atMicros));
      states.delete(connection.id);
      return Buffer.concat([...rest, note(connection, atMicros, `closed: ${ending}`)]);
    },
  };
}

/** Lines of hex after their prefix, or below it. */
function layOutHex(
  start: string,
  bytes: Buffer,
  offset: number,
  { paint, columns = Infinity }: { paint: (text: string) => string; columns?: number | undefined },
): Buffer {
  const fitting = hexBytesIn(columns - start.length - 1);
  const isApart = fitting < 8;
  const [before = '', after = ''] = paint(isApart ? '\0' : `${start} \0`).split('\0');
  const lineBytes = isApart ? Math.max(4, hexBytesIn(columns)) : fitting;
  const lines = formatHexLines(bytes, offset, { before, after, lineBytes });
  return isApart ? Buffer.concat([Buffer.from(`${paint(start)}\n`), lines]) : lines;
}

interface TextLine {
  readonly text: string;
  readonly continues: boolean;
}

/** The lines of a chunk, escaped. What follows the last newline is shown at once: it may be a prompt. */
function cutLines(state: TextState, chunk: Buffer): TextLine[] {
  const whole = state.tail.length > 0 ? Buffer.concat([state.tail, chunk]) : chunk;
  const bytes = whole.subarray(0, whole.length - incompleteTail(whole));
  state.tail = Buffer.from(whole.subarray(bytes.length));
  const lines: TextLine[] = [];
  for (let at = 0; at < bytes.length;) {
    const newline = bytes.indexOf(LF, at);
    const end = newline < 0 ? bytes.length : newline;
    const text = showLine(bytes.subarray(at, end));
    // The newline of a line that has been shown already needs no line of its own.
    if (text !== '' || !state.isOpen) lines.push({ text, continues: state.isOpen });
    state.isOpen = newline < 0;
    at = end + 1;
  }
  return lines;
}

/** `07:20:57.123456` */
function formatClock(atMicros: number): string {
  const date = new Date(Math.floor(atMicros / 1000));
  const parts = [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) =>
    String(part).padStart(2, '0'),
  );
  return `${parts.join(':')}.${String(atMicros % 1_000_000).padStart(6, '0')}`;
}
