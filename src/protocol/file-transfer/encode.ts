import { badInput } from '../protocol-error.ts';
import {
  DATA_LIMIT_BYTES,
  HEAD_BYTES,
  MAGIC,
  messageTypes,
  NAME_LIMIT_BYTES,
  refusalCodes,
  TEXT_LIMIT_BYTES,
  VERSION,
  type ReceiverMessage,
  type SenderMessage,
} from './messages.ts';

/**
 * The bytes of a message.
 *
 * @throws ProtocolError TNET_E_PROTOCOL_INPUT for a name or a length that has no form on the wire
 */
export function encodeFileMessage(message: SenderMessage | ReceiverMessage): Buffer {
  switch (message.kind) {
    case 'start':
      return Buffer.concat([MAGIC, Buffer.from([VERSION]), uint32(message.files)]);
    case 'ready':
      return Buffer.concat([MAGIC, Buffer.from([VERSION])]);
    case 'offer':
      return frame('offer', uint64(message.bytes), encodeName(message.name));
    case 'prefix':
    case 'end':
      return frame(message.kind, message.hash);
    case 'data':
      return Buffer.concat([encodeDataHead(message.bytes.length), message.bytes]);
    case 'give-up':
      return frame('give-up', encodeText(message.text));
    case 'have':
      return frame('have', uint64(message.bytes));
    case 'want':
      return frame('want', uint64(message.offset));
    case 'done':
      return frame('done');
    case 'refuse':
      return frame('refuse', Buffer.from([refusalCodes[message.reason]]), encodeText(message.text));
  }
}

/** What comes before the bytes of a DATA message, of which there are from 1 to DATA_LIMIT_BYTES. */
export function encodeDataHead(bytes: number): Buffer {
  const head = Buffer.allocUnsafe(HEAD_BYTES);
  writeDataHead(head, bytes);
  return head;
}

/** The same into the first HEAD_BYTES of a buffer. */
export function writeDataHead(buffer: Buffer, bytes: number): void {
  if (bytes < 1 || bytes > DATA_LIMIT_BYTES)
    throw bad('bad-length', `a message has from 1 to ${DATA_LIMIT_BYTES} bytes of a file, not ${bytes}`);
  buffer[0] = messageTypes.data;
  buffer.writeUInt32BE(bytes, 1);
}

function frame(type: keyof typeof messageTypes, ...body: readonly Buffer[]): Buffer {
  const head = Buffer.allocUnsafe(HEAD_BYTES);
  head[0] = messageTypes[type];
  head.writeUInt32BE(
    body.reduce((sum, { length }) => sum + length, 0),
    1,
  );
  return Buffer.concat([head, ...body]);
}

function encodeName(name: string): Buffer {
  const bytes = Buffer.from(name);
  if (bytes.length === 0 || bytes.length > NAME_LIMIT_BYTES || bytes.toString() !== name)
    throw bad('bad-name', `a file's name has from 1 to ${NAME_LIMIT_BYTES} bytes of UTF-8`);
  return bytes;
}

/** A text that is too long is cut between two characters. */
function encodeText(text: string): Buffer {
  const bytes = Buffer.from(text);
  let end = Math.min(bytes.length, TEXT_LIMIT_BYTES);
  while (end < bytes.length && ((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}

function uint32(value: number): Buffer {
  if (!Number.isInteger(value) || value < 1 || value > 0xffff_ffff)
    throw bad('bad-count', `the number of files is from 1 to 4294967295, not ${value}`);
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function uint64(value: number): Buffer {
  if (!Number.isSafeInteger(value) || value < 0)
    throw bad('bad-length', `a file's length is from 0 to 2^53 - 1 bytes, not ${value}`);
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

function bad(reason: string, message: string): Error {
  return badInput('file-transfer', reason, message);
}
