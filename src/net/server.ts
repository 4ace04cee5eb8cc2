import net from 'node:net';
import { Socket, type SocketOptions } from './socket.ts';

export interface ServerOptions extends net.ServerOpts {
  /** Given to every accepted socket; see SocketOptions. Default false. */
  readonly dataBeforeError?: boolean | undefined;
}

/** What node:net's accepted handle offers, as far as it is used here. */
interface AcceptedHandle {
  setNoDelay?: (on: boolean) => number;
}

interface ListeningHandle {
  onconnection: (error: number, handle?: AcceptedHandle) => void;
}

/** A TCP or Unix server whose accepted connections are tnet Sockets. */
export class Server extends net.Server {
  readonly #options: ServerOptions;

  constructor(options?: ServerOptions | ((socket: Socket) => void), listener?: (socket: Socket) => void) {
    const given = typeof options === 'function' ? {} : (options ?? {});
    const onConnection = typeof options === 'function' ? options : listener;
    super(given, onConnection as ((socket: net.Socket) => void) | undefined);
    this.#options = given;
  }

  /**
   * node:net calls this when it has bound the handle; it is named so for the programs that wrap it. Here it makes the
   * accepted connections tnet Sockets.
   */
  _listen2(...args: unknown[]): void {
    const prototype = net.Server.prototype as unknown as { _listen2: (...args: unknown[]) => void };
    prototype._listen2.apply(this, args);
    const handle = (this as unknown as { _handle: ListeningHandle | null })._handle;
    if (!handle) return;
    const accept = handle.onconnection;
    handle.onconnection = (error, client) => {
      if (error || !client || this.#isRefused()) accept.call(handle, error, client);
      else this.#adopt(client);
    };
  }

  #isRefused(): boolean {
    const { maxConnections, _connections: connections } = this as unknown as {
      maxConnections?: number;
      _connections: number;
    };
    return maxConnections != null && connections >= maxConnections;
  }

  #adopt(handle: AcceptedHandle): void {
    const options = this.#options;
    const socket = new Socket({
      handle,
      allowHalfOpen: options.allowHalfOpen,
      pauseOnCreate: options.pauseOnConnect,
      readableHighWaterMark: options.highWaterMark,
      writableHighWaterMark: options.highWaterMark,
      dataBeforeError: options.dataBeforeError,
    } as unknown as SocketOptions);
    if (options.noDelay) socket.setNoDelay(true);
    if (options.keepAlive) socket.setKeepAlive(true, options.keepAliveInitialDelay);
    (this as unknown as { _connections: number })._connections++;
    Object.assign(socket, { server: this, _server: this });
    this.emit('connection', socket);
  }
}
