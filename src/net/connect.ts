import net from 'node:net';
import { Server, type ConnectionListener } from './server.ts';
import type { ServerOptions } from './server-state.ts';
import { SocketClass, type Socket } from './socket.ts';
import type { SocketOptions } from './socket-type.ts';

/** Where to connect and as which kind of socket; see net.connect() in the Node documentation. */
export type ConnectOptions = net.NetConnectOpts & SocketOptions;

const { _normalizeArgs: normalizeArguments } = net as unknown as {
  _normalizeArgs: (args: unknown[]) => [options: ConnectOptions, listener: (() => void) | null];
};

/** Opens a connection and returns its socket at once; 'connect' or 'error' follows. Source: Node doc, net.connect(). */
export function connect(options: ConnectOptions, listener?: () => void): Socket;
export function connect(port: number, host?: string, listener?: () => void): Socket;
export function connect(port: number, listener?: () => void): Socket;
export function connect(path: string, listener?: () => void): Socket;
export function connect(...args: unknown[]): Socket {
  const normalized = normalizeArguments(args);
  const [options] = normalized;
  const socket = new SocketClass(options);
  if (options.timeout) socket.setTimeout(options.timeout);
  // An array that is marked as normalized, which node:net takes but its types do not know.
  return socket.connect(normalized as unknown as net.NetConnectOpts);
}

/** Creates a server; see Server. `listener` is added to its 'connection' event. */
export function createServer(listener?: ConnectionListener): Server;
export function createServer(options?: ServerOptions, listener?: ConnectionListener): Server;
export function createServer(
  options?: ServerOptions | ConnectionListener,
  listener?: ConnectionListener,
): Server {
  return new Server(options, listener);
}
