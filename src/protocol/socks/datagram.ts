import { violation } from '../protocol-error.ts';
import { encodeAddress, readAddress, type SocksAddress } from './address.ts';

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
    throw violation('socks5', 'fragmented', 'The datagram is a fragment, which is not supported.');
  }
  if (!read) throw violation('socks5', 'cut-short', 'The datagram ends inside its SOCKS5 header.');
  return { ...read.address, data: bytes.subarray(read.end) };
}
