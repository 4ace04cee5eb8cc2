import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import nodeNet from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { Server, Socket, type ServerOptions, type SocketOptions } from '../../../src/net/index.ts';

export type Transport = 'tcp4' | 'tcp6' | 'unix';

/** TCP6 counts only where the loopback has ::1; a container without IPv6 has none. */
export const hasIpv6 = Object.values(networkInterfaces()).some((list) =>
  list?.some((entry) => entry.address === '::1'),
);

export const transports: readonly Transport[] = hasIpv6 ? ['tcp4', 'tcp6', 'unix'] : ['tcp4', 'unix'];

/** An empty directory, removed after the test. */
export function tempDir(t: ExecutionContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'tnet-'));
  t.teardown(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Listens on a free address of the transport, and closes the server with all its connections after the test. */
export async function listen<T extends nodeNet.Server>(
  t: ExecutionContext,
  server: T,
  transport: Transport = 'tcp4',
): Promise<T> {
  closeAfter(t, server);
  if (transport === 'unix') server.listen(join(tempDir(t), 'socket'));
  else server.listen(0, transport === 'tcp4' ? '127.0.0.1' : '::1');
  await once(server, 'listening');
  return server;
}

/** Closes the server and whatever it accepted, after the test. */
export function closeAfter(t: ExecutionContext, server: nodeNet.Server): void {
  const accepted = new Set<nodeNet.Socket>();
  server.on('connection', (socket: nodeNet.Socket) => {
    accepted.add(socket);
    socket.once('close', () => accepted.delete(socket));
  });
  t.teardown(() => {
    server.close();
    for (const socket of accepted) socket.destroy();
  });
}

/** What connect() takes to reach the server. */
export function targetOf(server: nodeNet.Server): { path: string } | { port: number; host: string } {
  const address = server.address();
  if (typeof address === 'string') return { path: address };
  return { port: address!.port, host: address!.family === 'IPv6' ? '::1' : '127.0.0.1' };
}

export function portOf(server: nodeNet.Server): number {
  return (server.address() as nodeNet.AddressInfo).port;
}

export interface Pair {
  readonly server: Server;
  readonly accepted: Socket;
  readonly client: Socket;
}

/** A connected pair over real sockets; both are destroyed after the test, and stray errors do not crash it. */
export async function connectPair(
  t: ExecutionContext,
  transport: Transport,
  {
    serverOptions = {},
    clientOptions = {},
  }: { serverOptions?: ServerOptions; clientOptions?: SocketOptions } = {},
): Promise<Pair> {
  const server = await listen(t, new Server(serverOptions), transport);
  const client = new Socket(clientOptions);
  t.teardown(() => client.destroy());
  const connection = once(server, 'connection') as Promise<[Socket]>;
  client.connect(targetOf(server));
  const [[accepted]] = await Promise.all([connection, once(client, 'connect')]);
  for (const socket of [accepted, client]) socket.on('error', () => undefined);
  return { server, accepted, client };
}

/** The events that tell how a socket's life ended, with the bytes it delivered, in order. */
export interface Story {
  readonly events: string[];
  bytes(): Buffer;
  readonly closed: Promise<void>;
}

/** Records 'end', 'error' and 'close' of a socket, and every 'data' once it flows. */
export function record(socket: nodeNet.Socket, { flow = true } = {}): Story {
  const events: string[] = [];
  const chunks: Buffer[] = [];
  socket.on('end', () => events.push('end'));
  socket.on('error', (error: NodeJS.ErrnoException) => events.push(`error ${error.code ?? error.message}`));
  const closed = new Promise<void>((resolve) => {
    socket.once('close', (hadError) => {
      events.push(`close ${String(hadError)}`);
      resolve();
    });
  });
  const onData = (chunk: Buffer) => chunks.push(chunk);
  if (flow) socket.on('data', onData);
  return { events, bytes: () => Buffer.concat(chunks), closed };
}

/** Bytes that differ at every offset that matters: a repeating 251-byte pattern. */
export function pattern(length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let index = 0; index < length; index++) bytes[index] = index % 251;
  return bytes;
}

/** Resolves when the next turn of the event loop has polled for I/O. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Whether this Node can leave a TCP server's connections in the backlog; 24.19 cannot. */
export async function canPark(): Promise<boolean> {
  const server = new Server().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const fields = server as unknown as { _handle: object };
  const before = fields._handle;
  server.pause(1);
  const { _handle } = fields;
  server.close();
  return _handle !== before;
}
