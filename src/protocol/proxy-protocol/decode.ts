import { bytesToIp, ipToBytes } from '../../address/address.ts';
import { overLimit, violation } from '../protocol-error.ts';
import {
  crc32c,
  familyCodes,
  UNIX_ADDRESS_BYTES,
  V1_LIMIT_BYTES,
  V1_SIGNATURE,
  V2_SIGNATURE,
  type ProxyEnds,
  type ProxyHeader,
} from './header.ts';
import { readValues, type ReadValue } from './values.ts';
import { HandshakeState } from '../handshake-state.ts';

const V2_FIXED_BYTES = 16;
const portText = /^(?:0|[1-9]\d{0,4})$/;
const EMPTY_ENDS: ProxyEnds = { family: 'unknown' };

/** What {@link decodeProxyHeader} found at the start of a stream. */
export type DecodedProxyHeader =
  /** The header is not whole; it cannot be before this many more bytes have come (at least 1). */
  | { readonly needBytes: number }
  /** The header, and how many bytes it takes: the stream starts after them. */
  | { readonly header: ProxyHeader; readonly headerBytes: number };

function bad(reason: string, message: string): Error {
  return violation('proxy-protocol', reason, message);
}

/** Whether the bytes, as far as they go, are those of the signature. */
function startsLike(bytes: Buffer, signature: Buffer): boolean {
  const length = Math.min(bytes.length, signature.length);
  return bytes.subarray(0, length).equals(signature.subarray(0, length));
}

/**
 * Reads the PROXY header at the start of `bytes`, version 1 or 2, without consuming anything: call it again with more
 * bytes as long as it needs some. What cannot become a header is refused at the first wrong byte.
 * @throws ProtocolError TNET_E_PROTOCOL for a missing or malformed header, a failed checksum included;
 *   TNET_E_PROTOCOL_LIMIT for a line of version 1 over {@link V1_LIMIT_BYTES}.
 */
export function decodeProxyHeader(bytes: Buffer): DecodedProxyHeader {
  if (bytes.length === 0) return { needBytes: 1 };
  if (startsLike(bytes, V1_SIGNATURE)) return decodeV1(bytes);
  if (startsLike(bytes, V2_SIGNATURE)) return decodeV2(bytes);
  throw bad('no-header', 'the connection does not start with a PROXY header');
}

/** Section 2.1: the line is read when its CR LF has come, and both bytes have to be there. */
function decodeV1(bytes: Buffer): DecodedProxyHeader {
  const line = bytes.subarray(0, V1_LIMIT_BYTES);
  const end = line.indexOf('\r\n');
  if (end < 0) {
    const stray = line.subarray(0, -1).includes(13) || line.includes(10);
    if (stray) throw bad('bad-line', 'the line of the PROXY header does not end in CR LF');
    if (line.length < V1_LIMIT_BYTES) return { needBytes: 1 };
    throw overLimit(
      'proxy-protocol',
      'line-too-long',
      `the line of the PROXY header is longer than ${V1_LIMIT_BYTES} bytes`,
    );
  }
  const text = line.toString('latin1', 0, end);
  if (text.includes('\r') || text.includes('\n')) {
    throw bad('bad-line', 'the line of the PROXY header does not end in CR LF');
  }
  const header: ProxyHeader = { version: 1, command: 'proxy', ends: readLine(text), values: [] };
  return { header, headerBytes: end + 2 };
}

function readLine(text: string): ProxyEnds {
  const [, family, source = '', destination = '', sourcePort = '', destinationPort = '', ...more] =
    text.split(' ');
  if (family === 'UNKNOWN') return EMPTY_ENDS;
  if (family !== 'TCP4' && family !== 'TCP6')
    throw bad('bad-family', 'the PROXY header names an unknown protocol');
  const addressBytes = family === 'TCP4' ? 4 : 16;
  const readEnd = (host: string, port: string) => {
    const literal = ipToBytes(host);
    if (literal?.length !== addressBytes)
      throw bad('bad-address', 'the PROXY header has an address that cannot be read');
    if (!portText.test(port) || Number(port) > 0xffff)
      throw bad('bad-port', 'the PROXY header has a port that cannot be read');
    return { host: bytesToIp(literal), port: Number(port) };
  };
  const ends: ProxyEnds = {
    family: family === 'TCP4' ? 'tcp4' : 'tcp6',
    source: readEnd(source, sourcePort),
    destination: readEnd(destination, destinationPort),
  };
  if (more.length > 0) throw bad('bad-line', 'the line of the PROXY header has more words than it should');
  return ends;
}

