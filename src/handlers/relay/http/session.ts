import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import { startRelay } from '../../../flow/relay.ts';
import { guarded } from '../../../net/guard.ts';
import { Socket } from '../../../net/index.ts';
import {
  decodeAuthority,
  HEADER_COUNT_LIMIT,
  START_LINE_LIMIT_BYTES,
} from '../../../protocol/http-connect/head.ts';
import { statusForErrorCode } from '../../../protocol/http-connect/server.ts';
import { fieldValues, toPairs } from '../../../protocol/http-forward/fields.ts';
import { overLimit, refusal, violation } from '../../../protocol/protocol-error.ts';
import { errorCode, formatLimit, TnetError } from '../../../errors.ts';
import { formatHostPort } from '../../../address/endpoint.ts';
import { formatLocal, resetConnection, type Connection } from '../../../net/connection.ts';
import type { Greeted } from '../../../serve/service.ts';
import { connectNamed } from '../request.ts';
import { exchange, type Refusal, type RequestClient } from './exchange.ts';
import { keepAliveMs, type HttpFrontOptions } from './options.ts';
import { createInnerEnd, type InnerEnd } from './inner-end.ts';

interface Waiting {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** How long a client that has its last answer may take to end the connection, in milliseconds. */
const lingerMs = 1_000;

/** An HTTP client's connection, from its first request to its last. Requests are served one after the other. */
export class HttpSession implements RequestClient {
  readonly end: InnerEnd = createInnerEnd();
  readonly options: HttpFrontOptions;
  readonly #greeted: Greeted;
  readonly #over = new AbortController();
  /** Something was asked for that could not be served. */
  hasFailed = false;
  /** The target whose answer broke off. */
  brokenTarget: string | undefined;
  readonly #waiting: Waiting[] = [];
  #current: Waiting | 'tunnel' | undefined;
  #isLast = false;
  #timer: NodeJS.Timeout | undefined;
  #breakOff: (() => void) | undefined;

