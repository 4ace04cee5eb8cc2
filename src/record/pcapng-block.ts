/** Packets begin with an IPv4 or IPv6 header. Source: the link-layer types of tcpdump.org, LINKTYPE_RAW. */
const linkTypeRaw = 101;
const blockTypes = { section: 0x0a0d0d0a, interface: 1, enhancedPacket: 6 } as const;
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

/** Filled up to a multiple of four bytes. */
function pad(bytes: Buffer): Buffer {
  const missing = -bytes.length & 3;
  return missing === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(missing)]);
}
