import { HandshakeState } from '../handshake-state.ts';
import { badInput, overLimit, refusal } from '../protocol-error.ts';
import {
  encodeAuthority,
  findHeaders,
  HeadReader,
  isFieldValue,
  isToken,
  listsOption,
  type HttpHeader,
} from './head.ts';
import { ProxyAuthorizer } from './authorizer.ts';
import type { ProxyCredentials } from './credentials.ts';

/** How many 1xx responses may come before the real one. */
export const INTERIM_LIMIT = 16;
/** The longest body of a 407 that is read over to use the connection again; after a longer one a new connection is opened. */
const SKIPPED_BODY_LIMIT_BYTES = 64 * 1024;

/** What an {@link HttpConnectClient} is made with. */
export interface HttpConnectClientOptions {
  /** The target: an address or a name that the proxy resolves. */
  readonly host: string;
  /** 1 to 65535. */
  readonly port: number;
  readonly credentials?: ProxyCredentials;
  /** Send Basic without being asked, saving a round trip to a proxy known to take it. Default `when-asked`. */
  readonly authorization?: 'when-asked' | 'basic-first';
  /** Further header fields, such as `['User-Agent', 'x']`. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** Makes the client's nonce of a Digest answer. Default: 16 random bytes in hex. */
  readonly createNonce?: () => string;
}

/** What a chunk of the proxy led to. All fields absent = more bytes are needed. */
export interface HttpConnectClientStep {
  /** Send this on the same connection. */
  readonly send?: Buffer;
  /** Close this connection, open another one to the proxy and send `start()` there. */
  readonly reconnect?: true;
  /** The tunnel is established. */
  readonly done?: {
    readonly status: number;
    readonly headers: readonly HttpHeader[];
    /** Bytes after the response: the beginning of the stream. */
    readonly rest: Buffer;
  };
}

/** Some proxies write two blanks: RFC 9112 section 3 lets a reader take any white space between the words. */
const statusLine = /^HTTP\/1\.([01])[ \t]+([1-9]\d\d)(?:[ \t](.*))?$/;
const PREFIX = Buffer.from('HTTP/1.');
const REASON_LIMIT = 100;

/**
 * The client's side of CONNECT (RFC 9110 section 9.3.6, RFC 9112), with Basic (RFC 7617) and Digest (RFC 7616): send
 * `start()`, give what arrives to `receive()`, do what it says, until `done`. Keeps at most HEAD_LIMIT_BYTES beside
 * the last chunk.
 */
export class HttpConnectClient {
  readonly #options: HttpConnectClientOptions;
  readonly #authority: string;
  readonly #authorizer: ProxyAuthorizer;
  readonly #state = new HandshakeState('http-connect');
  readonly #head = new HeadReader();
  #interimCount = 0;
  /** Bytes of a 407's body still to be passed over; undefined while a head is awaited. */
  #bodyBytes: number | undefined;

  /** @throws ProtocolError TNET_E_PROTOCOL_INPUT for a host, port, header or Basic credentials that cannot be sent. */
  constructor(options: HttpConnectClientOptions) {
    this.#options = options;
    this.#authority = encodeAuthority(options);
    const { credentials, authorization = 'when-asked', createNonce, headers = [] } = options;
    this.#authorizer = new ProxyAuthorizer(credentials, authorization, createNonce);
    for (const [name, value] of headers) {
      if (isToken(name) && isFieldValue(value)) continue;
      throw badInput('http-connect', 'bad-header', `this header cannot be sent: ${JSON.stringify(name)}`);
    }
  }

  /** How many bytes of the proxy are kept for later. */
  get bufferedBytes(): number {
    return this.#state.queue.length;
  }

