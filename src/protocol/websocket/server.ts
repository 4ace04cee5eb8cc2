import { HandshakeState } from '../handshake-state.ts';
import { refusal, violation, type ProtocolError } from '../protocol-error.ts';
import { decodeBasic, type ProxyCredentials } from '../http-connect/credentials.ts';
import { findHeaders, HeadReader, isToken, listsOption, type HttpHeader } from '../http-connect/head.ts';
import { answerKey, encodeHead, webSocketVersion } from './handshake.ts';
import type { HeaderField } from '../../address/header-field.ts';

/** Which requests are for a server. */
export interface WebSocketRules {
  /** Begins with a slash. Without a query, requests may have any. */
  readonly path: string;
  /**
   * The origins whose pages may connect, `*` for all: `https://example.com`. Default: none. A request without an
   * origin is no browser's, and is taken.
   */
  readonly origins?: readonly string[] | undefined;
  /** Sub-protocols, one of which clients have to offer. Default: none is chosen, whatever they offer. */
  readonly protocols?: readonly string[] | undefined;
}

/** A request that may be accepted, as far as it is known without asking for a password. */
export interface WebSocketUpgrade {
  readonly key: string;
  /** The sub-protocol to answer with. */
  readonly protocol: string | undefined;
  /** The value of Sec-WebSocket-Extensions: what is offered; '' when there is none. */
  readonly extensions: string;
  /** From Authorization, when there is exactly one and it is Basic (RFC 7617). Not verified. */
  readonly credentials: ProxyCredentials | undefined;
  /** Bytes after the request: the first frames. */
  readonly rest: Buffer;
}

/** The refusals of a server. */
const replies = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  414: 'URI Too Long',
  426: 'Upgrade Required',
  431: 'Request Header Fields Too Large',
  505: 'HTTP Version Not Supported',
} as const;

const ownFields: Readonly<Partial<Record<keyof typeof replies, readonly HeaderField[]>>> = {
  401: [['WWW-Authenticate', 'Basic realm="tnet", charset="UTF-8"']],
  405: [['Allow', 'GET']],
  426: [
    ['Upgrade', 'websocket'],
    ['Sec-WebSocket-Version', webSocketVersion],
  ],
};

/** A whole answer that refuses the request; the connection is closed after it. */
export function encodeRefusal(status: keyof typeof replies): Buffer {
  const body = `${status} ${replies[status]}\n`;
  const head = encodeHead(`HTTP/1.1 ${status} ${replies[status]}`, [
    ...(ownFields[status] ?? []),
    ['Content-Type', 'text/plain'],
    ['Content-Length', String(body.length)],
    ['Connection', status === 426 ? 'Upgrade, close' : 'close'],
  ]);
  return Buffer.concat([head, Buffer.from(body)]);
}

/** The answer that opens the WebSocket. Source: RFC 6455, 4.2.2. */
export function encodeUpgrade({ key, protocol }: WebSocketUpgrade, extensions: string): Buffer {
  return encodeHead('HTTP/1.1 101 Switching Protocols', [
    ['Upgrade', 'websocket'],
    ['Connection', 'Upgrade'],
    ['Sec-WebSocket-Accept', answerKey(key)],
    ...(protocol === undefined ? [] : ([['Sec-WebSocket-Protocol', protocol]] as const)),
    ...(extensions === '' ? [] : ([['Sec-WebSocket-Extensions', extensions]] as const)),
  ]);
}

/** An error whose answer has this status. */
export function refuseUpgrade(status: keyof typeof replies, reason: string, message: string): ProtocolError {
  const make = status === 400 || status === 505 ? violation : refusal;
  return make('websocket', reason, message, { reply: encodeRefusal(status), status });
}

const requestLine = /^(\S+) (\S+) HTTP\/(\d)\.(\d)$/;
/** 16 bytes in base64. Source: RFC 6455, 4.1. */
const keyForm = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

/**
 * The server's side of the opening handshake (RFC 6455, 4.2). An error carries in `reply` the whole answer to send
 * before the connection is closed. Keeps at most HEAD_LIMIT_BYTES beside the last chunk.
 */
