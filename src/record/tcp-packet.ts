/** An IPv4 or IPv6 address as its 4 or 16 bytes, and a port. */
export interface PacketEnd {
  readonly address: Buffer;
  readonly port: number;
}

/** The control bits of a TCP header (RFC 9293 section 3.1). */
export const tcpFlags = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16 } as const;

export interface TcpSegment {
  readonly from: PacketEnd;
  readonly to: PacketEnd;
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly flags: number;
  readonly payload: Buffer;
}

/** What fits into one IPv4 packet of 65535 bytes with two headers of 20. */
export const maxSegmentBytes = 65_495;

const ipv4HeaderBytes = 20;
const ipv6HeaderBytes = 40;
const tcpHeaderBytes = 20;
const hopLimit = 64;
const tcpProtocol = 6;
const window = 65_535;

/** Maximum segment size, no operation, window scale by 7: 8 MiB may be on the way (RFC 9293, RFC 7323). */
const synOptions = Buffer.from([2, 4, maxSegmentBytes >> 8, maxSegmentBytes & 255, 1, 3, 3, 7]);

/** An IP packet with a TCP segment in it and right checksums (RFC 791, RFC 8200, RFC 9293). */
export function encodePacket(segment: TcpSegment): Buffer {
  const { from, to, flags, payload } = segment;
  const options = flags & tcpFlags.syn ? synOptions : Buffer.alloc(0);
  const tcpBytes = tcpHeaderBytes + options.length + payload.length;
  const ipHeader =
    from.address.length === 4 ? encodeIpv4(from, to, tcpBytes) : encodeIpv6(from, to, tcpBytes);
  const tcp = Buffer.alloc(tcpHeaderBytes);
  tcp.writeUInt16BE(from.port, 0);
  tcp.writeUInt16BE(to.port, 2);
  tcp.writeUInt32BE(segment.sequence, 4);
  tcp.writeUInt32BE(segment.acknowledgement, 8);
  tcp[12] = ((tcpHeaderBytes + options.length) / 4) << 4;
  tcp[13] = flags;
  tcp.writeUInt16BE(window, 14);
  const pseudoHeader = sum(from.address) + sum(to.address) + tcpProtocol + tcpBytes;
  // Options have an even length, so each part may be summed on its own.
  tcp.writeUInt16BE(fold(pseudoHeader + sum(tcp) + sum(options) + sum(payload)), 16);
  return Buffer.concat([ipHeader, tcp, options, payload]);
}

function encodeIpv4(from: PacketEnd, to: PacketEnd, tcpBytes: number): Buffer {
  const header = Buffer.alloc(ipv4HeaderBytes);
  header[0] = 0x45;
  header.writeUInt16BE(ipv4HeaderBytes + tcpBytes, 2);
  // Don't fragment.
  header[6] = 0x40;
  header[8] = hopLimit;
  header[9] = tcpProtocol;
  from.address.copy(header, 12);
  to.address.copy(header, 16);
  header.writeUInt16BE(fold(sum(header)), 10);
  return header;
}

function encodeIpv6(from: PacketEnd, to: PacketEnd, tcpBytes: number): Buffer {
  const header = Buffer.alloc(ipv6HeaderBytes);
  header[0] = 0x60;
  header.writeUInt16BE(tcpBytes, 4);
  header[6] = tcpProtocol;
  header[7] = hopLimit;
  from.address.copy(header, 8);
  to.address.copy(header, 24);
  return header;
}

/** The sum of 16-bit words, the last one filled up with a zero (RFC 1071). Below 2^53 for any packet. */
function sum(bytes: Buffer): number {
  let total = 0;
  const even = bytes.length & ~1;
  for (let at = 0; at < even; at += 2) total += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  return even === bytes.length ? total : total + ((bytes[even] ?? 0) << 8);
}

function fold(total: number): number {
  let folded = total;
  while (folded > 0xffff) folded = (folded % 0x10000) + Math.floor(folded / 0x10000);
  return ~folded & 0xffff;
}