  /** The request to send first on a connection. */
  start(): Buffer {
    const authorization = this.#authorizer.authorize('CONNECT', this.#authority);
    const lines = [
      `CONNECT ${this.#authority} HTTP/1.1`,
      `Host: ${this.#authority}`,
      ...(authorization === undefined ? [] : [`Proxy-Authorization: ${authorization}`]),
      ...(this.#options.headers ?? []).map(([name, value]) => `${name}: ${value}`),
    ];
    return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`);
  }

  /**
   * Takes a chunk from the proxy, cut anywhere. After `reconnect` nothing of the old connection may be given to it.
   * @throws ProtocolError TNET_E_PROTOCOL_REFUSED for an answer other than 2xx (`status` is the answer's),
   * TNET_E_PROTOCOL for what is not HTTP/1, TNET_E_PROTOCOL_LIMIT.
   */
  receive(chunk: Buffer): HttpConnectClientStep {
    return this.#state.receive(chunk, () => {
      const sends: Buffer[] = [];
      let step = this.#parse(sends);
      while (step === 'again') step = this.#parse(sends);
      return sends.length > 0 ? { ...step, send: Buffer.concat(sends) } : step;
    });
  }

  #parse(sends: Buffer[]): HttpConnectClientStep | 'again' {
    return this.#bodyBytes === undefined ? this.#readResponse() : this.#skipBody(this.#bodyBytes, sends);
  }

  #readResponse(): HttpConnectClientStep | 'again' {
    const bytes = this.#state.queue.peek();
    const prefix = bytes.subarray(0, PREFIX.length);
    if (!prefix.equals(PREFIX.subarray(0, prefix.length))) {
      throw this.#head.malformed('not-http', 'the proxy does not answer in HTTP/1');
    }
    const line = this.#head.readStartLine(bytes);
    if (line === undefined) return {};
    const [, minor, digits, phrase = ''] = statusLine.exec(line) ?? [];
    if (digits === undefined)
      throw this.#head.malformed('bad-status-line', "the proxy's status line cannot be read");
    const head = this.#head.readHeaders(bytes);
    if (!head) return {};
    this.#state.queue.drop(head.headBytes);
    const status = Number(digits);
    if (status < 200 && status !== 101) return this.#skipInterim();
    if (status >= 200 && status < 300) {
      // RFC 9110 section 9.3.6: Content-Length and Transfer-Encoding of a 2xx to CONNECT mean nothing.
      return { done: { status, headers: head.headers, rest: this.#state.finish() } };
    }
    if (status === 407) return this.#answer407(head.headers, minor === '1');
    const sentence = `the proxy answers ${digits}${phrase === '' ? '' : ` ${phrase.slice(0, REASON_LIMIT)}`}`;
    throw refusal('http-connect', 'http-status', sentence, { status });
  }

  #skipInterim(): 'again' {
    this.#interimCount += 1;
    if (this.#interimCount <= INTERIM_LIMIT) return 'again';
    throw overLimit(
      'http-connect',
      'too-many-interim',
      `the proxy sent more than ${INTERIM_LIMIT} 1xx responses`,
    );
  }

  #answer407(headers: readonly HttpHeader[], isHttp11: boolean): HttpConnectClientStep | 'again' {
    this.#authorizer.receive(findHeaders(headers, 'proxy-authenticate'));
    const lengths = new Set(findHeaders(headers, 'content-length'));
    const [length = ''] = lengths;
    const isPersistent =
      isHttp11 &&
      !listsOption(headers, 'connection', 'close') &&
      !listsOption(headers, 'proxy-connection', 'close');
    const isSized =
      lengths.size === 1 &&
      /^\d{1,9}$/.test(length) &&
      findHeaders(headers, 'transfer-encoding').length === 0;
    if (!isPersistent || !isSized || Number(length) > SKIPPED_BODY_LIMIT_BYTES) {
      this.#state.queue.takeAll();
      return { reconnect: true };
    }
    this.#bodyBytes = Number(length);
    return 'again';
  }

  #skipBody(bodyBytes: number, sends: Buffer[]): HttpConnectClientStep | 'again' {
    const skipped = Math.min(bodyBytes, this.#state.queue.length);
    this.#state.queue.drop(skipped);
    this.#bodyBytes = bodyBytes - skipped;
    if (this.#bodyBytes > 0) return {};
    this.#bodyBytes = undefined;
    sends.push(this.start());
    return 'again';
  }
}
