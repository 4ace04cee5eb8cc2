import { ipToBytes } from '../../address/address.ts';
import { badInput } from '../protocol-error.ts';
import { encodeAddress, encodeName, type SocksAddress } from './address.ts';

/** The versions of the protocol: 4a is 4 with names instead of addresses. */
export type SocksVersion = '4' | '4a' | '5';

/** What is asked of the proxy: RFC 1928 section 4. `udp-associate` exists in version 5 only. */
export type SocksCommand = 'connect' | 'bind' | 'udp-associate';

/** The command byte of a request. */
export const commandCodes = { connect: 1, bind: 2, 'udp-associate': 3 } as const;

/** The authentication methods of RFC 1928 section 3 that are spoken here. */
export const methods = { none: 0, password: 2, unacceptable: 255 } as const;

/** What a {@link SocksClient} is made with. */
export interface SocksClientOptions {
  readonly version: SocksVersion;
  /** Default `connect`. */
  readonly command?: SocksCommand;
  /** The target: an address or, in 4a and 5, a name that the proxy resolves. */
  readonly host: string;
  /** 0 to 65535. */
  readonly port: number;
  /** Version 4: the user id. Version 5: offers user/password (RFC 1929); 1 to 255 bytes. */
  readonly user?: string;
  /** Version 5 only, at most 255 bytes. Default: an empty one. */
  readonly password?: string;
}

const CREDENTIAL_LIMIT_BYTES = 255;
const ANY_IPV4 = Buffer.alloc(4);
/** SOCKS4a: 0.0.0.x with x not 0 says that a name follows. */
const NAME_FOLLOWS = Buffer.from([0, 0, 0, 1]);

/**
 * The request of RFC 1928 section 4.
 * @throws ProtocolError TNET_E_PROTOCOL_INPUT for a host or port that cannot be sent.
 */
export function encodeRequest5({ command = 'connect', host, port }: SocksClientOptions): Buffer {
  return Buffer.concat([Buffer.from([5, commandCodes[command], 0]), encodeAddress({ host, port })]);
}

/**
 * The user and password of RFC 1929 section 2.
 * @throws ProtocolError TNET_E_PROTOCOL_INPUT when the user is empty, or either longer than 255 bytes.
 */
export function encodePassword(options: SocksClientOptions): Buffer {
  const user = Buffer.from(options.user ?? '');
  const password = Buffer.from(options.password ?? '');
  // RFC 1929 wants a byte at least of the password too; there are users without one, and servers take it.
  const isFitting = user.length > 0 && Math.max(user.length, password.length) <= CREDENTIAL_LIMIT_BYTES;
  if (!isFitting) {
    const sentence = 'a user has 1 to 255 bytes, and a password at most 255 (RFC 1929)';
    throw badInput('socks5', 'bad-credentials', sentence);
  }
  return Buffer.concat([Buffer.from([1, user.length]), user, Buffer.from([password.length]), password]);
}

/**
 * The request of SOCKS4, and of 4a for a name.
 * @throws ProtocolError TNET_E_PROTOCOL_INPUT for what SOCKS4 cannot carry: UDP, a password, IPv6, in 4 a name.
 */
export function encodeRequest4(options: SocksClientOptions): Buffer {
  const { version, command = 'connect', host, port, user = '', password } = options;
  if (command === 'udp-associate')
    throw badInput('socks4', 'no-udp', 'SOCKS4 does not support UDP; use socks5');
  if (password !== undefined) {
    throw badInput('socks4', 'no-password', 'SOCKS4 does not support passwords; use socks5');
  }
  const userBytes = Buffer.from(user);
  if (userBytes.length > CREDENTIAL_LIMIT_BYTES || userBytes.includes(0)) {
    throw badInput('socks4', 'bad-credentials', 'a SOCKS4 user has at most 255 bytes, none of them NUL');
  }
  const literal = ipToBytes(host);
  if (literal) checkLiteral(host, literal);
  else if (version === '4') {
    throw badInput('socks4', 'needs-address', 'SOCKS4 supports IPv4 addresses only; use socks4a for a name');
  }
  const name = literal ? [] : [encodeName('socks4', host), Buffer.from([0])];
  return Buffer.concat([
    Buffer.from([4, commandCodes[command], port >> 8, port & 255]),
    literal ?? NAME_FOLLOWS,
    userBytes,
    Buffer.from([0]),
    ...name,
  ]);
}

function checkLiteral(host: string, literal: Buffer): void {
  if (literal.length !== 4) {
    throw badInput('socks4', 'no-ipv6', 'SOCKS4 does not support IPv6 addresses; use socks5');
  }
  if (!literal.equals(ANY_IPV4) && literal.subarray(0, 3).equals(ANY_IPV4.subarray(0, 3))) {
    throw badInput('socks4', 'bad-host', `${host} would be read as the start of a name by a SOCKS4a proxy`);
  }
}

