import type http from 'node:http';
import {
  request as sendRequest,
  type ClientRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { formatHostPort } from '../../../address/endpoint.ts';
import { errorCode } from '../../../errors.ts';
import { breakConnection, type Connection } from '../../../net/connection.ts';
import { guarded } from '../../../net/guard.ts';
import { statusForErrorCode } from '../../../protocol/http-connect/server.ts';
import {
  endToEndFields,
  fieldValues,
  findFraming,
  toPairs,
  withHost,
  withVia,
} from '../../../protocol/http-forward/fields.ts';
import { parseHttpTarget, type HttpTarget } from '../../../protocol/http-forward/target.ts';
import { overLimit, violation } from '../../../protocol/protocol-error.ts';
import type { HttpFrontOptions } from './options.ts';

/** The connection of a client that makes requests. */
export interface RequestClient {
  readonly options: HttpFrontOptions;
  /** The client as it is reported. */
  readonly remote: string;
  /** Aborts when the connection is over. */
  readonly over: AbortSignal;
  /** The connection ends with the answer that is under way. */
  readonly isEnding: boolean;
  /** Connects to a target, and reports it. */
  connect(target: { readonly host: string; readonly port: number }): Promise<Connection>;
  /** Reports why a request is not served, and tells the client in a line as long as it has no answer. */
  refuse(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void;
  /** Breaks the connection off in the middle of an answer. */
  breakOff(error: Error, subject: string): void;
  /** Takes no further request. */
  drain(): void;
}

export interface Refusal {
  readonly status: number;
  readonly error: Error;
  /** What the error is about. Default: the client. */
  readonly subject?: string;
  /** Fields of the answer: name, value, name, value, … */
  readonly headers?: readonly string[];
  /** It is an ordinary step of authentication, and not reported. Default false. */
  readonly isQuiet?: boolean;
}

/** The longest head of an answer. */
const answerHeadLimitBytes = 64 * 1024;

/** Methods whose requests have a body only if they say so. */
const bodiless = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE']);

/**
 * Serves one request: connects to its target, passes it on, and passes the answer back as it comes. Each request has a
 * connection of its own to its target: one that is kept may just be closed by the target when the next request goes out,
 * and not every request may be sent twice. An answer that breaks off breaks off the client's connection.
 */
export function exchange(request: IncomingMessage, response: ServerResponse, client: RequestClient): void {
  const { url = '', method = 'GET', rawHeaders } = request;
  const refuse = (status: number, error: Error, headers: readonly string[] = []) =>
    client.refuse(request, response, { status, error, headers });
  const { maxBodyBytes } = client.options;
  const target = parseHttpTarget(url, method);
  const framing = findFraming(rawHeaders);
  if (!target) {
    const sentence = 'the target of the request is not http://HOST/PATH, as a proxy is asked for it';
    return refuse(400, violation('http', 'bad-target', sentence));
  }
  const hosts = fieldValues(rawHeaders, 'host').length;
  if (hosts > 1 || (hosts === 0 && request.httpVersion !== '1.0'))
    return refuse(400, violation('http', 'bad-host', 'the request does not have exactly one Host field'));
  if (method === 'TRACE')
    return refuse(405, violation('http', 'bad-method', 'TRACE is not supported'), allow);
  if (framing === 'unknown')
    return refuse(501, violation('http', 'bad-coding', 'the request has an unknown transfer coding'));
  const length = Number(fieldValues(rawHeaders, 'content-length')[0] ?? 0);
  if (maxBodyBytes !== undefined && length > maxBodyBytes) return refuse(413, tooLarge(maxBodyBytes));
  void new Exchange(request, response, client, target).run();
}

const allow = ['Allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, CONNECT'];

function tooLarge(limitBytes: number): Error {
  return overLimit('http', 'large-body', `the body of the request has more than ${limitBytes} bytes`);
}

class Exchange {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #client: RequestClient;
  readonly #target: HttpTarget;
  readonly #name: string;
  #socket: Connection | undefined;
  #isOver = false;

  constructor(request: IncomingMessage, response: ServerResponse, client: RequestClient, target: HttpTarget) {
    this.#request = request;
    this.#response = response;
    this.#client = client;
    this.#target = target;
    this.#name = formatHostPort(target.host, target.port);
    response.once(
      'close',
      guarded(() => this.#onClose()),
    );
    client.over.addEventListener(
      'abort',
      guarded(() => this.#onClose()),
      { once: true },
    );
    request.on('error', () => undefined);
  }

  async run(): Promise<void> {
    try {
      this.#socket = await this.#client.connect(this.#target);
      // The client has left meanwhile.
      if (this.#isOver) breakConnection(this.#socket);
      else this.#send(this.#socket);
    } catch (error) {
      this.#fail(error as Error, statusForErrorCode(errorCode(error)));
    }
  }

  #send(socket: Connection): void {
    const upstream = sendRequest({
      ...{ method: this.#request.method, path: this.#target.path, host: this.#target.host },
      ...{ headers: this.#createFields(), setHost: false, maxHeaderSize: answerHeadLimitBytes },
      createConnection: () => socket,
    });
    upstream.maxHeadersCount = 0;
    upstream.on(
      'error',
      guarded((error: Error) => this.#fail(explain(error), 502)),
    );
    upstream.on(
      'information',
      guarded((info: http.InformationEvent) => this.#inform(info)),
    );
    upstream.on(
      'response',
      guarded((answer: IncomingMessage) => this.#answer(answer)),
    );
    upstream.flushHeaders();
    this.#sendBody(upstream);
  }

  #createFields(): string[] {
    const { rawHeaders, httpVersion, method = '' } = this.#request;
    const framing = findFraming(rawHeaders);
    const ends = {
      length: [],
      chunked: ['Transfer-Encoding', 'chunked'],
      none: bodiless.has(method) ? [] : ['Content-Length', '0'],
      unknown: [],
    };
    const fields = withVia(withHost(endToEndFields(rawHeaders), this.#target.authority), httpVersion);
    return [...fields, ...ends[framing], 'Connection', 'close'];
  }

  #sendBody(upstream: ClientRequest): void {
    const request = this.#request;
    const { maxBodyBytes = Infinity } = this.#client.options;
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxBodyBytes) return;
      this.#cutRequest(upstream);
      this.#fail(tooLarge(maxBodyBytes), 413, this.#client.remote);
    });
    request.pipe(upstream, { end: false });
    request.once(
      'end',
      guarded(() => {
        if (this.#isOver) return;
        if (request.rawTrailers.length > 0) upstream.addTrailers(toPairs(request.rawTrailers));
        upstream.end();
      }),
    );
  }

  /** The target must not take what it has got for the whole request. */
  #cutRequest(upstream: ClientRequest): void {
    this.#request.unpipe(upstream);
    if (this.#socket) breakConnection(this.#socket);
  }

  /** Passes on what comes before the answer. Nothing of it is known to HTTP/1.0. */
  #inform({ statusCode: status, rawHeaders }: http.InformationEvent): void {
    if (this.#isOver || this.#request.httpVersion === '1.0') return;
    if (status === 100) this.#response.writeContinue();
    else if (status === 102) this.#response.writeProcessing();
    else if (status === 103) {
      try {
        this.#response.writeEarlyHints({ link: fieldValues(rawHeaders, 'link') });
      } catch {
        // Node writes only links that it can read; they are hints.
      }
    }
  }

  #answer(answer: IncomingMessage): void {
    if (this.#isOver) return void answer.resume();
    const { rawHeaders, httpVersion, statusCode = 502, statusMessage = '' } = answer;
    if (findFraming(rawHeaders) === 'unknown')
      return this.#fail(violation('http', 'bad-coding', 'the answer has an unknown transfer coding'), 502);
    const response = this.#response;
    if (statusCode < 200)
      return this.#fail(violation('http', 'bad-answer', 'the target changes the protocol unasked'), 502);
    const fields = withVia(endToEndFields(rawHeaders), httpVersion);
    if (this.#client.isEnding) response.shouldKeepAlive = false;
    try {
      response.writeHead(statusCode, statusMessage, fields);
    } catch (error) {
      return this.#fail(violation('http', 'bad-answer', (error as Error).message), 502);
    }
    response.flushHeaders();
    answer.on(
      'error',
      guarded((error: Error) => this.#fail(error, 502)),
    );
    answer.pipe(response, { end: false });
    answer.once(
      'end',
      guarded(() => {
        if (this.#isOver) return;
        if (!answer.complete) {
          this.#fail(createBreak(), 502);
          return;
        }
        if (answer.rawTrailers.length > 0) response.addTrailers(toPairs(answer.rawTrailers));
        // What is still to come of the body belongs to no next request.
        if (!this.#request.complete) this.#client.drain();
        response.end();
      }),
    );
  }

  /** @param status what the client is told, as long as it has not been given an answer yet */
  #fail(error: Error, status: number, subject = this.#name): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const response = this.#response;
    if (response.headersSent) {
      this.#client.breakOff(error, subject);
    } else this.#client.refuse(this.#request, response, { status, error, subject });
    if (this.#socket) breakConnection(this.#socket);
  }

  /** The answer has been given, or the client has left. */
  #onClose(): void {
    const isCut = !this.#response.writableFinished;
    if (this.#isOver && !isCut) return;
    this.#isOver = true;
    if (!this.#socket) return;
    // The request may not be complete, and the target must not think so.
    if (isCut) breakConnection(this.#socket);
    else this.#socket.destroy();
  }
}

function createBreak(): Error {
  return Object.assign(new Error('the answer ended before it was complete'), { code: 'ECONNRESET' });
}

function explain(error: Error): Error {
  const code = errorCode(error) ?? '';
  if (!code.startsWith('HPE_')) return error;
  const message = `the answer of the target is not HTTP: ${error.message.replace(/^Parse Error: /, '')}`;
  return violation('http', 'bad-answer', message);
}
