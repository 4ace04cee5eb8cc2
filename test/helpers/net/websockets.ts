import { once } from 'node:events';
import type { ExecutionContext } from 'ava';
import { WebSocketServer, WebSocket as PackageSocket, type ClientOptions, type ServerOptions } from 'ws';
import { dial } from '../../../src/dial/dial.ts';
import { readClientSettings, type WebSocketValues } from '../../../src/dial/websocket-settings.ts';
import type { Connection } from '../../../src/net/connection.ts';
import { Server, type Socket } from '../../../src/net/index.ts';
import { createWebSocketReader } from '../../../src/serve/greeting/websocket.ts';
import { listen, portOf } from './sockets.ts';

/** A server of the package ws, closed after the test; it takes every client for whom `serve` is called. */
export async function startPackageServer(
  t: ExecutionContext,
  serve: (client: PackageSocket) => void,
  options: ServerOptions = {},
): Promise<number> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, ...options });
  server.on('connection', (client: PackageSocket) => {
    client.on('error', () => undefined);
    serve(client);
  });
  await once(server, 'listening');
  t.teardown(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  return (server.address() as { port: number }).port;
}

/** A client of the package ws, with its messages and how it was closed. */
export interface PackageClient {
  readonly socket: PackageSocket;
  readonly messages: { data: Buffer; isBinary: boolean }[];
  /** Settles with the code and reason of the close frame, 1006 without one. */
  readonly closed: Promise<{ code: number; reason: string }>;
}

export async function openPackageClient(
  t: ExecutionContext,
  address: string,
  options: ClientOptions = {},
  protocols: string[] = [],
): Promise<PackageClient> {
  const socket = new PackageSocket(address, protocols, options);
  t.teardown(() => socket.terminate());
  const messages: PackageClient['messages'] = [];
  socket.on('message', (data: Buffer, isBinary: boolean) => messages.push({ data, isBinary }));
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  await once(socket, 'open');
  socket.on('error', () => undefined);
  return { socket, messages, closed };
}

/** Opens a WebSocket as a stream, destroyed after the test. */
export async function dialWebSocket(
  t: ExecutionContext,
  port: number,
  values: WebSocketValues = {},
): Promise<Connection> {
  const endpoint = { kind: 'ws', isSecure: false, host: '127.0.0.1', port, path: '/' } as const;
  const stream = await dial(endpoint, { webSocket: readClientSettings(values), timeoutMs: 30_000 });
  t.teardown(() => stream.destroy());
  return stream;
}

/** A listener for WebSockets on `/`: its port, and the streams of its clients in their order. */
export interface StreamServer {
  readonly port: number;
  readonly next: () => Promise<Connection>;
}

export async function startStreamServer(
  t: ExecutionContext,
  values: WebSocketValues = {},
): Promise<StreamServer> {
  const server = await listen(
    t,
    new Server({ allowHalfOpen: true, dataBeforeError: true, readOnDemand: true, noDelay: true }),
  );
  const endpoint = { kind: 'ws', isSecure: false, host: '127.0.0.1', port: 0, path: '/' } as const;
  const read = await createWebSocketReader(endpoint, values);
  const streams: Connection[] = [];
  const waiting: ((stream: Connection) => void)[] = [];
  server.on('connection', (client: Socket) => {
    client.on('error', () => undefined);
    void read(client, {}, { limitMs: 10_000 }).then(
      ({ stream }) => {
        t.teardown(() => stream!.destroy());
        const take = waiting.shift();
        if (take) take(stream!);
        else streams.push(stream!);
      },
      (error: unknown) => {
        const { reply } = error as { reply?: Buffer };
        if (reply) client.end(reply);
        else client.destroy();
      },
    );
  });
  return {
    port: portOf(server),
    next: () => {
      const stream = streams.shift();
      return stream ? Promise.resolve(stream) : new Promise((resolve) => waiting.push(resolve));
    },
  };
}

/** Both ends of a WebSocket between two of tnet's streams. */
export async function openStreamPair(
  t: ExecutionContext,
  { client = {}, server = {} }: { readonly client?: WebSocketValues; readonly server?: WebSocketValues } = {},
): Promise<{ readonly client: Connection; readonly server: Connection }> {
  const { port, next } = await startStreamServer(t, server);
  const [one, other] = await Promise.all([dialWebSocket(t, port, client), next()]);
  return { client: one, server: other };
}

/** All bytes up to the end; with the error after them, if there is one. */
export async function readAll(stream: Connection): Promise<{ bytes: Buffer; error: Error | undefined }> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  const error = await new Promise<Error | undefined>((resolve) => {
    stream.once('end', () => resolve(undefined));
    stream.once('error', resolve);
    stream.once('close', () => resolve(stream.errored ?? undefined));
    stream.resume();
  });
  return { bytes: Buffer.concat(chunks), error };
}
