import {
  overLimit,
  violation,
  type ProtocolErrorDetails,
  type ProtocolName,
  badInput,
} from '../protocol-error.ts';
import { bytesToIp, ipToBytes } from '../../address/address.ts';

/** The longest request or status line, in bytes with its end. RFC 9112 section 3 asks for 8000 at least. */
export const START_LINE_LIMIT_BYTES = 8192;
/** The longest head, start line and all headers together. */
export const HEAD_LIMIT_BYTES = 16 * 1024;
/** The most header fields in a head. */
export const HEADER_COUNT_LIMIT = 100;

/** A header field; the name in lower case, the value without white space around it, one character a byte. */
export interface HttpHeader {
  readonly name: string;
  readonly value: string;
}

const CR = 13;
const LF = 10;
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** What may not stand in a field value or a start line: controls other than tab (RFC 9110 section 5.5). */
const forbidden = /[\0-\x08\x0a-\x1f\x7f]/;

/** Whether a text is a token of RFC 9110 section 5.6.2: a method, a field name, a scheme. */
export function isToken(text: string): boolean {
  return token.test(text);
}

/** Whether a text may be sent as a field value. */
export function isFieldValue(text: string): boolean {
  return !forbidden.test(text);
}

/** Without the blanks around it; by hand, as a pattern for the end takes quadratic time on a long run of blanks. */
function trimBlanks(text: string): string {
  const isBlank = (index: number) => text[index] === ' ' || text[index] === '\t';
  let [start, end] = [0, text.length];
  while (start < end && isBlank(start)) start += 1;
  while (end > start && isBlank(end - 1)) end -= 1;
  return text.slice(start, end);
}

/** Where the head ends, its empty line included; undefined while that has not come. */
function findHeadEnd(bytes: Buffer): number | undefined {
  const ends = ['\n\r\n', '\n\n'].map((end) => ({ at: bytes.indexOf(end, 0, 'latin1'), length: end.length }));
  const found = ends.filter(({ at }) => at >= 0).map(({ at, length }) => at + length);
  return found.length > 0 ? Math.min(...found) : undefined;
}

/**
 * Reads heads of HTTP/1.1 messages (RFC 9112 section 2): first the start line, as soon as it is whole, then the
 * rest. A line may end in LF alone, as section 2.2 allows. `details` go into every error.
 */
export class HeadReader {
  readonly #details: ProtocolErrorDetails;
  readonly #tooLarge: ProtocolErrorDetails;
  readonly #longLine: ProtocolErrorDetails;
  readonly #protocol: ProtocolName;

  /** @param protocol the protocol that errors name */
  constructor(
    details: {
      malformed?: ProtocolErrorDetails;
      tooLarge?: ProtocolErrorDetails;
      longLine?: ProtocolErrorDetails;
    } = {},
    protocol: ProtocolName = 'http-connect',
  ) {
    this.#protocol = protocol;
    this.#longLine = details.longLine ?? {};
    this.#details = details.malformed ?? {};
    this.#tooLarge = details.tooLarge ?? {};
  }

  /** An error about the head's form. */
  malformed(reason: string, message: string): Error {
    return violation(this.#protocol, reason, message, this.#details);
  }

  /** The start line, or undefined while it is not whole. */
  readStartLine(bytes: Buffer): string | undefined {
    const end = bytes.subarray(0, START_LINE_LIMIT_BYTES).indexOf(LF);
    if (end < 0) {
      if (bytes.length < START_LINE_LIMIT_BYTES) return undefined;
      const sentence = `the first line is longer than ${START_LINE_LIMIT_BYTES} bytes`;
      throw overLimit(this.#protocol, 'line-too-long', sentence, this.#longLine);
    }
    const line = bytes.toString('latin1', 0, bytes[end - 1] === CR ? end - 1 : end);
    if (forbidden.test(line)) throw this.malformed('bad-start-line', 'the first line contains control bytes');
    return line;
  }

  /** The headers after the start line, and how long the head is; undefined while it is not whole. */
  readHeaders(bytes: Buffer): { headers: HttpHeader[]; headBytes: number } | undefined {
    const head = bytes.subarray(0, HEAD_LIMIT_BYTES);
    const headBytes = findHeadEnd(head);
    if (headBytes === undefined) {
      if (bytes.length < HEAD_LIMIT_BYTES) return undefined;
      const sentence = `the head is longer than ${HEAD_LIMIT_BYTES} bytes`;
      throw overLimit(this.#protocol, 'head-too-long', sentence, this.#tooLarge);
    }
    const [, ...lines] = head.toString('latin1', 0, headBytes).split(/\r?\n/).slice(0, -2);
    if (lines.length > HEADER_COUNT_LIMIT) {
      const sentence = `there are more than ${HEADER_COUNT_LIMIT} header fields`;
      throw overLimit(this.#protocol, 'too-many-headers', sentence, this.#tooLarge);
    }
    return { headers: lines.map((line) => this.#readHeader(line)), headBytes };
  }

  #readHeader(line: string): HttpHeader {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0));
    const value = trimBlanks(line.slice(colon + 1));
    // A folded line starts with a blank and so has no token before its colon: obsolete since RFC 7230, and refused.
    if (colon < 0 || !isToken(name) || !isFieldValue(value)) {
      throw this.malformed('bad-header', 'a header field cannot be read');
    }
    return { name: name.toLowerCase(), value };
  }
}

/** All values of a field, in their order. */
export function findHeaders(headers: readonly HttpHeader[], name: string): string[] {
  return headers.filter((header) => header.name === name).map(({ value }) => value);
}

/** Whether a list field such as Connection names an option, in any case. */
export function listsOption(headers: readonly HttpHeader[], name: string, option: string): boolean {
  return findHeaders(headers, name)
    .flatMap((value) => value.split(','))
    .some((item) => item.trim().toLowerCase() === option);
}

/** A target in authority-form: host and port. */
export interface Authority {
  readonly host: string;
  readonly port: number;
}

/** reg-name of RFC 3986 section 3.2.2; names beyond ASCII have to come in their IDNA form. */
const regName = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2}){1,255}$/;
const authorityForm = /^(?:\[([^[\]]+)\]|([^:[\]]+)):([1-9]\d{0,4})$/;

/**
 * `host:port`, an IPv6 address in brackets: the authority-form of RFC 9112 section 3.2.3.
 * @throws ProtocolError TNET_E_PROTOCOL_INPUT for a host or port that cannot be written so.
 */
export function encodeAuthority({ host, port }: Authority): string {
  if (!Number.isInteger(port) || port < 1 || port > 0xffff) {
    throw badInput('http-connect', 'bad-port', `a port is a number from 1 to 65535, not ${port}`);
  }
  if (ipToBytes(host)?.length === 16) return `[${host}]:${port}`;
  if (!regName.test(host)) {
    throw badInput('http-connect', 'bad-host', `this host cannot be asked for: ${JSON.stringify(host)}`);
  }
  return `${host}:${port}`;
}

/** Reads authority-form; the port must be there and not be 0. Undefined for anything else. */
export function decodeAuthority(text: string): Authority | undefined {
  const [, literal, name, digits] = authorityForm.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 0xffff) return undefined;
  if (name !== undefined) return regName.test(name) ? { host: name, port } : undefined;
  const bytes = ipToBytes(literal ?? '');
  return bytes?.length === 16 ? { host: bytesToIp(bytes), port } : undefined;
}
