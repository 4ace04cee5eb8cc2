import { createHash } from 'node:crypto';
import type { HeaderField } from '../../address/header-field.ts';

/** The version of the protocol. Source: RFC 6455, 4.1. */
export const webSocketVersion = '13';

/** Source: RFC 6455, 1.3. */
const magic = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** What a server answers to a key. Source: RFC 6455, 4.2.2. */
export function answerKey(key: string): string {
  return createHash('sha1')
    .update(key + magic)
    .digest('base64');
}

/** The head of an HTTP message, with the empty line. */
export function encodeHead(startLine: string, fields: readonly HeaderField[]): Buffer {
  const lines = [startLine, ...fields.map(([name, value]) => `${name}: ${value}`)];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}
