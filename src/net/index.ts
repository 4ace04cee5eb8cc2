import net from 'node:net';
import type { ListenOptions, ServerOptions } from './server-options.ts';
import { Server } from './server.ts';
import { Socket, type SocketOptions } from './socket.ts';

export { isIP, isIPv4, isIPv6 } from './ip.ts';
export { Server, Socket };
export type { ListenOptions, ServerOptions, SocketOptions };

/** Creates a server; see Server. `listener` is added to its 'connection' event. */
export function createServer(
  options?: ServerOptions | ((socket: Socket) => void),
  listener?: (socket: Socket) => void,
): Server {
  return new Server(options, listener);
}

export type ConnectOptions = net.NetConnectOpts & SocketOptions;

/** Opens a connection and returns its socket at once; 'connect' or 'error' follows. Source: Node doc, net.connect(). */
export function connect(options: ConnectOptions, listener?: () => void): Socket;
export function connect(port: number, host?: string, listener?: () => void): Socket;
export function connect(port: number, listener?: () => void): Socket;
export function connect(path: string, listener?: () => void): Socket;
export function connect(...args: unknown[]): Socket {
  const normalized = (
    net as unknown as { _normalizeArgs: (args: unknown[]) => [ConnectOptions] }
  )._normalizeArgs(args);
  const socket = new Socket(normalized[0]);
  if (normalized[0].timeout) socket.setTimeout(normalized[0].timeout);
  socket.connect(normalized);
  return socket;
}

export { connect as createConnection };