/** The answers of a SOCKS server, by name. SOCKS4 knows only `granted` and one failure. */
export type SocksReply = keyof typeof replyCodes;

/** The reply field of RFC 1928 section 6. */
const replyCodes = {
  granted: 0,
  'general-failure': 1,
  'not-allowed': 2,
  'network-unreachable': 3,
  'host-unreachable': 4,
  'connection-refused': 5,
  'ttl-expired': 6,
  'command-not-supported': 7,
  'address-type-not-supported': 8,
} as const;

/** The stable reason of a refusal, and the sentence for people. */
interface Refusal {
  readonly reason: string;
  readonly sentence: string;
}

const sentences5: Record<number, Refusal> = {
  1: { reason: 'general-failure', sentence: 'the proxy failed without saying why' },
  2: { reason: 'not-allowed', sentence: "the proxy's rules do not allow this connection" },
  3: { reason: 'network-unreachable', sentence: 'the proxy cannot reach that network' },
  4: { reason: 'host-unreachable', sentence: 'the proxy cannot reach that host' },
  5: { reason: 'connection-refused', sentence: "the target refused the proxy's connection" },
  6: { reason: 'ttl-expired', sentence: "the proxy's packets did not reach the target in time" },
  7: { reason: 'command-not-supported', sentence: 'the proxy does not support this kind of request' },
  8: { reason: 'address-type-not-supported', sentence: 'the proxy does not support this kind of address' },
};

const sentences4: Record<number, Refusal> = {
  91: { reason: 'general-failure', sentence: 'the proxy rejected the request or could not connect' },
  92: { reason: 'identd-unreachable', sentence: 'the proxy could not reach an identd on this machine' },
  93: { reason: 'identd-mismatch', sentence: 'the identd on this machine reports a different user' },
};

/** What a refusal by a SOCKS5 proxy means (RFC 1928 section 6). */
export function explainReply5(code: number): Refusal {
  return (
    sentences5[code] ?? {
      reason: 'unknown-reply',
      sentence: `the proxy refused with the unknown code ${code}`,
    }
  );
}

/** The same for SOCKS4 (the codes 91 to 93 of the SOCKS4 protocol paper). */
export function explainReply4(code: number): Refusal {
  return (
    sentences4[code] ?? {
      reason: 'unknown-reply',
      sentence: `the proxy refused with the unknown code ${code}`,
    }
  );
}

const ANY: SocksAddress = { host: '0.0.0.0', port: 0 };

/**
 * The reply to a request, in the client's version. `bound` is the address the proxy talks from or listens on; SOCKS4
 * has room for IPv4 only and gets 0.0.0.0 for anything else.
 */
export function encodeSocksReply(version: 4 | 5, reply: SocksReply, bound: SocksAddress = ANY): Buffer {
  if (version === 5) return Buffer.concat([Buffer.from([5, replyCodes[reply], 0]), encodeAddress(bound)]);
  const literal = ipToBytes(bound.host);
  const bytes = Buffer.alloc(8);
  bytes[1] = reply === 'granted' ? 90 : 91;
  bytes.writeUInt16BE(bound.port, 2);
  if (literal?.length === 4) literal.copy(bytes, 4);
  return bytes;
}

const repliesByErrorCode: Record<string, SocksReply> = {
  ECONNREFUSED: 'connection-refused',
  ENETUNREACH: 'network-unreachable',
  ENETDOWN: 'network-unreachable',
  EHOSTUNREACH: 'host-unreachable',
  EHOSTDOWN: 'host-unreachable',
  ENOTFOUND: 'host-unreachable',
  EAI_AGAIN: 'host-unreachable',
  EAI_NODATA: 'host-unreachable',
  EAI_FAIL: 'host-unreachable',
  // As microsocks and Dante tell a time-out: RFC 1928 has no code that fits better.
  ETIMEDOUT: 'ttl-expired',
  TNET_E_TIMEOUT: 'ttl-expired',
  TNET_E_ADDRESS: 'host-unreachable',
  TNET_E_DENIED: 'not-allowed',
  TNET_E_UNSUPPORTED: 'command-not-supported',
  EACCES: 'not-allowed',
  EPERM: 'not-allowed',
};

/** The reply that tells a client why its target could not be reached, from the `code` of the connect error. */
export function replyForErrorCode(code: string | undefined): SocksReply {
  return (code === undefined ? undefined : repliesByErrorCode[code]) ?? 'general-failure';
}
