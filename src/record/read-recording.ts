import { readFile } from 'node:fs/promises';
import { errorCode, TnetError } from '../errors.ts';
import { isPcapng, readPcapng } from './pcapng-blocks.ts';
import { ScriptBuilder, type Script } from './script.ts';
import type { RecordedConnection } from './record-format.ts';

/**
 * Reads a recording that tnet has made as json, pcapng or hex, recognized by its content, into memory. A truncated
 * one counts up to where it was cut off.
 *
 * @throws TnetError TNET_E_RECORDING for a file that cannot be read, is damaged, or is not such a recording
 */
export async function readRecording(path: string): Promise<readonly Script[]> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    const message = `cannot be read (${errorCode(error) ?? 'unknown'})`;
    throw new TnetError('TNET_E_RECORDING', message, { subject: path, cause: error });
  }
  return parseRecording(bytes, path);
}

/** Like readRecording(), for bytes that have been read. */
export function parseRecording(bytes: Buffer, subject: string): readonly Script[] {
  const builder = new ScriptBuilder(subject);
  if (isPcapng(bytes)) readPcapng(bytes, builder);
  else if (bytes[0] === '{'.charCodeAt(0)) readJsonLines(bytes.toString('utf8'), builder);
  else if (/^\d{4}-\d\d-\d\dT\S+Z \d+ [<>=] /.test(bytes.toString('latin1', 0, 60)))
    readHexLines(bytes.toString('latin1'), builder);
  else builder.fail('not a json, pcapng or hex recording made by tnet');
  if (builder.scripts.length === 0) builder.fail('there is no connection in it');
  return builder.scripts;
}

const roles: readonly string[] = ['dialled', 'accepted', 'relayed'] satisfies RecordedConnection['role'][];

type Fields = Readonly<Record<string, unknown>>;

/** Reads the lines of a JSON recording. A truncated last line is left out. */
function readJsonLines(text: string, builder: ScriptBuilder): void {
  eachLine(text, (line, number) => {
    const fields = parse(line);
    if (!fields || !readFields(fields, builder))
      builder.fail(`line ${number} is not part of a recording made by tnet`);
  });
}

function parse(line: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Fields) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the line was understood. */
function readFields({ time, id, event, ...fields }: Fields, builder: ScriptBuilder): boolean {
  const atMicros = parseMicros(time);
  if (typeof id !== 'number' || atMicros === undefined) return false;
  const { role, transport, direction, data, reason } = fields;
  if (event === 'open') {
    if (transport === 'udp') builder.fail('it contains datagrams, which cannot be replayed');
    if (!isRole(role)) return false;
    builder.opened(id, role, atMicros);
  } else if (event === 'close') {
    if (typeof reason !== 'string') return false;
    builder.closed(id, reason, atMicros);
  } else {
    if (direction !== 'sent' && direction !== 'received') return false;
    if (event === 'end') builder.ended(id, direction, atMicros);
    else if (event === 'data' && typeof data === 'string')
      builder.data(id, direction, Buffer.from(data, 'base64'), atMicros);
    else return false;
  }
  return true;
}

function isRole(value: unknown): value is RecordedConnection['role'] {
  return typeof value === 'string' && roles.includes(value);
}

/** `TIME ID > OFFSET HEX |ASCII|` or `TIME ID = TEXT`. */
const hexLine = /^(\S+) (\d+) (?:([<>]) [0-9a-f]{8,} ((?:[0-9a-f]{2} )+) *\||= (.+)$)/;

/** Reads the lines of a hex recording. A truncated last line is left out. */
function readHexLines(text: string, builder: ScriptBuilder): void {
  eachLine(text, (line, number) => {
    const [, time, digits, mark, hex = '', what = ''] = hexLine.exec(line) ?? [];
    const atMicros = parseMicros(time);
    if (atMicros === undefined) builder.fail(`line ${number} is not part of a recording made by tnet`);
    const id = Number(digits);
    if (mark === undefined) readHappening(what, id, atMicros, builder);
    else builder.data(id, toDirection(mark), Buffer.from(hex.replaceAll(' ', ''), 'hex'), atMicros);
  });
}

function readHappening(what: string, id: number, atMicros: number, builder: ScriptBuilder): void {
  const [, mark] = /^end of ([<>])$/.exec(what) ?? [];
  const [, reason] = /^closed: (\w+)$/.exec(what) ?? [];
  const [role = ''] = what.split(' ', 1);
  if (mark !== undefined) builder.ended(id, toDirection(mark), atMicros);
  else if (reason !== undefined) builder.closed(id, reason, atMicros);
  else if (isRole(role)) builder.opened(id, role, atMicros);
}

function toDirection(mark: string): 'sent' | 'received' {
  return mark === '>' ? 'sent' : 'received';
}

function eachLine(text: string, take: (line: string, number: number) => void): void {
  let number = 0;
  for (let at = 0; ;) {
    const end = text.indexOf('\n', at);
    // A line without its newline was being written when the recording stopped.
    if (end < 0) return;
    if (end > at) take(text.slice(at, end), ++number);
    at = end + 1;
  }
}

/** Microseconds since 1970 of `2026-11-23T07:20:57.123456Z`. */
function parseMicros(time: unknown): number | undefined {
  const [, seconds = '', micros = ''] = /^(.+)\.(\d{6})Z$/.exec(typeof time === 'string' ? time : '') ?? [];
  const wholeMs = Date.parse(`${seconds}Z`);
  return Number.isNaN(wholeMs) ? undefined : wholeMs * 1000 + Number(micros);
}
