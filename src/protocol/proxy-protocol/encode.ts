import { bytesToIp, ipToBytes } from '../../address/address.ts';
import { badInput } from '../protocol-error.ts';
import {
  crc32c,
  familyCodes,
  UNIX_ADDRESS_BYTES,
  V2_SIGNATURE,
  valueCodes,
  type ProxyEnds,
  type ProxyHeader,
  type ProxyValue,
} from './header.ts';
import { encodeValue } from './values.ts';

type InetEnds = Extract<ProxyEnds, { readonly source: object }>;
type UnixEnds = Extract<ProxyEnds, { readonly source: string }>;
type InetAddress = InetEnds['source'];

/** The bytes of an address that belongs to the family, and its port. */
function encodeInet({ host, port }: InetAddress, family: InetEnds['family']): { host: Buffer; port: number } {
  const bytes = ipToBytes(host);
  if (bytes?.length !== (family.endsWith('4') ? 4 : 16)) {
    throw badInput(
      'proxy-protocol',
      'bad-host',
      `${JSON.stringify(host)} is not an address of the family ${family}`,
    );
  }
  if (!Number.isInteger(port) || port < 0 || port > 0xffff) {
    throw badInput('proxy-protocol', 'bad-port', `a port is a number from 0 to 65535, not ${port}`);
  }
  return { host: bytes, port };
}

function encodeUnix(path: string): Buffer {
  const bytes = Buffer.from(path);
  if (bytes.length > UNIX_ADDRESS_BYTES) {
    throw badInput(
      'proxy-protocol',
      'bad-path',
      `a Unix path in a PROXY header has at most ${UNIX_ADDRESS_BYTES} bytes`,
    );
  }
  return Buffer.concat([bytes, Buffer.alloc(UNIX_ADDRESS_BYTES - bytes.length)]);
}

/**
 * A header of version 1 (proxy-protocol.txt section 2.1): one line. What it has no word for (UDP, Unix) is UNKNOWN.
 * @throws ProtocolError TNET_E_PROTOCOL_INPUT for an address that is not of its family, or a port out of range.
 */
export function encodeProxyV1(ends: ProxyEnds): Buffer {
  if (ends.family !== 'tcp4' && ends.family !== 'tcp6') return Buffer.from('PROXY UNKNOWN\r\n');
  const source = encodeInet(ends.source, ends.family);
  const destination = encodeInet(ends.destination, ends.family);
  const words = [
    'PROXY',
    ends.family.toUpperCase(),
    bytesToIp(source.host),
    bytesToIp(destination.host),
    source.port,
    destination.port,
  ];
  return Buffer.from(`${words.join(' ')}\r\n`);
}

function isUnix(ends: InetEnds | UnixEnds): ends is UnixEnds {
  return ends.family === 'unix' || ends.family === 'unix-datagram';
}

function encodeEnds(ends: ProxyEnds): Buffer {
  if (ends.family === 'unknown') return Buffer.alloc(0);
  if (isUnix(ends)) {
    return Buffer.concat([encodeUnix(ends.source), encodeUnix(ends.destination)]);
  }
  const source = encodeInet(ends.source, ends.family);
  const destination = encodeInet(ends.destination, ends.family);
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(source.port, 0);
  ports.writeUInt16BE(destination.port, 2);
  return Buffer.concat([source.host, destination.host, ports]);
}

/** The position of the first checksum of the values, relative to their start; undefined without one. */
function findChecksum(values: readonly ProxyValue[], encoded: readonly Buffer[]): number | undefined {
  const index = values.findIndex(({ type }) => type === 'crc32c');
  if (index < 0) return undefined;
  return encoded.slice(0, index).reduce((bytes, value) => bytes + value.length, 0) + 3;
}

/**
 * A header of version 2 (proxy-protocol.txt section 2.2). A `crc32c` value is computed over the finished header.
 * @throws ProtocolError TNET_E_PROTOCOL_INPUT for an address that is not of its family, a path or value that is too
 * long, or more than one checksum.
 */
export function encodeProxyV2({ command, ends, values }: Omit<ProxyHeader, 'version'>): Buffer {
  if (values.filter(({ type }) => type === 'crc32c').length > 1) {
    throw badInput('proxy-protocol', 'bad-value', 'a PROXY header has one checksum at most');
  }
  const addresses = encodeEnds(ends);
  const encoded = values.map(encodeValue);
  const body = Buffer.concat([addresses, ...encoded]);
  if (body.length > 0xffff) {
    throw badInput(
      'proxy-protocol',
      'too-long',
      'the values of the PROXY header are longer than 65535 bytes together',
    );
  }
  const head = Buffer.from([0x20 | (command === 'proxy' ? 1 : 0), familyCodes[ends.family], 0, 0]);
  head.writeUInt16BE(body.length, 2);
  const header = Buffer.concat([V2_SIGNATURE, head, body]);
  const checksum = findChecksum(values, encoded);
  if (checksum !== undefined) {
    header.writeUInt32BE(crc32c(header), V2_SIGNATURE.length + head.length + addresses.length + checksum);
  }
  return header;
}

/** A NOOP value of the given length, to pad a header; `encodeProxyV2` takes it like any other. */
export function createPadding(bytes: number): ProxyValue {
  return { type: 'other', code: valueCodes.noop, bytes: Buffer.alloc(bytes) };
}
