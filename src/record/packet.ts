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
const udpProtocol = 17;
const udpHeaderBytes = 8;
const window = 65_535;

/** Maximum segment size, no operation, window scale by 7: 8 MiB may be in flight (RFC 9293, RFC 7323). */
const synOptions = Buffer.from([2, 4, maxSegmentBytes >> 8, maxSegmentBytes & 255, 1, 3, 3, 7]);

/** An IP packet with a TCP segment in it and correct checksums (RFC 791, RFC 8200, RFC 9293). */
export function encodePacket(segment: TcpSegment): Buffer {
  const { from, to, flags, payload } = segment;
  const options = flags & tcpFlags.syn ? synOptions : Buffer.alloc(0);
  const tcp = Buffer.alloc(tcpHeaderBytes);
  tcp.writeUInt16BE(from.port, 0);
  tcp.writeUInt16BE(to.port, 2);
  tcp.writeUInt32BE(segment.sequence, 4);
  tcp.writeUInt32BE(segment.acknowledgement, 8);
  tcp[12] = ((tcpHeaderBytes + options.length) / 4) << 4;
  tcp[13] = flags;
  tcp.writeUInt16BE(window, 14);
  // Options have an even length, so each part may be summed on its own.
  return encodeIp(from, to, { protocol: tcpProtocol, parts: [tcp, options, payload], checksumAt: 16 });
}

/** What fits into one IPv4 packet besides its header and UDP's. */
export const maxDatagramBytes = 65_507;

/** An IP packet with a UDP datagram in it and a correct checksum (RFC 768). */
export function encodeDatagram(from: PacketEnd, to: PacketEnd, payload: Buffer): Buffer {
  const udp = Buffer.alloc(udpHeaderBytes);
  udp.writeUInt16BE(from.port, 0);
  udp.writeUInt16BE(to.port, 2);
  udp.writeUInt16BE(udpHeaderBytes + payload.length, 4);
  return encodeIp(from, to, { protocol: udpProtocol, parts: [udp, payload], checksumAt: 6 });
}

interface IpPayload {
  readonly protocol: number;
  readonly parts: readonly [header: Buffer, ...Buffer[]];
  /** Where the checksum is to go, in the first part. */
  readonly checksumAt: number;
}

/** Puts the checksum into its place, and an IP header in front. */
function encodeIp(from: PacketEnd, to: PacketEnd, { protocol, parts, checksumAt }: IpPayload): Buffer {
  const bytes = parts.reduce((total, part) => total + part.length, 0);
  const pseudoHeader = sum(from.address) + sum(to.address) + protocol + bytes;
  const checksum = fold(parts.reduce((total, part) => total + sum(part), pseudoHeader));
  // In UDP, 0 means that there is none; all ones is the equivalent value.
  parts[0].writeUInt16BE(checksum === 0 && protocol === udpProtocol ? 0xffff : checksum, checksumAt);
  const encode = from.address.length === 4 ? encodeIpv4 : encodeIpv6;
  return Buffer.concat([encode(from, to, protocol, bytes), ...parts]);
}

function encodeIpv4(from: PacketEnd, to: PacketEnd, protocol: number, bytes: number): Buffer {
  const header = Buffer.alloc(ipv4HeaderBytes);
  header[0] = 0x45;
  header.writeUInt16BE(ipv4HeaderBytes + bytes, 2);
  // Don't fragment.
  header[6] = 0x40;
  header[8] = hopLimit;
  header[9] = protocol;
  from.address.copy(header, 12);
  to.address.copy(header, 16);
  header.writeUInt16BE(fold(sum(header)), 10);
  return header;
}

function encodeIpv6(from: PacketEnd, to: PacketEnd, protocol: number, bytes: number): Buffer {
  const header = Buffer.alloc(ipv6HeaderBytes);
  header[0] = 0x60;
  header.writeUInt16BE(bytes, 4);
  header[6] = protocol;
  header[7] = hopLimit;
  from.address.copy(header, 8);
  to.address.copy(header, 24);
  return header;
}

/** The sum of 16-bit words, the last one padded with a zero (RFC 1071). Below 2^53 for any packet. */
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
