import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { AccessList } from '../access/access-list.ts';
import { formatEndpoint, type Endpoint } from '../address/endpoint.ts';
import { breakConnection, formatRemote } from '../net/connection.ts';
import type { Socket } from '../net/index.ts';
import { formatListener, serve } from '../serve/serve.ts';
import { readBody } from './admission.ts';
import type { Control } from './control.ts';
import type { ControlAnswer } from './request.ts';

export interface ControlServerOptions {
  readonly control: Control;
  /** Judges clients by their address. Default: any may come. */
  readonly access?: AccessList | undefined;
  /** How long the first lines of a request may take, in milliseconds. Default 10000. */
  readonly headersMs?: number;
  /** Called for a client that is turned away. */
  readonly refused: (remote: string, reason: string) => void;
  /** Reports a failure: its subject and its error. */
  readonly fail: (subject: string, error: unknown) => void;
}

/** A bound control address. */
export interface ControlServer {
  /** What has been bound, as it is reported. */
  readonly address: string;
  /** Accepts no more, and ends every connection, as soon as it has its answer. May be called again. */
  readonly close: () => Promise<void>;
}

/** How many clients there can be at a time; the others wait. */
const mostClients = 128;

/** Requests come whole within these times, and answers are taken, or the client is cut off. */
const limits = {
  requestTimeout: 30_000,
  // A client that keeps a connection for its next request, and is late, would find it reset.
  keepAliveTimeout: 60_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 16 * 1024,
};
const silentMs = 60_000;
/** How long answers may go on when the address is closed. */
const closingMs = 500;
/** How much of a body that is too long is read, so that the client sees the answer. */
const mostDiscarded = 16 * 1024 * 1024;

const commonHeaders = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

/**
 * Binds a control address and answers its requests. A Unix socket is for this user only, from the moment that it is
 * there.
 *
 * @returns bound; the caller closes it
 * @throws as serve() does
 */
export async function serveControl(
  endpoint: Endpoint,
  { control, access, headersMs = 10_000, refused, fail }: ControlServerOptions,
): Promise<ControlServer> {
  const http = createServer({ ...limits, headersTimeout: headersMs });
  http.setTimeout(silentMs);
  http.on('request', (request, response) => void answer(control, request, response));
  // A body that is not wanted is not asked for.
  http.on('checkContinue', (request, response) => void answer(control, request, response, true));
  // It does not listen itself; with this it watches its time limits.
  http.emit('listening');
  const clients = new Set<Socket>();
  const onConnection = (client: Socket) => {
    const denial = access?.judge(client.remoteAddress);
    if (denial === undefined) {
      clients.add(client);
      client.once('close', () => {
        clients.delete(client);
        if (clients.size === 0) http.emit('idle');
      });
      http.emit('connection', client);
      return;
    }
    refused(formatRemote(client, formatEndpoint(endpoint)), denial);
    client.on('error', () => undefined);
    breakConnection(client);
  };
  const mode = endpoint.kind === 'unix' && !endpoint.path.startsWith('\0') ? 0o600 : undefined;
  const server = await serve(endpoint, { mode, onConnection });
  server.maxConnections = mostClients;
  const address = formatListener(server, endpoint);
  for (const event of ['error', 'exhausted']) server.on(event, (error) => fail(address, error));
  let closing: Promise<void> | undefined;
  const close = async () => {
    server.close();
    // What is being answered is answered to its end.
    http.close();
    const isOver = clients.size === 0 ? Promise.resolve() : once(http, 'idle');
    const limit = new AbortController();
    await Promise.race([isOver, delay(closingMs, undefined, { signal: limit.signal })]);
    limit.abort();
    http.closeAllConnections();
  };
  return { address, close: () => (closing ??= close()) };
}

async function answer(
  control: Control,
  request: IncomingMessage,
  response: ServerResponse,
  expects = false,
): Promise<void> {
  const { method = '', url: target = '', headers } = request;
  let isComing = !expects;
  const readText = () => {
    if (expects) response.writeContinue();
    isComing = true;
    return readBody(bodyOf(request));
  };
  const given = await control.answer({ method, target, headers }, readText);
  if (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0) {
    // A client that is still sending may be reset before it reads the answer.
    if (isComing) await discard(request);
    if (!request.complete) response.setHeader('connection', 'close');
  }
  send(given, response, method === 'HEAD');
}

/** The request stays usable when reading ends early. */
function bodyOf(request: IncomingMessage): AsyncIterable<Buffer> {
  return request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
}

/** Reads what is left of a body, within limits. */
async function discard(request: IncomingMessage): Promise<void> {
  let bytes = 0;
  try {
    for await (const chunk of bodyOf(request)) {
      bytes += chunk.length;
      if (bytes > mostDiscarded) return;
    }
  } catch {
    // The client is gone.
  }
}

function send({ status, headers, body }: ControlAnswer, response: ServerResponse, isHead: boolean): void {
  if (body instanceof Readable) {
    // Its reader may have left while it was made.
    if (response.closed) return void body.destroy();
    // It may be long, and then there is nothing to keep the connection for.
    response.writeHead(status, { ...commonHeaders, connection: 'close', ...headers });
    response.on('close', () => body.destroy());
    // A body that does not come to its end must not look complete.
    body.on('error', () => response.destroy());
    body.on('close', () => {
      if (!body.readableEnded) response.destroy();
    });
    if (isHead) response.end();
    else body.pipe(response);
    return;
  }
  const isJson = typeof body === 'object';
  const text = isJson ? `${JSON.stringify(body)}\n` : (body ?? '');
  response.writeHead(status, {
    ...commonHeaders,
    ...(isJson && { 'content-type': 'application/json' }),
    'content-length': Buffer.byteLength(text),
    ...headers,
  });
  response.end(isHead ? undefined : text);
}

/** The URL of a control address; a path, for a Unix socket. */
export function formatControlUrl(address: string): string {
  return /:\d+$/.test(address) ? `http://${address}/` : address;
}
