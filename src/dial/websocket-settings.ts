import { readFileSync } from 'node:fs';
import { parseHeaderField, parseProtocols, type HeaderField } from '../address/header-field.ts';
import { errorCode, TnetError } from '../errors.ts';
import type { MessageRules } from '../net/websocket-stream.ts';
import { encodeBasic } from '../protocol/http-connect/credentials.ts';

/** What users say about WebSockets. What is absent was not asked for, or has its default. */
export interface WebSocketValues {
  /** Sub-protocols, separated by commas: offered by a client, one of them required by a server. */
  readonly wsProtocol?: string;
  /** Header fields of a client's request, `Name: value`, or `@FILE` with one a line. */
  readonly header?: readonly string[];
  /** A file with `user:password`, by which a client logs in. */
  readonly wsPasswordFile?: string;
  /** The htpasswd file of a server. */
  readonly wsAuthFile?: string;
  /** The origin that a client names; those whose pages a server lets in. */
  readonly wsOrigin?: readonly string[];
  readonly wsText?: boolean;
  readonly wsDeflate?: boolean;
  /** In milliseconds. */
  readonly wsPing?: number;
  /** The most bytes of a message. */
  readonly wsMax?: number;
}

/** How a client begins a WebSocket, and how messages are made. */
export interface WebSocketClientSettings extends MessageRules {
  readonly protocols: readonly string[];
  readonly headers: readonly HeaderField[];
}

const defaultMaxBytes = 16 * 1024 * 1024;

/** What the values say about messages. */
export function readMessageRules({ wsText, wsDeflate, wsPing, wsMax }: WebSocketValues): MessageRules {
  return {
    isText: wsText === true,
    deflate: wsDeflate === true,
    maxBytes: wsMax ?? defaultMaxBytes,
    pingMs: wsPing,
  };
}

/**
 * What the values say about a client, with its files read.
 *
 * @param origins those of `wsOrigin` that are for this end. Default: all
 * @throws TnetError TNET_E_USAGE for a file that cannot be used, or more than one origin
 */
export function readClientSettings(
  values: WebSocketValues,
  origins = values.wsOrigin ?? [],
): WebSocketClientSettings {
  const { header = [], wsPasswordFile, wsProtocol } = values;
  if (origins.length > 1)
    throw new TnetError('TNET_E_USAGE', 'a client has one origin: give --ws-origin once');
  const headers = [
    ...origins.map((origin): HeaderField => ['Origin', origin]),
    ...(wsPasswordFile === undefined ? [] : [readLogin(wsPasswordFile)]),
    ...header.flatMap((written) =>
      written.startsWith('@') ? readHeaders(written.slice(1)) : [parseHeaderField(written)],
    ),
  ];
  return {
    ...readMessageRules(values),
    protocols: wsProtocol === undefined ? [] : parseProtocols(wsProtocol),
    headers,
  };
}

/** The fields of a file, one a line; empty lines are left out. */
function readHeaders(file: string): readonly HeaderField[] {
  const lines = readText(file).split(/\r?\n/);
  return lines.filter((line) => line.trim() !== '').map((line) => parseHeaderField(line, file));
}

function readLogin(file: string): HeaderField {
  const [line = ''] = readText(file).split(/\r?\n/);
  const colon = line.indexOf(':');
  if (colon < 1)
    throw new TnetError('TNET_E_USAGE', 'its first line is not user:password', { subject: file });
  try {
    const value = encodeBasic({ user: line.slice(0, colon), password: line.slice(colon + 1) });
    return ['Authorization', value];
  } catch (error) {
    throw new TnetError('TNET_E_USAGE', (error as Error).message, { subject: file, cause: error });
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const message = `cannot be read (${errorCode(error) ?? 'unknown'})`;
    throw new TnetError('TNET_E_USAGE', message, { subject: file, cause: error });
  }
}