export class WebSocketServerHandshake {
  readonly #rules: WebSocketRules;
  readonly #state = new HandshakeState('websocket');
  readonly #head = new HeadReader(
    {
      malformed: { reply: encodeRefusal(400), status: 400 },
      longLine: { reply: encodeRefusal(414), status: 414 },
      tooLarge: { reply: encodeRefusal(431), status: 431 },
    },
    'websocket',
  );

  constructor(rules: WebSocketRules) {
    this.#rules = rules;
  }

  /** How many bytes of the client are kept for later. */
  get bufferedBytes(): number {
    return this.#state.queue.length;
  }

  /**
   * Takes a chunk from the client, cut anywhere; gives the request once it is whole.
   *
   * @throws ProtocolError with the answer in `reply` and its status: 400, 403, 404, 405, 414, 426, 431 or 505
   */
  receive(chunk: Buffer): WebSocketUpgrade | undefined {
    return this.#state.receive(chunk, () => this.#readRequest());
  }

  #readRequest(): WebSocketUpgrade | undefined {
    const bytes = this.#state.queue.peek();
    const line = this.#head.readStartLine(bytes);
    if (line === undefined) return undefined;
    const [, method, target = '', major, minor] = requestLine.exec(line) ?? [];
    if (method === undefined || !isToken(method))
      throw this.#head.malformed('bad-request-line', 'the request line cannot be read');
    if (major !== '1')
      throw refuseUpgrade(505, 'bad-version', `the client speaks HTTP/${major ?? ''}.${minor ?? ''}`);
    const head = this.#head.readHeaders(bytes);
    if (!head) return undefined;
    const { headers, headBytes } = head;
    this.#checkTarget(target);
    if (method !== 'GET')
      throw refuseUpgrade(405, 'bad-method', `a WebSocket begins with GET, not ${method.slice(0, 20)}`);
    this.#checkHeaders(headers, minor === '1');
    const key = readKey(headers);
    this.#checkOrigin(headers);
    const protocol = this.#chooseProtocol(headers);
    this.#state.queue.drop(headBytes);
    const authorizations = findHeaders(headers, 'authorization');
    return {
      key,
      protocol,
      extensions: findHeaders(headers, 'sec-websocket-extensions').join(', '),
      credentials: authorizations.length === 1 ? decodeBasic(authorizations[0] ?? '') : undefined,
      rest: this.#state.finish(),
    };
  }

  /** In origin-form, or in absolute-form, which a server has to take too (RFC 9112, 3.2.2). */
  #checkTarget(target: string): void {
    const asked = target.replace(/^(?:https?|wss?):\/\/[^/?]*/i, '');
    const whole = asked.startsWith('/') ? asked : `/${asked}`;
    const { path } = this.#rules;
    if (whole === path || (!path.includes('?') && whole.split('?', 1)[0] === path)) return;
    throw refuseUpgrade(404, 'bad-path', `the client asks for ${JSON.stringify(target.slice(0, 100))}`);
  }

  /** RFC 9112, 3.2: one Host. A body would be mistaken for frames, and is refused. */
  #checkHeaders(headers: readonly HttpHeader[], isHttp11: boolean): void {
    if (findHeaders(headers, 'host').length !== 1)
      throw this.#head.malformed('bad-host-header', 'the request does not have exactly one Host field');
    const hasBody =
      findHeaders(headers, 'transfer-encoding').length > 0 ||
      findHeaders(headers, 'content-length').some((length) => length !== '0');
    if (hasBody) throw this.#head.malformed('has-body', 'the request of a WebSocket has no body');
    const isUpgrade =
      isHttp11 &&
      listsOption(headers, 'upgrade', 'websocket') &&
      listsOption(headers, 'connection', 'upgrade');
    if (!isUpgrade)
      throw refuseUpgrade(426, 'no-upgrade', 'the client speaks plain HTTP and asks for no WebSocket');
    const versions = findHeaders(headers, 'sec-websocket-version');
    if (versions.length !== 1 || versions[0] !== webSocketVersion)
      throw refuseUpgrade(426, 'bad-websocket-version', 'the client speaks another version of WebSocket');
  }

  #checkOrigin(headers: readonly HttpHeader[]): void {
    const origins = findHeaders(headers, 'origin');
    if (origins.length === 0) return;
    const allowed = this.#rules.origins ?? [];
    const isAllowed = (origin: string) => allowed.some((one) => one === '*' || isSame(one, origin));
    if (origins.length === 1 && origins.every(isAllowed)) return;
    const shown = JSON.stringify(origins.join(', ').slice(0, 100));
    throw refuseUpgrade(403, 'bad-origin', `a page of ${shown} may not connect without --ws-origin`);
  }

  /** The first of the server's own that the client offers. */
  #chooseProtocol(headers: readonly HttpHeader[]): string | undefined {
    const { protocols } = this.#rules;
    if (!protocols) return undefined;
    const offered = findHeaders(headers, 'sec-websocket-protocol')
      .flatMap((value) => value.split(','))
      .map((name) => name.trim());
    const chosen = protocols.find((name) => offered.includes(name));
    if (chosen !== undefined) return chosen;
    const message = `the client does not offer the sub-protocol ${protocols.join(' or ')}`;
    throw refuseUpgrade(400, 'bad-protocol', message);
  }
}

function readKey(headers: readonly HttpHeader[]): string {
  const [key = '', ...others] = findHeaders(headers, 'sec-websocket-key');
  if (keyForm.test(key) && others.length === 0) return key;
  throw refuseUpgrade(400, 'bad-key', 'the request has no valid Sec-WebSocket-Key');
}

/** Hosts and schemes are the same in any case. */
function isSame(allowed: string, origin: string): boolean {
  return allowed.toLowerCase().replace(/\/$/, '') === origin.toLowerCase();
}