/** Section 2.2. The version, command and family are refused before the rest has come. */
function decodeV2(bytes: Buffer): DecodedProxyHeader {
  const [versionAndCommand, familyCode] = [bytes[12], bytes[13]];
  if (versionAndCommand !== undefined && versionAndCommand !== 0x20 && versionAndCommand !== 0x21) {
    throw bad('bad-version', `the PROXY header has version and command 0x${versionAndCommand.toString(16)}`);
  }
  const isLocal = versionAndCommand === 0x20;
  const family = familyCode === undefined ? 'unknown' : readFamily(familyCode, isLocal);
  if (bytes.length < V2_FIXED_BYTES) return { needBytes: V2_FIXED_BYTES - bytes.length };
  const headerBytes = V2_FIXED_BYTES + bytes.readUInt16BE(14);
  if (bytes.length < headerBytes) return { needBytes: headerBytes - bytes.length };
  const block = bytes.subarray(0, headerBytes);
  const { ends, end } = isLocal ? { ends: EMPTY_ENDS, end: V2_FIXED_BYTES } : readEnds(block, family);
  // The block of LOCAL is to be skipped whole (section 2.2), and that of UNSPEC may hold an address of any form.
  const values = isLocal || family === 'unknown' ? [] : readValues(block, end);
  checkChecksum(block, values);
  const header: ProxyHeader = {
    version: 2,
    command: isLocal ? 'local' : 'proxy',
    ends,
    values: values.map(({ value }) => value),
  };
  return { header, headerBytes };
}

function readFamily(code: number, isLocal: boolean): ProxyEnds['family'] {
  const found = Object.entries(familyCodes).find(([, known]) => known === code);
  if (found) return found[0] as ProxyEnds['family'];
  // A valid family with an unspecified protocol, or the other way round, is as good as UNSPEC; LOCAL ignores both.
  const isValid = code >> 4 <= 3 && (code & 15) <= 2;
  if (isValid || isLocal) return 'unknown';
  throw bad('bad-family', `the PROXY header has family and protocol 0x${code.toString(16)}`);
}

function readEnds(block: Buffer, family: ProxyEnds['family']): { ends: ProxyEnds; end: number } {
  const from = V2_FIXED_BYTES;
  if (family === 'unknown') return { ends: EMPTY_ENDS, end: from };
  const isUnix = family === 'unix' || family === 'unix-datagram';
  const size = isUnix ? UNIX_ADDRESS_BYTES : family.endsWith('4') ? 4 : 16;
  const end = from + 2 * size + (isUnix ? 0 : 4);
  if (block.length < end) throw bad('addresses-cut-short', 'the PROXY header is too short for its addresses');
  const [source, destination] = [
    block.subarray(from, from + size),
    block.subarray(from + size, from + 2 * size),
  ];
  if (isUnix) return { ends: { family, source: readUnix(source), destination: readUnix(destination) }, end };
  const readEnd = (bytes: Buffer, portAt: number) => ({
    host: bytesToIp(bytes),
    port: block.readUInt16BE(portAt),
  });
  return {
    ends: { family, source: readEnd(source, end - 4), destination: readEnd(destination, end - 2) },
    end,
  };
}

/** A path ends at its first NUL; an abstract name starts with one and goes on to its last other byte. */
function readUnix(bytes: Buffer): string {
  let end = bytes.indexOf(0, 1);
  if (bytes[0] === 0) {
    end = bytes.length;
    while (end > 0 && bytes[end - 1] === 0) end -= 1;
  } else if (end < 0) end = bytes.length;
  return bytes.toString('utf8', 0, end);
}

/** Section 2.2.3: the checksum is that of the whole header with four zeros in its own place. */
function checkChecksum(block: Buffer, values: readonly ReadValue[]): void {
  const checksums = values.filter(({ value }) => value.type === 'crc32c');
  const [checksum, ...more] = checksums;
  if (!checksum) return;
  if (more.length > 0) throw bad('bad-crc32c', 'the PROXY header has more than one checksum');
  const zeroed = Buffer.from(block);
  zeroed.fill(0, checksum.start, checksum.start + 4);
  if (block.readUInt32BE(checksum.start) === crc32c(zeroed)) return;
  throw bad('bad-crc32c', 'the checksum of the PROXY header is wrong');
}

/** A header and the bytes after it, the beginning of the stream. */
export interface ReceivedProxyHeader {
  readonly header: ProxyHeader;
  readonly rest: Buffer;
}

/**
 * Collects the PROXY header of a connection from chunks cut anywhere. Keeps less than V2_LIMIT_BYTES beside the last
 * chunk. The specification forbids guessing: use it only where a header must come.
 */
export class ProxyHeaderReceiver {
  readonly #state = new HandshakeState('proxy-protocol');

  /** How many bytes are kept for later. */
  get bufferedBytes(): number {
    return this.#state.queue.length;
  }

  /**
   * Takes a chunk; undefined while the header is not whole.
   * @throws ProtocolError as `decodeProxyHeader()` does; the connection is to be dropped.
   */
  receive(chunk: Buffer): ReceivedProxyHeader | undefined {
    return this.#state.receive(chunk, () => {
      const found = decodeProxyHeader(this.#state.queue.peek());
      if ('needBytes' in found) return undefined;
      this.#state.queue.drop(found.headerBytes);
      return { header: found.header, rest: this.#state.finish() };
    });
  }
}