  constructor(greeted: Greeted, options: HttpFrontOptions) {
    this.#greeted = greeted;
    this.options = options;
    const { inner } = this.end;
    this.#await(options.headMs, () => {
      const message = `the client did not say what it wants within ${formatLimit(options.headMs)}`;
      this.#answer({ status: 408, error: new TnetError('TNET_E_TIMEOUT', message) });
    });
    inner.once(
      'close',
      guarded(() => {
        clearTimeout(this.#timer);
        this.#over.abort();
      }),
    );
    // A client that does not end its side keeps nothing but the connection.
    inner.once(
      'finish',
      guarded(() => this.#linger()),
    );
    inner.once('end', () => {
      this.#isLast = true;
    });
  }

  /** Every request has been answered, and the connection ended by us in order. */
  get isDone(): boolean {
    return this.#current === undefined && this.end.inner.writableFinished;
  }

  get remote(): string {
    return this.#greeted.entry.remote;
  }

  get isEnding(): boolean {
    return this.#isLast && this.#waiting.length === 0;
  }

  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** The relay between the client and this session runs. */
  begin(): void {
    const { entry } = this.#greeted;
    this.#breakOff = entry.breakOff;
    entry.breakOff = () => (this.#current ? this.#breakOff?.() : this.#finish());
    entry.endsInOrder = this.#current === undefined;
  }

  /** Ends the connection after the answers that are under way. */
  drain(): void {
    this.#isLast = true;
    const { response } = typeof this.#current === 'object' ? this.#current : {};
    if (response && !response.headersSent) response.shouldKeepAlive = false;
    if (!this.#current) this.#finish();
  }

  readonly onRequest = guarded((request: IncomingMessage, response: ServerResponse) => {
    clearTimeout(this.#timer);
    this.#waiting.push({ request, response });
    this.#next();
  });

  #next(): void {
    if (this.#current) {
      // What follows it has been read: the current one is complete.
      this.end.hold(this.#waiting.length > 0);
      return;
    }
    const next = this.#waiting.shift();
    this.end.hold(this.#waiting.length > 0);
    if (next) {
      this.#set(next);
      void this.#greeted.guard.run(() => this.#serve(next));
    } else if (this.#isLast) this.#finish();
    else this.#await(keepAliveMs, () => this.#finish());
  }

  #set(current: Waiting | 'tunnel' | undefined): void {
    this.#current = current;
    this.#greeted.entry.endsInOrder = current === undefined;
  }

  async #serve({ request, response }: Waiting): Promise<void> {
    response.sendDate = false;
    const over = new Promise<void>((resolve) => {
      response.once('close', resolve);
      this.end.inner.once('close', resolve);
    });
    if (!this.end.inner.destroyed && !(await this.#refuse(request, response)))
      exchange(request, response, this);
    await over;
    if (!response.writableFinished || !response.shouldKeepAlive) {
      this.#isLast = true;
      this.#waiting.splice(0);
    }
    this.#set(undefined);
    this.#next();
  }

  /** Refuses what is too long, and whoever has not authenticated. */
  async #refuse(request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const { url = '', rawHeaders, method = '' } = request;
    const fields = rawHeaders.length / 2;
    if (url.length > START_LINE_LIMIT_BYTES)
      this.refuse(request, response, {
        status: 414,
        error: overLimit('http', 'long-target', 'the target is too long'),
      });
    else if (fields > HEADER_COUNT_LIMIT)
      this.refuse(request, response, {
        status: 431,
        error: overLimit(
          'http',
          'too-many-headers',
          `the request has more than ${HEADER_COUNT_LIMIT} header fields`,
        ),
      });
    else {
      const denial = await this.#judge(method, url, rawHeaders);
      if (!denial) return false;
      this.refuse(request, response, denial);
    }
    return true;
  }

  /** Why the client may not ask, and how it can authenticate; undefined: it may. */
  async #judge(method: string, url: string, rawHeaders: readonly string[]): Promise<Refusal | undefined> {
    const { gate } = this.options;
    if (!gate) return undefined;
    const path = /^http:\/\/[^/?]*(.*)$/i.exec(url)?.[1];
    const uris = path === undefined ? [url] : [url, path === '' ? '/' : path];
    const values = fieldValues(rawHeaders, 'proxy-authorization');
    const denial = await gate.judge({
      method,
      uris,
      values,
      client: this.#greeted.client.remoteAddress ?? '',
    });
    if (!denial) return undefined;
    const error = refusal('http', 'bad-credentials', denial.message, { status: 407 });
    const headers = denial.challenges.flatMap((challenge) => ['Proxy-Authenticate', challenge]);
    return { status: 407, error, headers, isQuiet: denial.isAsking };
  }

  refuse(
    request: IncomingMessage,
    response: ServerResponse,
    { status, error, subject, headers = [], isQuiet }: Refusal,
  ): void {
    this.#report({ status, error, subject, isQuiet });
    if (response.headersSent || response.destroyed) return;
    // What is still to come of a body is not waited for.
    if (!request.complete || this.isEnding) response.shouldKeepAlive = false;
    const text = `${status} ${STATUS_CODES[status] ?? ''}\n`;
    const own = ['Content-Type', 'text/plain', 'Content-Length', String(text.length)];
    response.writeHead(status, [...headers, ...own]).end(text);
  }

  #report({ status, error, subject = this.remote, isQuiet = false }: Refusal): void {
    const { host } = this.options;
    if (isQuiet) return;
    this.hasFailed = true;
    if (errorCode(error) === 'TNET_E_DENIED') host.ledger.refuse('target not allowed');
    else if (status === 407) host.ledger.refuse('handshake');
    if (!host.signal.aborted) host.fail(subject, error, this.#greeted.entry.id);
  }

  breakOff(error: Error, subject: string): void {
    this.brokenTarget ??= subject;
    this.end.breakOff(error);
  }

  /** CONNECT on a connection that has made other requests. */
  readonly onConnect = guarded((request: IncomingMessage, head: Buffer) => {
    clearTimeout(this.#timer);
    const { inner } = this.end;
    if (this.#current || this.#isLast) return void inner.destroy();
    this.#set('tunnel');
    if (head.length > 0) inner.unshift(head);
    void this.#greeted.guard.run(() => this.#tunnel(request));
  });

  async #tunnel({ url = '', rawHeaders }: IncomingMessage): Promise<void> {
    const { inner } = this.end;
    const target = decodeAuthority(url);
    const denial = await this.#judge('CONNECT', url, rawHeaders);
    if (denial) {
      this.#answer(denial);
      return;
    }
    if (!target) {
      const error = violation('http', 'bad-target', 'the target of CONNECT is not host:port');
      this.#answer({ status: 400, error });
      return;
    }
    let socket;
    try {
      socket = await this.connect(target);
    } catch (error) {
      const subject = formatHostPort(target.host, target.port);
      this.#answer({ status: statusForErrorCode(errorCode(error)), error: error as Error, subject });
      return;
    }
    if (inner.destroyed) return void resetConnection(socket);
    inner.write('HTTP/1.1 200 Connection established\r\n\r\n');
    const { broken, error = createBreak() } = await startRelay({ client: inner, target: socket }).ended;
    if (broken === 'target') this.breakOff(error, this.#greeted.entry.target ?? '');
    if (broken === 'client') await resetConnection(socket);
    else socket.destroy();
  }

  /** Connects to what is asked for, and reports it. @throws as connectNamed() does */
  async connect(target: { readonly host: string; readonly port: number }): Promise<Connection> {
    const { requests, createHead, host } = this.options;
    const { client, greeting, listener, entry, guard } = this.#greeted;
    const head = client instanceof Socket ? createHead?.(client, greeting) : undefined;
    const socket = await connectNamed(target, requests, { head, listener });
    guard.watch(socket);
    socket.on('error', () => undefined);
    entry.target = formatHostPort(target.host, target.port);
    if (host.hears?.('connected') !== false) {
      const { id, target: remote } = entry;
      host.emit({ event: 'connected', id, local: formatLocal(socket, remote), remote });
    }
    return socket;
  }

  /** What the client sent is not HTTP, or more than a limit. */
  readonly onError = guarded((error: Error) => {
    const { inner } = this.end;
    if (inner.destroyed) return;
    if (inner.writableEnded || errorCode(error) === 'ECONNRESET') return void inner.destroy(error);
    const isLong = errorCode(error) === 'HPE_HEADER_OVERFLOW';
    const sentence = isLong
      ? 'the head of the request is too long'
      : `the request cannot be read: ${error.message.replace(/^Parse Error: /, '')}`;
    const found = isLong
      ? overLimit('http', 'long-head', sentence)
      : violation('http', 'bad-request', sentence);
    if (this.#current) {
      this.breakOff(found, this.remote);
      return;
    }
    this.options.host.ledger.refuse('handshake');
    const { rawPacket } = error as { rawPacket?: Buffer };
    const line = rawPacket?.indexOf('\n') ?? -1;
    const isLongLine = line < 0 || line > START_LINE_LIMIT_BYTES;
    this.#answer({ status: isLong ? (isLongLine ? 414 : 431) : 400, error: found });
  });

  /** Writes an answer where the server has no response for it, and ends the connection. */
  #answer({ status, headers = [], ...refusal }: Refusal): void {
    this.#isLast = true;
    this.#report({ status, ...refusal });
    const text = `${status} ${STATUS_CODES[status] ?? ''}\n`;
    const own = ['Content-Type: text/plain', `Content-Length: ${text.length}`, 'Connection: close'];
    const start = `HTTP/1.1 ${text.trimEnd()}`;
    const lines = toPairs(headers).map((pair) => pair.join(': '));
    this.end.inner.end([start, ...lines, ...own, '', text].join('\r\n'));
    this.#set(undefined);
  }

  /** Waits for the next request. */
  #await(ms: number, giveUp: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(guarded(giveUp), ms);
  }

  #finish(): void {
    this.#isLast = true;
    // Then it lingers already.
    if (this.end.inner.writableEnded) return;
    clearTimeout(this.#timer);
    this.end.inner.end();
  }

  #linger(): void {
    clearTimeout(this.#timer);
    if (this.#current === 'tunnel') return;
    this.#timer = setTimeout(
      guarded(() => this.end.outer.destroy()),
      lingerMs,
    );
    this.end.inner.resume();
  }
}

function createBreak(): Error {
  return Object.assign(new Error('the connection was broken off'), { code: 'ECONNRESET' });
}
