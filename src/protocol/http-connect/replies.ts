import { badInput } from '../protocol-error.ts';

/** The answers of a CONNECT server. */
export const connectReplies = {
  200: 'Connection established',
  400: 'Bad Request',
  403: 'Forbidden',
  405: 'Method Not Allowed',
  407: 'Proxy Authentication Required',
  414: 'URI Too Long',
  431: 'Request Header Fields Too Large',
  502: 'Bad Gateway',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
} as const;

/** A status that {@link encodeConnectReply} knows. */
export type ConnectStatus = keyof typeof connectReplies;

/**
 * The whole answer to a CONNECT request. 200 opens the tunnel and has no body (RFC 9110 section 9.3.6); every other
 * one has a line of text and says that the connection is closed after it. 407 asks for Basic in UTF-8 (RFC 7617).
 * @param realm what the user is asked to log in to; for 407 only.
 * @throws ProtocolError TNET_E_PROTOCOL_INPUT for a realm that is not printable ASCII.
 */
export function encodeConnectReply(status: ConnectStatus, realm = 'tnet'): Buffer {
  const phrase = connectReplies[status];
  if (status === 200) return Buffer.from(`HTTP/1.1 200 ${phrase}\r\n\r\n`);
  if (!/^[\x20-\x7e]*$/.test(realm)) {
    throw badInput('http-connect', 'bad-realm', 'A realm has printable ASCII characters only.');
  }
  const quoted = realm.replaceAll(/["\\]/g, '\\$&');
  const body = `${status} ${phrase}\n`;
  return Buffer.from(
    [
      `HTTP/1.1 ${status} ${phrase}`,
      ...(status === 407 ? [`Proxy-Authenticate: Basic realm="${quoted}", charset="UTF-8"`] : []),
      ...(status === 405 ? ['Allow: CONNECT'] : []),
      'Content-Type: text/plain',
      `Content-Length: ${body.length}`,
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}

/** The status that tells a client why its target could not be reached, from the `code` of the connect error. */
export function statusForErrorCode(code: string | undefined): ConnectStatus {
  if (code === 'ETIMEDOUT' || code === 'TNET_E_TIMEOUT') return 504;
  if (code === 'TNET_E_ADDRESS') return 400;
  return code === 'EACCES' || code === 'EPERM' || code === 'TNET_E_DENIED' ? 403 : 502;
}
