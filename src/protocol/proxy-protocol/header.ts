/** What the header says about a connection: the ends, as the proxy before us saw them. */
export type ProxyEnds =
  | {
      readonly family: 'tcp4' | 'tcp6' | 'udp4' | 'udp6';
      readonly source: { readonly host: string; readonly port: number };
      readonly destination: { readonly host: string; readonly port: number };
    }
  /** Paths; an abstract name starts with a NUL, an unnamed end is empty. */
  | { readonly family: 'unix' | 'unix-datagram'; readonly source: string; readonly destination: string }
  /** Nothing is known: UNKNOWN in version 1, UNSPEC in version 2. Use the connection's own addresses. */
  | { readonly family: 'unknown' };

/** A header of the PROXY protocol. */
export interface ProxyHeader {
  readonly version: 1 | 2;
  /** `local`: the proxy's own connection, such as a health check; its ends say nothing. Version 2 only. */
  readonly command: 'proxy' | 'local';
  readonly ends: ProxyEnds;
  /** Version 2: what was said beyond the addresses, in order; padding (NOOP) is left out. */
  readonly values: readonly ProxyValue[];
}

/** A type-length-value of version 2, section 2.2. */
export type ProxyValue =
  /** The application protocol of the client's connection, as TLS' ALPN names it: `h2`. */
  | { readonly type: 'alpn'; readonly protocol: string }
  /** The host name the client asked for: its SNI. */
  | { readonly type: 'authority'; readonly name: string }
  /** A checksum over the header. Verified on reading; on writing it is computed, and `value` is not looked at. */
  | { readonly type: 'crc32c'; readonly value?: number }
  /** What the proxy calls this connection; at most 128 bytes. */
  | { readonly type: 'unique-id'; readonly bytes: Buffer }
  | { readonly type: 'ssl'; readonly ssl: ProxySsl }
  /** The network namespace by name. */
  | { readonly type: 'netns'; readonly name: string }
  /** Any other type, passed through. */
  | { readonly type: 'other'; readonly code: number; readonly bytes: Buffer };

/** What is known about the client's TLS connection, section 2.2.6. */
export interface ProxySsl {
  /** The client connected over TLS. */
  readonly isTls: boolean;
  /** The client gave a certificate on this connection. */
  readonly hasCertificate: boolean;
  /** The client gave one at least once in this TLS session. */
  readonly hasSessionCertificate: boolean;
  /** 0 when a certificate was given and verified; anything else when not. */
  readonly verify: number;
  /** `TLSv1.3` */
  readonly version?: string;
  /** The common name of the client's certificate. */
  readonly commonName?: string;
  readonly cipher?: string;
  /** How the proxy's own certificate is signed: `SHA256`. */
  readonly signatureAlgorithm?: string;
  /** The key of the proxy's own certificate: `RSA2048`. */
  readonly keyAlgorithm?: string;
}

/** The registered types, section 2.2. */
export const valueCodes = {
  alpn: 0x01,
  authority: 0x02,
  crc32c: 0x03,
  noop: 0x04,
  'unique-id': 0x05,
  ssl: 0x20,
  netns: 0x30,
} as const;

/** The types inside of `ssl`, section 2.2.6, by the field they fill. */
export const sslCodes = {
  version: 0x21,
  commonName: 0x22,
  cipher: 0x23,
  signatureAlgorithm: 0x24,
  keyAlgorithm: 0x25,
} as const;

/** The bits of the first byte of `ssl`. */
export const sslBits = { isTls: 1, hasCertificate: 2, hasSessionCertificate: 4 } as const;

/** The longest header of version 1, its CR LF included: section 2.1, "worst case". */
export const V1_LIMIT_BYTES = 107;
/** The longest header of version 2 that is read: the fixed part and all its 16-bit length can say. */
export const V2_LIMIT_BYTES = 16 + 0xffff;
/** The longest unique id, section 2.2.5. */
export const UNIQUE_ID_LIMIT_BYTES = 128;
/** The size of a Unix address in the header: `sun_path` of Linux. */
export const UNIX_ADDRESS_BYTES = 108;

/** What every header of version 2 starts with, section 2.2. */
export const V2_SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
/** What every header of version 1 starts with, section 2.1. */
export const V1_SIGNATURE = Buffer.from('PROXY ');

/** The 14th byte of version 2 for each family. */
export const familyCodes = {
  unknown: 0x00,
  tcp4: 0x11,
  udp4: 0x12,
  tcp6: 0x21,
  udp6: 0x22,
  unix: 0x31,
  'unix-datagram': 0x32,
} as const;

/** The Castagnoli polynomial, bits reversed: RFC 4960 appendix B. */
const POLYNOMIAL = 0x82f63b78;

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
  return value >>> 0;
});

/** CRC32c of the bytes, as RFC 4960 (SCTP) and RFC 3720 (iSCSI) define it; node:zlib's crc32 is another polynomial. */
export function crc32c(bytes: Buffer): number {
  let value = 0xffffffff;
  for (const byte of bytes) value = (table[(value ^ byte) & 255] ?? 0) ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}
