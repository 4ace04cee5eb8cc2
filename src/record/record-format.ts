import { plainAddress } from '../address/address.ts';

/** One end of a connection: an address, or a Unix path (empty when it has none). */
export type RecordedEnd = { readonly host: string; readonly port: number } | { readonly path: string };

/** A connection as a recording names it. */
export interface RecordedConnection {
  readonly id: number;
  readonly local: RecordedEnd;
  readonly remote: RecordedEnd;
  /**
   * Who connected: `dialled` means that we did, `accepted` that the peer did. `relayed`: the connection of a
   * proxy's client, as that client sees it: `local` is the client and `remote` the address that it connected to.
   */
  readonly role: 'dialled' | 'accepted' | 'relayed';
  /** `tcp` is any stream; with `udp` each chunk is a datagram. */
  readonly transport: 'tcp' | 'udp';
  /** What a proxy has joined the connection to. */
  readonly target?: string | undefined;
  /** Anything else to say, such as that the bytes were encrypted on the wire. */
  readonly note?: string | undefined;
}

/** `sent` goes from the local end to the remote one, `received` the other way. */
export type RecordedDirection = 'sent' | 'received';

/** Bytes that went in one direction at one moment. */
export interface RecordedChunk {
  readonly direction: RecordedDirection;
  readonly bytes: Buffer;
  /** How many bytes went in this direction before. */
  readonly offset: number;
  readonly atMicros: number;
}

/** Why a connection is over: `eof` when both sides ended, `reset` when the peer (or a proxy's client) broke off, else our own doing. */
export type RecordedEnding = 'eof' | 'reset' | 'timeout' | 'aborted' | 'limit';

/**
 * How occurrences become bytes of a file. Each method returns the bytes to append, none if the format does not
 * record that. Times are microseconds since 1970. A format may keep state for each connection, from `opened` to
 * `closed`.
 */
export interface RecordFormat {
  /** The beginning of the file. */
  begin(): Buffer;
  opened(connection: RecordedConnection, atMicros: number): Buffer;
  data(connection: RecordedConnection, chunk: RecordedChunk): Buffer;
  /** The end of one direction: a FIN. */
  ended(connection: RecordedConnection, direction: RecordedDirection, atMicros: number): Buffer;
  closed(connection: RecordedConnection, ending: RecordedEnding, atMicros: number): Buffer;
}

/** The formats by the name that --format takes. */
export const recordFormatNames = ['hex', 'raw', 'json', 'pcapng'] as const;
export type RecordFormatName = (typeof recordFormatNames)[number];

export const nothing = Buffer.alloc(0);

/** Microseconds since 1970. */
export function nowMicros(): number {
  return Math.round((performance.timeOrigin + performance.now()) * 1000);
}

/** `2026-11-23T07:20:57.123456Z` */
export function formatMicros(atMicros: number): string {
  const text = new Date(Math.floor(atMicros / 1000)).toISOString();
  return `${text.slice(0, -1)}${String(atMicros % 1000).padStart(3, '0')}Z`;
}

/** An end as it is written everywhere: `127.0.0.1:80`, `[::1]:80`, a path. */
export function formatEnd(end: RecordedEnd): string {
  if ('path' in end) return end.path === '' ? 'unix:' : end.path.replace(/^\0/, 'unix:@');
  return end.host.includes(':') ? `[${end.host}]:${end.port}` : `${end.host}:${end.port}`;
}

/**
 * An end of a socket as a recording names it: its address without zone, an IPv4 address that a dual-stack socket
 * shows as IPv6 in its IPv4 form; `path` when the socket has no address.
 */
export function toRecordedEnd(
  address: string | undefined,
  port: number | undefined,
  path: string,
): RecordedEnd {
  if (address === undefined) return { path };
  return { host: plainAddress(address), port: port ?? 0 };
}
