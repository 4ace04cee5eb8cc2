/** The codes of a {@link ProtocolError}, each with what it means. Stable: match on the code, never on the message. */
export const protocolErrorTable = {
  TNET_E_PROTOCOL: 'The peer sent bytes that the protocol does not allow.',
  TNET_E_PROTOCOL_LIMIT: 'The peer sent more than a named limit of the protocol codec lets through.',
  TNET_E_PROTOCOL_REFUSED: 'The peer spoke the protocol correctly and said no.',
  TNET_E_PROTOCOL_INPUT: 'A host, name, password or header cannot be expressed in the protocol.',
} as const;

/** One of the codes of {@link protocolErrorTable}. */
export type ProtocolErrorCode = keyof typeof protocolErrorTable;

/** The protocol that a {@link ProtocolError} speaks of. */
export type ProtocolName =
  | 'telnet'
  | 'socks4'
  | 'socks5'
  | 'http'
  | 'http-connect'
  | 'websocket'
  | 'htpasswd'
  | 'proxy-protocol'
  | 'file-transfer'
  | 'tls'
  | 'smtp'
  | 'imap'
  | 'pop3'
  | 'ftp'
  | 'postgres'
  | 'ldap'
  | 'xmpp'
  | 'mysql';

/** What a {@link ProtocolError} may carry beside its sentence. */
export interface ProtocolErrorDetails {
  /** Bytes that the protocol wants sent to the peer before the connection is closed. */
  readonly reply?: Buffer | undefined;
  /** The peer's own number for the refusal: a SOCKS reply code, an HTTP or SMTP status, an LDAP result. */
  readonly status?: number | undefined;
}

/** What a {@link ProtocolError} is about. */
export interface ProtocolErrorFacts extends ProtocolErrorDetails {
  readonly protocol: ProtocolName;
  readonly reason: string;
}

/**
 * The only error that a codec of src/protocol throws, for the peer's bytes and for the caller's values alike.
 * `code` says whose fault it is, `protocol` where, `reason` what, as a stable kebab-case word such as
 * `bad-version`; `message` is one sentence for people. A codec that has thrown is finished: it throws the same
 * error again for whatever is given to it.
 */
export class ProtocolError extends Error {
  readonly code: ProtocolErrorCode;
  readonly protocol: ProtocolName;
  readonly reason: string;
  /** Bytes to send before closing, or undefined when the protocol has none. */
  readonly reply: Buffer | undefined;
  /** The peer's own number for its refusal, or undefined. */
  readonly status: number | undefined;

  constructor(code: ProtocolErrorCode, message: string, about: ProtocolErrorFacts) {
    super(message);
    this.code = code;
    this.protocol = about.protocol;
    this.reason = about.reason;
    this.reply = about.reply;
    this.status = about.status;
  }
}

ProtocolError.prototype.name = 'ProtocolError';

/** The peer broke the protocol: `TNET_E_PROTOCOL`. */
export function violation(
  protocol: ProtocolName,
  reason: string,
  message: string,
  details?: ProtocolErrorDetails,
): ProtocolError {
  return new ProtocolError('TNET_E_PROTOCOL', message, { protocol, reason, ...details });
}

/** The peer went over a limit: `TNET_E_PROTOCOL_LIMIT`. */
export function overLimit(
  protocol: ProtocolName,
  reason: string,
  message: string,
  details?: ProtocolErrorDetails,
): ProtocolError {
  return new ProtocolError('TNET_E_PROTOCOL_LIMIT', message, { protocol, reason, ...details });
}

/** The peer said no: `TNET_E_PROTOCOL_REFUSED`. */
export function refusal(
  protocol: ProtocolName,
  reason: string,
  message: string,
  details?: ProtocolErrorDetails,
): ProtocolError {
  return new ProtocolError('TNET_E_PROTOCOL_REFUSED', message, { protocol, reason, ...details });
}

/** The caller's value cannot be expressed: `TNET_E_PROTOCOL_INPUT`. */
export function badInput(protocol: ProtocolName, reason: string, message: string): ProtocolError {
  return new ProtocolError('TNET_E_PROTOCOL_INPUT', message, { protocol, reason });
}
