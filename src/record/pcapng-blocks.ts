import { tcpFlags } from './packet.ts';
import type { ScriptBuilder } from './script.ts';

/** Packets begin with an IPv4 or IPv6 header. Source: the link-layer types of tcpdump.org, LINKTYPE_RAW. */
const linkTypeRaw = 101;
const blockTypes = { section: 0x0a0d0d0a, interface: 1, statistics: 5, enhancedPacket: 6 } as const;
const byteOrderMagic = 0x1a2b3c4d;
/** Option codes of draft-ietf-opsawg-pcapng, sections 3.5, 4.1, 4.2 and 4.3. */
const optionCodes = { end: 0, comment: 1, packetFlags: 2, interfaceName: 2, application: 4 } as const;
const nothing = Buffer.alloc(0);

/** The section header and the one interface of a file, in little-endian byte order. Times are microseconds. */
export function encodeFileHeader(): Buffer {
  const section = Buffer.alloc(16);
  section.writeUInt32LE(byteOrderMagic, 0);
  section.writeUInt16LE(1, 4);
  // The section's length is not known: -1.
  section.fill(0xff, 8, 16);
  const device = Buffer.alloc(8);
  device.writeUInt16LE(linkTypeRaw, 0);
  return Buffer.concat([
    encodeBlock(blockTypes.section, section, encodeOption(optionCodes.application, Buffer.from('tnet'))),
    encodeBlock(blockTypes.interface, device, encodeOption(optionCodes.interfaceName, Buffer.from('tnet'))),
  ]);
}

/** A packet with its time, in microseconds since 1970. */
export function encodePacketBlock(
  packet: Buffer,
  atMicros: number,
  direction: 'inbound' | 'outbound',
  comment?: string,
): Buffer {
  const head = Buffer.alloc(20);
  head.writeUInt32LE(Math.floor(atMicros / 2 ** 32), 4);
  head.writeUInt32LE(atMicros % 2 ** 32, 8);
  head.writeUInt32LE(packet.length, 12);
  head.writeUInt32LE(packet.length, 16);
  const flags = Buffer.from([direction === 'inbound' ? 1 : 2, 0, 0, 0]);
  return encodeBlock(
    blockTypes.enhancedPacket,
    Buffer.concat([head, pad(packet)]),
    Buffer.concat([
      comment === undefined ? nothing : encodeOption(optionCodes.comment, Buffer.from(comment)),
      encodeOption(optionCodes.packetFlags, flags),
    ]),
  );
}

/** The statistics of the interface, without any: a file that grows by them tells its reader that it still goes on. */
export function encodeStatistics(atMicros: number): Buffer {
  const body = Buffer.alloc(12);
  body.writeUInt32LE(Math.floor(atMicros / 2 ** 32), 4);
  body.writeUInt32LE(atMicros % 2 ** 32, 8);
  return encodeBlock(blockTypes.statistics, body, nothing);
}

function encodeBlock(type: number, body: Buffer, options: Buffer): Buffer {
  const totalBytes = 12 + body.length + options.length + 4;
  const head = Buffer.alloc(8);
  head.writeUInt32LE(type, 0);
  head.writeUInt32LE(totalBytes, 4);
  const tail = Buffer.alloc(8);
  tail.writeUInt16LE(optionCodes.end, 0);
  tail.writeUInt32LE(totalBytes, 4);
  return Buffer.concat([head, body, options, tail]);
}

function encodeOption(code: number, value: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(code, 0);
  head.writeUInt16LE(value.length, 2);
  return Buffer.concat([head, pad(value)]);
}

/** Padded to a multiple of four bytes. */
function pad(bytes: Buffer): Buffer {
  const missing = -bytes.length & 3;
  return missing === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(missing)]);
}

const tcpProtocol = 6;
const udpProtocol = 17;

/** Which connection a packet belongs to, and the numbers of both sides' next bytes. */
interface Conversation {
  readonly id: number;
  /** The caller's address, as a key. */
  readonly client: string;
  readonly next: Map<string, number>;
  readonly ended: Set<string>;
  isClosed: boolean;
}

interface Segment {
  readonly from: string;
  readonly to: string;
  readonly sequence: number;
  readonly flags: number;
  readonly payload: Buffer;
}

/** Whether a file begins as a pcapng one. */
export function isPcapng(bytes: Buffer): boolean {
  return bytes.length >= 4 && bytes.readUInt32LE(0) === blockTypes.section;
}

