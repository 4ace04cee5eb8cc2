import { badInput, violation } from '../protocol-error.ts';
import {
  sslBits,
  sslCodes,
  UNIQUE_ID_LIMIT_BYTES,
  valueCodes,
  type ProxySsl,
  type ProxyValue,
} from './header.ts';

/** One type-length-value as bytes: where its value starts is what CRC32c needs to know. */
interface RawValue {
  readonly code: number;
  readonly bytes: Buffer;
  /** Where `bytes` starts in what was read. */
  readonly start: number;
}

function bad(reason: string, message: string): Error {
  return violation('proxy-protocol', reason, message);
}

/** Cuts a run of type-length-values; every byte must belong to one. */
function cutValues(bytes: Buffer, from: number): RawValue[] {
  const values: RawValue[] = [];
  let index = from;
  while (index < bytes.length) {
    const start = index + 3;
    const end = bytes.length < start ? Infinity : start + bytes.readUInt16BE(index + 1);
    if (end > bytes.length)
      throw bad('value-cut-short', 'a value of the PROXY header is longer than the header');
    values.push({ code: bytes[index] ?? 0, bytes: bytes.subarray(start, end), start });
    index = end;
  }
  return values;
}

function readText(bytes: Buffer): string {
  const text = bytes.toString();
  if (!Buffer.from(text).equals(bytes)) throw bad('bad-text', 'a text in the PROXY header is not UTF-8');
  return text;
}

function readSsl(bytes: Buffer): ProxySsl {
  if (bytes.length < 5) throw bad('bad-ssl', 'the SSL value of the PROXY header is too short');
  const bits = bytes[0] ?? 0;
  const texts: Partial<Record<keyof typeof sslCodes, string>> = {};
  for (const value of cutValues(bytes, 5)) {
    const found = Object.entries(sslCodes).find(([, code]) => code === value.code);
    if (found) texts[found[0] as keyof typeof sslCodes] = readText(value.bytes);
  }
  return {
    isTls: (bits & sslBits.isTls) !== 0,
    hasCertificate: (bits & sslBits.hasCertificate) !== 0,
    hasSessionCertificate: (bits & sslBits.hasSessionCertificate) !== 0,
    verify: bytes.readUInt32BE(1),
    ...texts,
  };
}

/** A value that was read; for CRC32c also where in the header its four bytes stand. */
export interface ReadValue {
  readonly value: ProxyValue;
  readonly start: number;
}

/**
 * Reads the values of a version 2 header from `from` to its end, NOOP left out.
 * @throws ProtocolError TNET_E_PROTOCOL for a value that is cut short or not in its form.
 */
export function readValues(header: Buffer, from: number): ReadValue[] {
  return cutValues(header, from)
    .filter(({ code }) => code !== valueCodes.noop)
    .map((raw) => ({ value: readValue(raw), start: raw.start }));
}

function readValue({ code, bytes }: RawValue): ProxyValue {
  switch (code) {
    case valueCodes.alpn:
      return { type: 'alpn', protocol: bytes.toString('latin1') };
    case valueCodes.authority:
      return { type: 'authority', name: readText(bytes) };
    case valueCodes.crc32c:
      if (bytes.length !== 4) throw bad('bad-crc32c', 'the checksum of the PROXY header is not four bytes');
      return { type: 'crc32c', value: bytes.readUInt32BE(0) };
    case valueCodes['unique-id']:
      if (bytes.length > UNIQUE_ID_LIMIT_BYTES) {
        throw bad(
          'bad-unique-id',
          `the unique id of the PROXY header is longer than ${UNIQUE_ID_LIMIT_BYTES} bytes`,
        );
      }
      return { type: 'unique-id', bytes: Buffer.from(bytes) };
    case valueCodes.ssl:
      return { type: 'ssl', ssl: readSsl(bytes) };
    case valueCodes.netns:
      return { type: 'netns', name: readText(bytes) };
    default:
      return { type: 'other', code, bytes: Buffer.from(bytes) };
  }
}

function encodeRaw(code: number, bytes: Buffer): Buffer {
  if (bytes.length > 0xffff || !Number.isInteger(code) || code < 0 || code > 255) {
    throw badInput(
      'proxy-protocol',
      'bad-value',
      'a value of the PROXY header has a type of one byte and at most 65535 bytes',
    );
  }
  return Buffer.concat([Buffer.from([code, bytes.length >> 8, bytes.length & 255]), bytes]);
}

function encodeSsl(ssl: ProxySsl): Buffer {
  const head = Buffer.alloc(5);
  for (const [name, bit] of Object.entries(sslBits)) {
    if (ssl[name as keyof typeof sslBits]) head[0] = (head[0] ?? 0) | bit;
  }
  head.writeUInt32BE(ssl.verify >>> 0, 1);
  const texts = Object.entries(sslCodes).flatMap(([name, code]) => {
    const text = ssl[name as keyof typeof sslCodes];
    return text === undefined ? [] : [encodeRaw(code, Buffer.from(text))];
  });
  return Buffer.concat([head, ...texts]);
}

/**
 * The bytes of a value; those of a checksum are zero, to be filled in when the header is whole.
 * @throws ProtocolError TNET_E_PROTOCOL_INPUT for a value that is too long.
 */
export function encodeValue(value: ProxyValue): Buffer {
  switch (value.type) {
    case 'alpn':
      return encodeRaw(valueCodes.alpn, Buffer.from(value.protocol, 'latin1'));
    case 'authority':
      return encodeRaw(valueCodes.authority, Buffer.from(value.name));
    case 'crc32c':
      return encodeRaw(valueCodes.crc32c, Buffer.alloc(4));
    case 'unique-id':
      if (value.bytes.length > UNIQUE_ID_LIMIT_BYTES) {
        throw badInput(
          'proxy-protocol',
          'bad-value',
          `a unique id has at most ${UNIQUE_ID_LIMIT_BYTES} bytes`,
        );
      }
      return encodeRaw(valueCodes['unique-id'], value.bytes);
    case 'ssl':
      return encodeRaw(valueCodes.ssl, encodeSsl(value.ssl));
    case 'netns':
      return encodeRaw(valueCodes.netns, Buffer.from(value.name));
    case 'other':
      return encodeRaw(value.code, value.bytes);
  }
}
