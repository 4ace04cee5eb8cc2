import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { START_LINE_LIMIT_BYTES, HEAD_LIMIT_BYTES } from '../../../protocol/http-connect/head.ts';
import type { Greeted } from '../../../serve/service.ts';
import { keepAliveMs, type HttpFrontOptions } from './options.ts';
import { HttpSession } from './session.ts';

/**
 * Serves HTTP clients that ask for `http://` addresses: Node's server, which does not listen and is given one side of an
 * inner connection for each client.
 */
export class HttpFront {
  readonly options: HttpFrontOptions;
  readonly #server: Server;
  readonly #sessions = new Map<Duplex, HttpSession>();
  #isDraining = false;

  constructor(options: HttpFrontOptions) {
    this.options = options;
    // A bit more than the limit for all fields: a target that is too long has an answer of its own.
    const maxHeaderSize = HEAD_LIMIT_BYTES + START_LINE_LIMIT_BYTES;
    this.#server = createServer({
      ...{ maxHeaderSize, keepAliveTimeout: keepAliveMs, requestTimeout: 0, headersTimeout: 0 },
      requireHostHeader: false,
      highWaterMark: 64 * 1024,
    });
    this.#server.maxHeadersCount = 0;
    // A client that has sent all of its requests may end its side, and waits for the answers.
    (this.#server as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen = true;
    // The server of the target answers `Expect: 100-continue`.
    const onRequest = (request: IncomingMessage, response: ServerResponse) =>
      this.#sessions.get(request.socket)?.onRequest(request, response);
    this.#server.on('request', onRequest).on('checkContinue', onRequest);
    this.#server.on('connect', (request: IncomingMessage, inner: Duplex, head: Buffer) =>
      this.#sessions.get(inner)?.onConnect(request, head),
    );
    this.#server.on('clientError', (error: Error, inner: Duplex) =>
      this.#sessions.get(inner)?.onError(error),
    );
  }

  /** Begins to serve a client. */
  open(greeted: Greeted): HttpSession {
    const session = new HttpSession(greeted, this.options);
    const { inner } = session.end;
    this.#sessions.set(inner, session);
    inner.once('close', () => this.#sessions.delete(inner));
    if (this.#isDraining) session.drain();
    this.#server.emit('connection', inner);
    return session;
  }

  /** No more requests are wanted: connections end when they have been answered. */
  close(): void {
    this.#isDraining = true;
    for (const session of this.#sessions.values()) session.drain();
  }
}
