import { randomBytes } from 'node:crypto';
import { HandshakeState } from '../handshake-state.ts';
import { overLimit, refusal, type ProtocolError } from '../protocol-error.ts';
import { findHeaders, HeadReader, listsOption, type HttpHeader } from '../http-connect/head.ts';
import { INTERIM_LIMIT } from '../http-connect/client.ts';
import { answerKey, encodeHead, webSocketVersion } from './handshake.ts';
import type { HeaderField } from '../../address/header-field.ts';

/** What a client asks for. */
export interface WebSocketRequest {
  /** The Host field: the host, and the port unless it is the scheme's own. */
  readonly authority: string;
  /** Begins with a slash and includes the query. */
  readonly path: string;
  /** Sub-protocols to offer, the preferred first. Default: none. */
  readonly protocols?: readonly string[] | undefined;
  /** The value of Sec-WebSocket-Extensions. Default: none are offered. */
  readonly extensions?: string | undefined;
  /** Further fields, read by parseHeaderField(). */
  readonly headers?: readonly HeaderField[] | undefined;
  /** Makes the key. Default: 16 random bytes in base64. */
  readonly createKey?: (() => string) | undefined;
}

/** What the server has agreed to. */
export interface WebSocketAnswer {
  readonly protocol: string | undefined;
  /** The value of Sec-WebSocket-Extensions, to be checked against the offer; '' when there is none. */
  readonly extensions: string;
  /** Bytes after the answer: the first frames. */
  readonly rest: Buffer;
}

const statusLine = /^HTTP\/1\.[01][ \t]+([1-9]\d\d)(?:[ \t](.*))?$/;
const prefix = Buffer.from('HTTP/1.');
const reasonLimit = 100;

/**
 * The client's side of the opening handshake (RFC 6455, 4.1): send `start()`, and give what arrives to `receive()`
 * until it gives the answer. Keeps at most HEAD_LIMIT_BYTES beside the last chunk.
 */
export class WebSocketClientHandshake {
  readonly #request: WebSocketRequest;
  readonly #key: string;
  readonly #state = new HandshakeState('websocket');
  readonly #head = new HeadReader({}, 'websocket');
  #interimCount = 0;

  constructor(request: WebSocketRequest) {
    this.#request = request;
    this.#key = request.createKey?.() ?? randomBytes(16).toString('base64');
  }

  /** How many bytes of the server are kept for later. */
  get bufferedBytes(): number {
    return this.#state.queue.length;
  }

  /** The request. */
  start(): Buffer {
    const { authority, path, protocols = [], extensions, headers = [] } = this.#request;
    return encodeHead(`GET ${path} HTTP/1.1`, [
      ['Host', authority],
      ['Upgrade', 'websocket'],
      ['Connection', 'Upgrade'],
      ['Sec-WebSocket-Key', this.#key],
      ['Sec-WebSocket-Version', webSocketVersion],
      ...(protocols.length > 0 ? ([['Sec-WebSocket-Protocol', protocols.join(', ')]] as const) : []),
      ...(extensions === undefined ? [] : ([['Sec-WebSocket-Extensions', extensions]] as const)),
      ...headers,
    ]);
  }

  /**
   * Takes a chunk from the server, cut anywhere.
   *
   * @throws ProtocolError TNET_E_PROTOCOL_REFUSED for an answer other than 101 (`status` is the answer's),
   *   TNET_E_PROTOCOL for what is no WebSocket's, TNET_E_PROTOCOL_LIMIT
   */
  receive(chunk: Buffer): WebSocketAnswer | undefined {
    return this.#state.receive(chunk, () => {
      for (;;) {
        const answer = this.#readAnswer();
        if (answer !== 'again') return answer;
      }
    });
  }

  #readAnswer(): WebSocketAnswer | undefined | 'again' {
    const bytes = this.#state.queue.peek();
    const start = bytes.subarray(0, prefix.length);
    if (!start.equals(prefix.subarray(0, start.length)))
      throw this.#head.malformed('not-http', 'the server does not answer in HTTP/1');
    const line = this.#head.readStartLine(bytes);
    if (line === undefined) return undefined;
    const [, digits, phrase = ''] = statusLine.exec(line) ?? [];
    if (digits === undefined)
      throw this.#head.malformed('bad-status-line', "the server's status line cannot be read");
    const head = this.#head.readHeaders(bytes);
    if (!head) return undefined;
    const { headers, headBytes } = head;
    const status = Number(digits);
    if (status !== 101 && status >= 200) throw refuse(status, phrase, headers);
    this.#state.queue.drop(headBytes);
    if (status !== 101) {
      this.#interimCount += 1;
      if (this.#interimCount <= INTERIM_LIMIT) return 'again';
      const message = `the server sent more than ${INTERIM_LIMIT} 1xx responses`;
      throw overLimit('websocket', 'too-many-interim', message);
    }
    const protocol = this.#check(headers);
    const extensions = findHeaders(headers, 'sec-websocket-extensions').join(', ');
    return { protocol, extensions, rest: this.#state.finish() };
  }

  /** The sub-protocol. Source: RFC 6455, 4.1. */
  #check(headers: readonly HttpHeader[]): string | undefined {
    const bad = (message: string) => this.#head.malformed('bad-upgrade', message);
    if (!listsOption(headers, 'upgrade', 'websocket') || !listsOption(headers, 'connection', 'upgrade'))
      throw bad('the server changes to another protocol than WebSocket');
    const answers = findHeaders(headers, 'sec-websocket-accept');
    if (answers.length !== 1 || answers[0] !== answerKey(this.#key))
      throw bad("the server's answer is not one to this request: its Sec-WebSocket-Accept is wrong");
    const [protocol, ...others] = findHeaders(headers, 'sec-websocket-protocol');
    if (others.length > 0 || (protocol !== undefined && !this.#request.protocols?.includes(protocol)))
      throw bad('the server chooses a sub-protocol that was not offered');
    return protocol;
  }
}

function refuse(status: number, phrase: string, headers: readonly HttpHeader[]): ProtocolError {
  const text = `the server answers ${status}${phrase === '' ? '' : ` ${phrase.slice(0, reasonLimit)}`}`;
  const [location] = findHeaders(headers, 'location');
  const more =
    status === 401
      ? ': it requires a user and a password, see --ws-password-file'
      : status >= 300 && status < 400 && location !== undefined
        ? `: the WebSocket may be at ${JSON.stringify(location.slice(0, reasonLimit))}`
        : '';
  return refusal('websocket', 'http-status', `${text}${more}`, { status });
}
