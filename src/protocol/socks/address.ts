import { bytesToIp, ipToBytes } from '../../address/address.ts';
import { badInput, violation, type ProtocolErrorDetails, type ProtocolName } from '../protocol-error.ts';

/** A host (IPv4, IPv6 or a name) and a port as SOCKS carries them. */
export interface SocksAddress {
  readonly host: string;
  readonly port: number;
}

/** The address types of RFC 1928 section 5. */
const addressTypes = { ipv4: 1, domain: 3, ipv6: 4 } as const;

/** The longest name in bytes: one byte of length, RFC 1928 section 5. */
export const DOMAIN_LIMIT_BYTES = 255;

/** White space, controls and DEL: in no host name, and dangerous in a log line. */
const unsafe = /[\p{Cc}\p{Z}]/u;

/** @throws ProtocolError TNET_E_PROTOCOL_INPUT when the port is not a whole number from 0 to 65535. */
export function checkPort(protocol: ProtocolName, port: number): void {
  if (Number.isInteger(port) && port >= 0 && port <= 0xffff) return;
  throw badInput(protocol, 'bad-port', `a port is a number from 0 to 65535, not ${port}`);
}

/** @throws ProtocolError TNET_E_PROTOCOL_INPUT when the name is empty, too long or has blanks or controls in it. */
export function encodeName(protocol: ProtocolName, host: string): Buffer {
  const bytes = Buffer.from(host);
  if (bytes.length > 0 && bytes.length <= DOMAIN_LIMIT_BYTES && !unsafe.test(host)) return bytes;
  throw badInput(
    protocol,
    'bad-host',
    `a host name has 1 to ${DOMAIN_LIMIT_BYTES} bytes and no blanks: ${JSON.stringify(host)}`,
  );
}

/** @throws ProtocolError TNET_E_PROTOCOL `bad-host` when the peer's name is empty or no clean UTF-8 text. */
export function decodeName(protocol: ProtocolName, bytes: Buffer, details?: ProtocolErrorDetails): string {
  const host = bytes.toString();
  if (bytes.length > 0 && !unsafe.test(host) && Buffer.from(host).equals(bytes)) return host;
  throw violation(
    protocol,
    'bad-host',
    'the host name is empty or contains bytes that are not allowed in one',
    details,
  );
}

/** ATYP, address and port of RFC 1928; a literal address goes as bytes, everything else as a name. */
export function encodeAddress({ host, port }: SocksAddress): Buffer {
  checkPort('socks5', port);
  const literal = ipToBytes(host);
  const name = literal ? undefined : encodeName('socks5', host);
  const head = name
    ? [addressTypes.domain, name.length]
    : [literal?.length === 4 ? addressTypes.ipv4 : addressTypes.ipv6];
  return Buffer.concat([
    Buffer.from(head),
    name ?? literal ?? Buffer.alloc(0),
    Buffer.from([port >> 8, port & 255]),
  ]);
}

/** An address that was read, and where the bytes after it start. */
export interface ReadAddress {
  readonly address: SocksAddress;
  readonly end: number;
}

/**
 * Reads ATYP, address and port from `from`; undefined while bytes are missing.
 * @throws ProtocolError TNET_E_PROTOCOL `bad-address-type` or `bad-host`, with `details`.
 */
export function readAddress(
  bytes: Buffer,
  from: number,
  details: { type?: ProtocolErrorDetails; host?: ProtocolErrorDetails } = {},
): ReadAddress | undefined {
  const type = bytes[from];
  if (type === undefined) return undefined;
  if (type !== addressTypes.ipv4 && type !== addressTypes.ipv6 && type !== addressTypes.domain) {
    throw violation('socks5', 'bad-address-type', `there is no SOCKS5 address type ${type}`, details.type);
  }
  const isName = type === addressTypes.domain;
  const start = from + (isName ? 2 : 1);
  const length = isName ? bytes[from + 1] : type === addressTypes.ipv4 ? 4 : 16;
  if (length === undefined || bytes.length < start + length + 2) return undefined;
  const raw = bytes.subarray(start, start + length);
  const host = isName ? decodeName('socks5', raw, details.host) : bytesToIp(raw);
  return { address: { host, port: bytes.readUInt16BE(start + length) }, end: start + length + 2 };
}

/** A datagram on its way through a SOCKS5 relay: where to, or where from, and what. */
export interface SocksDatagram extends SocksAddress {
  readonly data: Buffer;
}

/**
 * Puts the header of RFC 1928 section 7 before the data. Never fragmented.
 * @throws ProtocolError TNET_E_PROTOCOL_INPUT for a host or port that cannot be sent.
 */
export function encodeSocksDatagram({ host, port, data }: SocksDatagram): Buffer {
  return Buffer.concat([Buffer.from([0, 0, 0]), encodeAddress({ host, port }), data]);
}

/**
 * Reads a datagram with the header of RFC 1928 section 7; `data` is a view of it. Fragments are refused, as the RFC
 * lets an implementation do, and the caller drops the datagram.
 * @throws ProtocolError TNET_E_PROTOCOL, `cut-short`, `fragmented`, `bad-address-type` or `bad-host`.
 */
export function decodeSocksDatagram(bytes: Buffer): SocksDatagram {
  const read = bytes[2] === 0 || bytes.length < 3 ? readAddress(bytes, 3) : undefined;
  if (bytes.length >= 3 && bytes[2] !== 0) {
    throw violation('socks5', 'fragmented', 'the datagram is a fragment, which is not supported');
  }
  if (!read) throw violation('socks5', 'cut-short', 'the datagram ends inside its SOCKS5 header');
  return { ...read.address, data: bytes.subarray(read.end) };
}
