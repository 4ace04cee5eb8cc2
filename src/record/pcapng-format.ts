import { ipToBytes } from '../address/address.ts';
import { encodeFileHeader, encodePacketBlock } from './pcapng-blocks.ts';
import {
  formatEnd,
  nothing,
  type RecordedConnection,
  type RecordedDirection,
  type RecordedEnd,
  type RecordFormat,
} from './record-format.ts';
import {
  encodeDatagram,
  encodePacket,
  maxDatagramBytes,
  maxSegmentBytes,
  tcpFlags,
  type PacketEnd,
} from './packet.ts';

const { fin, syn, rst, psh, ack } = tcpFlags;

/** One side of a connection: its address, and the number of its next byte. Forgotten when the connection closes. */
interface Side {
  readonly end: PacketEnd;
  sequence: number;
  hasEnded: boolean;
}

interface Conversation {
  readonly role: RecordedConnection['role'];
  readonly local: Side;
  readonly remote: Side;
}

interface PacketFacts {
  readonly flags: number;
  readonly atMicros: number;
  readonly payload?: Buffer;
  readonly comment?: string;
}

/**
 * A capture file for Wireshark, made without capturing anything: IP and TCP headers are made up around the bytes,
 * with the connection's true addresses, ports and times, and consistent sequence numbers, acknowledgements and
 * checksums. A Unix socket has made-up addresses on 127.0.0.1, and a comment with its path. Source:
 * draft-ietf-opsawg-pcapng; RFC 9293.
 */
export function createPcapngFormat(): RecordFormat {
  const conversations = new Map<number, Conversation>();

  const packet = (
    { local, remote, role }: Conversation,
    direction: RecordedDirection,
    { flags, atMicros, payload = nothing, comment }: PacketFacts,
  ): Buffer => {
    const [from, to] = direction === 'sent' ? [local, remote] : [remote, local];
    const { sequence } = from;
    const acknowledgement = flags & ack ? to.sequence : 0;
    from.sequence = (sequence + payload.length + (flags & (syn | fin) ? 1 : 0)) >>> 0;
    const bytes = encodePacket({ from: from.end, to: to.end, sequence, acknowledgement, flags, payload });
    return encodePacketBlock(bytes, atMicros, wayOf(direction, role), comment);
  };

  return {
    begin: encodeFileHeader,

    opened(connection, atMicros) {
      if (connection.transport === 'udp') return nothing;
      const conversation = createConversation(connection);
      conversations.set(connection.id, conversation);
      const [caller, called] =
        connection.role === 'accepted' ? (['received', 'sent'] as const) : (['sent', 'received'] as const);
      return Buffer.concat([
        packet(conversation, caller, { flags: syn, atMicros, comment: describe(connection) }),
        packet(conversation, called, { flags: syn | ack, atMicros }),
        packet(conversation, caller, { flags: ack, atMicros }),
      ]);
    },

    data(connection, { direction, bytes, atMicros }) {
      if (connection.transport === 'udp') return datagram(connection, direction, bytes, atMicros);
      const conversation = conversations.get(connection.id);
      if (!conversation) return nothing;
      const packets: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += maxSegmentBytes) {
        const payload = bytes.subarray(at, at + maxSegmentBytes);
        packets.push(packet(conversation, direction, { flags: psh | ack, atMicros, payload }));
      }
      packets.push(packet(conversation, opposite(direction), { flags: ack, atMicros }));
      return Buffer.concat(packets);
    },

    ended({ id }, direction, atMicros) {
      const conversation = conversations.get(id);
      if (!conversation) return nothing;
      conversation[direction === 'sent' ? 'local' : 'remote'].hasEnded = true;
      return Buffer.concat([
        packet(conversation, direction, { flags: fin | ack, atMicros }),
        packet(conversation, opposite(direction), { flags: ack, atMicros }),
      ]);
    },

    closed({ id }, ending, atMicros) {
      const conversation = conversations.get(id);
      conversations.delete(id);
      if (!conversation) return nothing;
      const [ours, theirs] =
        conversation.role === 'relayed' ? (['received', 'sent'] as const) : (['sent', 'received'] as const);
      if (ending === 'reset') return packet(conversation, theirs, { flags: rst | ack, atMicros });
      const isOver = conversation.local.hasEnded && conversation.remote.hasEnded;
      // We have closed a connection that the peer has not ended: our system answers whatever it sends with a reset.
      return isOver ? nothing : packet(conversation, ours, { flags: rst | ack, atMicros });
    },
  };
}

/** Each datagram is a packet of its own: none is made up besides those that were sent. */
function datagram(
  connection: RecordedConnection,
  direction: RecordedDirection,
  bytes: Buffer,
  atMicros: number,
): Buffer {
  const { local, remote } = createConversation(connection);
  const [from, to] = direction === 'sent' ? [local, remote] : [remote, local];
  const way = wayOf(direction, connection.role);
  const parts: Buffer[] = [];
  for (let at = 0; at < Math.max(bytes.length, 1); at += maxDatagramBytes) {
    const packet = encodeDatagram(from.end, to.end, bytes.subarray(at, at + maxDatagramBytes));
    parts.push(encodePacketBlock(packet, atMicros, way, describe(connection)));
  }
  return Buffer.concat(parts);
}

/** Which way a packet went over the interface: what a proxy's client sends comes in. */
function wayOf(direction: RecordedDirection, role: RecordedConnection['role']): 'inbound' | 'outbound' {
  return (direction === 'sent') === (role === 'relayed') ? 'inbound' : 'outbound';
}

function opposite(direction: RecordedDirection): RecordedDirection {
  return direction === 'sent' ? 'received' : 'sent';
}

/** Where a side's sequence numbers begin: far apart, so that connections can be told from each other in a list. */
function firstSequence(id: number, side: number): number {
  return (id * 2_000_003 + side * 1_000_003) >>> 0;
}

function createConversation({ id, local, remote, role }: RecordedConnection): Conversation {
  const [localPort, remotePort] =
    role === 'accepted' ? [unixPort, callerPort(id)] : [callerPort(id), unixPort];
  return {
    role,
    local: { end: toPacketEnd(local, localPort), sequence: firstSequence(id, 0), hasEnded: false },
    remote: { end: toPacketEnd(remote, remotePort), sequence: firstSequence(id, 1), hasEnded: false },
  };
}

/** The made-up port of a Unix socket; its callers have those of the dynamic range, one after the other. */
const unixPort = 1;
const firstDynamicPort = 49_152;
const dynamicPorts = 16_384;
const loopback = Buffer.from([127, 0, 0, 1]);

function callerPort(id: number): number {
  return firstDynamicPort + (id % dynamicPorts);
}

function toPacketEnd(end: RecordedEnd, madeUpPort: number): PacketEnd {
  if ('path' in end) return { address: loopback, port: madeUpPort };
  return { address: ipToBytes(end.host) ?? loopback, port: end.port };
}

function describe({ id, local, remote, target, note }: RecordedConnection): string {
  const unix = [local, remote].filter((end) => 'path' in end && end.path !== '').map(formatEnd);
  const parts = [
    `connection ${id}`,
    ...(unix.length > 0 ? [`Unix socket ${unix.join(', ')}`] : []),
    target === undefined ? undefined : `to ${target}`,
    note,
  ];
  return parts.filter((part) => part !== undefined).join('; ');
}
