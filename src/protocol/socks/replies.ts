import { ipToBytes } from '../../address/address.ts';
import { encodeAddress, type SocksAddress } from './address.ts';

/** The answers of a SOCKS server, by name. SOCKS4 knows only `granted` and one failure. */
export type SocksReply = keyof typeof replyCodes;

/** The reply field of RFC 1928 section 6. */
export const replyCodes = {
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

const sentences5: Record<number, readonly [reason: string, sentence: string]> = {
  1: ['general-failure', 'The proxy failed without saying why.'],
  2: ['not-allowed', "The proxy's rules do not allow this connection."],
  3: ['network-unreachable', 'The proxy cannot reach that network.'],
  4: ['host-unreachable', 'The proxy cannot reach that host.'],
  5: ['connection-refused', "The target refused the proxy's connection."],
  6: ['ttl-expired', "The proxy's packets did not reach the target in time."],
  7: ['command-not-supported', 'The proxy does not offer this kind of request.'],
  8: ['address-type-not-supported', 'The proxy does not take this kind of address.'],
};

const sentences4: Record<number, readonly [reason: string, sentence: string]> = {
  91: ['general-failure', 'The proxy rejected the request or could not connect.'],
  92: ['identd-unreachable', 'The proxy could not reach an identd on this machine.'],
  93: ['identd-mismatch', 'The identd on this machine reports a different user.'],
};

/** The stable reason and the sentence for people of a refusal by a SOCKS5 proxy (RFC 1928 section 6). */
export function explainReply5(code: number): readonly [reason: string, sentence: string] {
  return sentences5[code] ?? ['unknown-reply', `The proxy refused with the unknown code ${code}.`];
}

/** The same for SOCKS4 (the codes 91 to 93 of the SOCKS4 protocol paper). */
export function explainReply4(code: number): readonly [reason: string, sentence: string] {
  return sentences4[code] ?? ['unknown-reply', `The proxy refused with the unknown code ${code}.`];
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
  EACCES: 'not-allowed',
  EPERM: 'not-allowed',
};

/** The reply that tells a client why its target could not be reached, from the `code` of the connect error. */
export function replyForErrorCode(code: string | undefined): SocksReply {
  return (code === undefined ? undefined : repliesByErrorCode[code]) ?? 'general-failure';
}
