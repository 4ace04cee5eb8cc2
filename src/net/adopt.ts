import { channel } from 'node:diagnostics_channel';
import type { AcceptedHandle } from './handles.ts';
import { internals, kState, type StatefulServer } from './server-state.ts';
import type { SocketOptions } from './socket-options.ts';
import { SocketClass, type SetKeepAlive } from './socket.ts';

/** Makes an accepted connection a Socket of the server, with the server's options, and announces it. */
export function adoptHandle(server: StatefulServer, handle: AcceptedHandle): void {
  const fields = internals(server);
  const { dataBeforeError, keepAliveInterval, keepAliveCount } = server[kState].options;
  const socket = new SocketClass({
    handle,
    allowHalfOpen: fields.allowHalfOpen,
    pauseOnCreate: fields.pauseOnConnect,
    readable: true,
    writable: true,
    readableHighWaterMark: fields.highWaterMark,
    writableHighWaterMark: fields.highWaterMark,
    dataBeforeError,
  } as unknown as SocketOptions);
  if (fields.noDelay) socket.setNoDelay(true);
  if (fields.keepAlive) {
    const idleMs = fields.keepAliveInitialDelay * 1000;
    (socket.setKeepAlive as SetKeepAlive)(true, idleMs, keepAliveInterval, keepAliveCount);
  }
  fields._connections++;
  const owned = socket as unknown as { server: StatefulServer; _server: StatefulServer };
  owned.server = server;
  owned._server = server;
  server.emit('connection', socket);
  if (serverSocketChannel.hasSubscribers) serverSocketChannel.publish({ socket });
}

/** Node's own channel for accepted connections. Source: Node doc, diagnostics_channel, "Net". */
const serverSocketChannel = channel('net.server.socket');
