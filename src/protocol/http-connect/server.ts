import { HandshakeState } from '../handshake-state.ts';
import { violation, badInput } from '../protocol-error.ts';
import {
  decodeAuthority,
  type Authority,
  findHeaders,
  HeadReader,
  isToken,
  type HttpHeader,
} from './head.ts';
import { basicChallenge, decodeBasic, type ProxyCredentials } from './credentials.ts';

/** What a client asks for. From here on the connection is the caller's: answer with `encodeConnectReply()`. */
export interface ConnectRequest extends Authority {
  /** The host and port as the client wrote them. */
  readonly target: string;
  readonly headers: readonly HttpHeader[];
  /** From Proxy-Authorization, when there is exactly one and it is Basic (RFC 7617). Not verified. */
  readonly credentials: ProxyCredentials | undefined;
  /** Bytes the client sent after the request: the beginning of the stream. */
  readonly rest: Buffer;
}

const requestLine = /^(\S+) (\S+) HTTP\/(\d)\.(\d)$/;

/**
 * The server's side of CONNECT (RFC 9110 section 9.3.6): one request, then a tunnel. An error carries in `reply` the
 * whole answer to send before the connection is closed. Keeps at most HEAD_LIMIT_BYTES beside the last chunk.
 */
export class HttpConnectServer {
  readonly #state = new HandshakeState('http-connect');
  readonly #head = new HeadReader({
    malformed: { reply: encodeConnectReply(400), status: 400 },
    longLine: { reply: encodeConnectReply(414), status: 414 },
    tooLarge: { reply: encodeConnectReply(431), status: 431 },
  });

  /** How many bytes of the client are kept for later. */
  get bufferedBytes(): number {
    return this.#state.queue.length;
  }

  /**
   * Takes a chunk from the client, cut anywhere; gives the request once it is whole.
   * @throws ProtocolError TNET_E_PROTOCOL or TNET_E_PROTOCOL_LIMIT, with the answer (400, 405, 414, 431, 505) in `reply`.
   */
  receive(chunk: Buffer): ConnectRequest | undefined {
    return this.#state.receive(chunk, () => this.#readRequest());
  }

  #readRequest(): ConnectRequest | undefined {
    const bytes = this.#state.queue.peek();
    const line = this.#head.readStartLine(bytes);
    if (line === undefined) return undefined;
    const { authority, target, minor } = this.#readRequestLine(line);
    const head = this.#head.readHeaders(bytes);
    if (!head) return undefined;
    this.#checkHeaders(head.headers, minor);
    this.#state.queue.drop(head.headBytes);
    const authorizations = findHeaders(head.headers, 'proxy-authorization');
    const credentials = authorizations.length === 1 ? decodeBasic(authorizations[0] ?? '') : undefined;
    return { ...authority, target, headers: head.headers, credentials, rest: this.#state.finish() };
  }

  #readRequestLine(line: string): { authority: Authority; target: string; minor: string } {
    const [, method, target = '', major, minor = ''] = requestLine.exec(line) ?? [];
    if (method === undefined || !isToken(method)) {
      throw this.#head.malformed('bad-request-line', 'the request line cannot be read');
    }
    if (major !== '1')
      throw this.#refuse(505, 'bad-version', `the client speaks HTTP/${major ?? ''}.${minor}`);
    if (method !== 'CONNECT') {
      throw this.#refuse(
        405,
        'bad-method',
        `the client sends ${method.slice(0, 20)}, but only CONNECT is supported`,
      );
    }
    const authority = decodeAuthority(target);
    if (!authority) throw this.#head.malformed('bad-target', 'the target of CONNECT is not host:port');
    return { authority, target, minor };
  }

  /** RFC 9112 section 3.2: one Host from HTTP/1.1 on. A body would be mistaken for the stream and is refused. */
  #checkHeaders(headers: readonly HttpHeader[], minor: string): void {
    const hosts = findHeaders(headers, 'host').length;
    if (hosts > 1 || (hosts === 0 && minor !== '0')) {
      throw this.#head.malformed('bad-host-header', 'the request does not have exactly one Host field');
    }
    const hasBody =
      findHeaders(headers, 'transfer-encoding').length > 0 ||
      findHeaders(headers, 'content-length').some((length) => length !== '0');
    if (hasBody) throw this.#head.malformed('has-body', 'a CONNECT request has no body');
  }

  #refuse(status: ConnectStatus, reason: string, sentence: string): Error {
    return violation('http-connect', reason, sentence, { reply: encodeConnectReply(status), status });
  }
}

/** The answers of a CONNECT server. */
const connectReplies = {
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
 * one has a line of text and says that the connection is closed after it.
 * @param realm what the user is asked to log in to; for 407 only.
 * @param challenges the values of Proxy-Authenticate; for 407 only. Default: Basic.
 * @throws ProtocolError TNET_E_PROTOCOL_INPUT for a realm that is not printable ASCII.
 */
export function encodeConnectReply(
  status: ConnectStatus,
  realm = 'tnet',
  challenges: readonly string[] = [basicChallenge(realm)],
): Buffer {
  const phrase = connectReplies[status];
  if (status === 200) return Buffer.from(`HTTP/1.1 200 ${phrase}\r\n\r\n`);
  if (!/^[\x20-\x7e]*$/.test(realm)) {
    throw badInput('http-connect', 'bad-realm', 'a realm has printable ASCII characters only');
  }
  const body = `${status} ${phrase}\n`;
  return Buffer.from(
    [
      `HTTP/1.1 ${status} ${phrase}`,
      ...(status === 407 ? challenges.map((challenge) => `Proxy-Authenticate: ${challenge}`) : []),
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