/** Reads a pcapng file that tnet has made. A truncated last block is left out. */
export function readPcapng(bytes: Buffer, builder: ScriptBuilder): void {
  const conversations = new Map<string, Conversation>();
  let count = 0;
  for (let at = 0; at + 12 <= bytes.length;) {
    const [type, length] = [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)];
    if (length < 12 || length % 4 !== 0) builder.fail('not a little-endian pcapng file');
    if (at + length > bytes.length) return;
    const block = bytes.subarray(at + 8, at + length - 4);
    if (type === blockTypes.section && block.readUInt32LE(0) !== byteOrderMagic)
      builder.fail('not a little-endian pcapng file');
    if (type === blockTypes.interface && block.readUInt16LE(0) !== linkTypeRaw)
      builder.fail('it was not made by tnet: its packets do not begin with an IP header');
    if (type === blockTypes.enhancedPacket) {
      const atMicros = block.readUInt32LE(4) * 2 ** 32 + block.readUInt32LE(8);
      const packetBytes = block.readUInt32LE(12);
      const packet = block.subarray(20, 20 + packetBytes);
      const comment = readComment(block.subarray(20 + packetBytes + (-packetBytes & 3)));
      const segment = decodePacket(packet, builder);
      if (segment) follow(segment, { atMicros, comment, conversations, nextId: () => ++count }, builder);
    }
    at += length;
  }
}

interface Following {
  readonly atMicros: number;
  readonly comment: string;
  readonly conversations: Map<string, Conversation>;
  readonly nextId: () => number;
}

function follow(segment: Segment, following: Following, builder: ScriptBuilder): void {
  const { from, to, flags, payload, sequence } = segment;
  const { atMicros, conversations } = following;
  const key = [from, to].sort().join(' ');
  const isBeginning = (flags & (tcpFlags.syn | tcpFlags.ack)) === tcpFlags.syn;
  if (isBeginning) {
    const id = Number(/^connection (\d+)/.exec(following.comment)?.[1] ?? following.nextId());
    conversations.set(key, { id, client: from, next: new Map(), ended: new Set(), isClosed: false });
    builder.opened(id, 'relayed', atMicros);
  }
  const conversation = conversations.get(key);
  if (!conversation) builder.fail(`the beginning of the connection from ${from} to ${to} is missing`);
  const { id, client, next, ended } = conversation;
  // The acknowledgement of the last FIN.
  if (conversation.isClosed) return;
  const direction = from === client ? 'sent' : 'received';
  const expected = next.get(from);
  if (expected !== undefined && sequence !== expected)
    builder.fail(`it was not made by tnet: packets of connection ${id} are missing or repeated`);
  const extra = flags & (tcpFlags.syn | tcpFlags.fin) ? 1 : 0;
  next.set(from, (sequence + payload.length + extra) >>> 0);
  if (payload.length > 0) builder.data(id, direction, payload, atMicros);
  if (flags & tcpFlags.fin) {
    builder.ended(id, direction, atMicros);
    ended.add(from);
  }
  const isReset = (flags & tcpFlags.rst) !== 0;
  conversation.isClosed = isReset || ended.size === 2;
  // The client is the local end here, so that its own break is a reset; see RecordedEnding.
  if (isReset) builder.closed(id, direction === 'sent' ? 'reset' : 'aborted', atMicros);
  else if (conversation.isClosed) builder.closed(id, 'eof', atMicros);
}

/** A TCP segment of an IPv4 or IPv6 packet; undefined for anything else. */
function decodePacket(packet: Buffer, builder: ScriptBuilder): Segment | undefined {
  const isV4 = (packet[0] ?? 0) >> 4 === 4;
  const [protocol, tcpAt] = isV4 ? [packet[9], ((packet[0] ?? 0) & 15) * 4] : [packet[6], 40];
  if (protocol === udpProtocol) builder.fail('it contains datagrams, which cannot be replayed');
  if (protocol !== tcpProtocol || packet.length < tcpAt + 20) return undefined;
  const [source, destination] = isV4
    ? [packet.subarray(12, 16), packet.subarray(16, 20)]
    : [packet.subarray(8, 24), packet.subarray(24, 40)];
  const tcp = packet.subarray(tcpAt);
  return {
    from: `${source.toString('hex')}:${tcp.readUInt16BE(0)}`,
    to: `${destination.toString('hex')}:${tcp.readUInt16BE(2)}`,
    sequence: tcp.readUInt32BE(4),
    flags: tcp[13] ?? 0,
    payload: tcp.subarray(((tcp[12] ?? 0) >> 4) * 4),
  };
}

function readComment(options: Buffer): string {
  for (let at = 0; at + 4 <= options.length;) {
    const [code, length] = [options.readUInt16LE(at), options.readUInt16LE(at + 2)];
    if (code === optionCodes.comment) return options.toString('utf8', at + 4, at + 4 + length);
    if (code === optionCodes.end) break;
    at += 4 + length + (-length & 3);
  }
  return '';
}
