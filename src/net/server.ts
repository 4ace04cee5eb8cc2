import { errorMonitor } from 'node:events';
import net from 'node:net';
import { installAcceptor, removeAcceptor } from './accept.ts';
import {
  isFull,
  createServerState,
  internals,
  kState,
  type ServerState,
  type ListenOptions,
  type ServerOptions,
} from './server-state.ts';
import { makeCallable } from './callable.ts';
import type { ListeningHandle, ServerInternals } from './handles.ts';
import { startLongTimer } from './deadline.ts';
import type { Socket } from './socket.ts';
import {
  changeUnixFile,
  changeUnixMode,
  keepUnixListener,
  openUnixListener,
  releaseUnixListener,
  replaceStaleListener,
  type UnixFileSettings,
  type UnixListener,
} from './unix-listener.ts';
import { createPathLengthError, isUnixPathTooLong } from './unix-path.ts';

const defaultBacklog = 511;
const defaultPauseMs = 1000;

/** Called with every accepted connection. */
export type ConnectionListener = (socket: Socket) => void;

type BindArguments = [
  address: string | null,
  port: number,
  addressType: number,
  backlog?: number,
  fd?: number,
  flags?: number,
];

const base = net.Server.prototype as unknown as ServerInternals & {
  _listen2: (...args: BindArguments) => void;
};

/** For events of the program's own, whose arguments it knows. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- as in node:net's types: `never` would be what a listener gets.
type AnyListener = (...args: any[]) => void;

/** The listeners' types: accepted connections are tnet Sockets, and there is one event more. */
// eslint-disable-next-line @typescript-eslint/no-unsafe-declaration-merging -- every member is net.Server's own.
interface ServerClass {
  addListener(event: 'connection', listener: ConnectionListener): this;
  addListener(event: 'exhausted', listener: (error: Error) => void): this;
  addListener(event: 'drop', listener: (data?: net.DropArgument) => void): this;
  addListener(event: 'error', listener: (error: Error) => void): this;
  addListener(event: string | symbol, listener: AnyListener): this;
  on(event: 'connection', listener: ConnectionListener): this;
  on(event: 'exhausted', listener: (error: Error) => void): this;
  on(event: 'drop', listener: (data?: net.DropArgument) => void): this;
  on(event: 'error', listener: (error: Error) => void): this;
  on(event: string | symbol, listener: AnyListener): this;
  once(event: 'connection', listener: ConnectionListener): this;
  once(event: 'exhausted', listener: (error: Error) => void): this;
  once(event: 'drop', listener: (data?: net.DropArgument) => void): this;
  once(event: 'error', listener: (error: Error) => void): this;
  once(event: string | symbol, listener: AnyListener): this;
  prependListener(event: 'connection', listener: ConnectionListener): this;
  prependListener(event: 'exhausted', listener: (error: Error) => void): this;
  prependListener(event: 'drop', listener: (data?: net.DropArgument) => void): this;
  prependListener(event: 'error', listener: (error: Error) => void): this;
  prependListener(event: string | symbol, listener: AnyListener): this;
  prependOnceListener(event: 'connection', listener: ConnectionListener): this;
  prependOnceListener(event: 'exhausted', listener: (error: Error) => void): this;
  prependOnceListener(event: 'drop', listener: (data?: net.DropArgument) => void): this;
  prependOnceListener(event: 'error', listener: (error: Error) => void): this;
  prependOnceListener(event: string | symbol, listener: AnyListener): this;
}

/** What Server is without being callable. */
// eslint-disable-next-line @typescript-eslint/no-unsafe-declaration-merging -- see the interface.
class ServerClass extends net.Server {
  declare [kState]: ServerState;

  constructor(options?: ServerOptions | ConnectionListener, listener?: ConnectionListener) {
    super(options as net.ServerOpts, listener as ((socket: net.Socket) => void) | undefined);
    initialiseServer(this, options);
  }

  /** The number of open connections, at any time. See also getConnections(). */
  declare connections: number;

  /** Whether the server leaves its connections waiting, for whatever reason. */
  get paused(): boolean {
    const { pauseTimer, gate } = this[kState];
    return pauseTimer !== undefined || gate?.isShut === true;
  }

  /**
   * Stops accepting for `msecs` milliseconds. Connections made meanwhile wait, and none is lost: in the system's
   * backlog, or for Unix sockets (and TCP before Node 24.20) accepted but undelivered, up to 511 of them.
   * Calling it again restarts the time. Source: net.Server.pause() of Node 0.x.
   */
  pause(msecs: number = defaultPauseMs): this {
    checkMsecs(msecs);
    const state = this[kState];
    state.pauseTimer?.clear();
    state.pauseTimer = startLongTimer(() => this.resume(), msecs);
    state.gate?.shut('paused');
    return this;
  }

  /** Ends a pause() before its time. */
  resume(): this {
    const state = this[kState];
    state.pauseTimer?.clear();
    state.pauseTimer = undefined;
    state.gate?.open('paused');
    return this;
  }

  /**
   * Changes who may use the socket file of a Unix server from now on; what is not given is as the system made it.
   *
   * @throws what chmod(2) or chown(2) says
   */
  changeUnixFile(settings: UnixFileSettings): void {
    const { unix } = this[kState];
    if (unix) changeUnixFile(unix, settings);
  }

  override listen(options: ListenOptions, listener?: () => void): this;
  override listen(port?: number, host?: string, backlog?: number, listener?: () => void): this;
  override listen(port?: number, host?: string, listener?: () => void): this;
  override listen(port?: number, backlog?: number, listener?: () => void): this;
  override listen(port?: number, listener?: () => void): this;
  override listen(path: string, backlog?: number, listener?: () => void): this;
  override listen(path: string, listener?: () => void): this;
  override listen(handle: unknown, backlog?: number, listener?: () => void): this;
  override listen(handle: unknown, listener?: () => void): this;
  override listen(...args: unknown[]): this {
    const state = this[kState];
    const [given] = args;
    const options = typeof given === 'object' && given !== null ? (given as ListenOptions) : {};
    state.listenOptions = options;
    // As in node:net: an empty host counts as none, and a port takes precedence over a path.
    if (options.anyAddress === 'ipv4' && !options.host && options.port != null) {
      args[0] = { ...options, host: '0.0.0.0' };
    }
    return (super.listen as (...args: unknown[]) => this)(...args);
  }

  override close(callback?: (error?: Error) => void): this {
    removeAcceptor(this);
    const state = this[kState];
    state.isClosing = true;
    const finish = state.unix && releaseUnixListener(state.unix);
    state.unix = undefined;
    super.close(callback);
    finish?.();
    return this;
  }

  /** node:net calls this to bind; the name is kept for programs that wrap it. */
  _listen2(...args: BindArguments): void {
    const [address, port, addressType, backlog, fd] = args;
    const server = internals(this);
    const isPath = port === -1 && addressType === -1 && typeof address === 'string' && typeof fd !== 'number';
    if (server._handle || !isPath || address.startsWith('\0') || process.platform === 'win32') {
      bind(this, args);
      return;
    }
    if (isUnixPathTooLong(address)) {
      process.nextTick(() => this.emit('error', createPathLengthError(address)));
      return;
    }
    const { replaceStale, mode, owner } = this[kState].listenOptions;
    const request = { path: address, backlog: chooseBacklog(backlog), mode, owner };
    let opened;
    try {
      opened = openUnixListener(request);
    } catch (error) {
      process.nextTick(() => this.emit('error', error as Error));
      return;
    }
    if (opened ?? !replaceStale) {
      bind(this, args, opened);
      return;
    }
    const { _listeningId: id } = server;
    void replaceStaleListener(request).then(
      (replaced) => {
        if (server._listeningId === id) {
          bind(this, args, replaced);
          if (replaced) changeUnixMode(replaced, this[kState].listenOptions);
        } else if (replaced) {
          const finish = releaseUnixListener(replaced);
          replaced.handle.close();
          finish();
        }
      },
      (error: unknown) => {
        if (server._listeningId === id) this.emit('error', error as Error);
      },
    );
  }

  /** node:net calls this whenever a connection has closed. */
  _emitCloseIfDrained(): void {
    const { gate, retryTimer, lookForDescriptors } = this[kState];
    if (gate?.isShut && !isFull(this)) gate.open('full');
    // The descriptor of the connection is closed a little later.
    if (retryTimer && lookForDescriptors) setImmediate(lookForDescriptors);
    base._emitCloseIfDrained.call(this);
  }
}

// The types of node:net have it as a property still, which an accessor of the class may not override.
Object.defineProperty(ServerClass.prototype, 'connections', {
  get(this: ServerClass) {
    return internals(this)._connections;
  },
  // It was a plain property in Node 0.x: counting continues from a value that is set.
  set(this: ServerClass, count: number) {
    internals(this)._connections = count;
  },
  configurable: true,
});

function bind(server: ServerClass, args: BindArguments, opened?: UnixListener): void {
  const fields = internals(server);
  if (opened) {
    fields._handle = opened.handle;
    server[kState].unix = opened;
    keepUnixListener(opened);
  }
  base._listen2.apply(server as unknown as ServerInternals, args);
  if (fields._handle) installAcceptor(server, fields._handle, chooseBacklog(args[3]));
}

/**
 * Lets a server accept on a handle that is bound already, which belongs to the server from now on, with the file of its
 * socket. Emits 'listening' as listen() does.
 */
export function listenOn(
  server: ServerClass,
  { handle, unix }: { readonly handle: ListeningHandle; readonly unix?: UnixListener | undefined },
  backlog?: number,
): void {
  internals(server)._handle = handle;
  if (unix) {
    server[kState].unix = unix;
    keepUnixListener(unix);
  }
  bind(server, [null, -1, -1, backlog]);
}

/** node:net passes 0 for a backlog that was not given, and means its default. Source: setupListenHandle() in node:net. */
function chooseBacklog(backlog: number | undefined): number {
  return backlog === undefined || backlog === 0 ? defaultBacklog : backlog;
}

function initialiseServer(server: ServerClass, options: unknown): void {
  const state = createServerState(options);
  server[kState] = state;
  if (!state.options.closeAfterError) return;
  // The types have no symbol events.
  (server as NodeJS.EventEmitter).on(errorMonitor, () => process.nextTick(closeAfterError, server));
  server.on('close', () => {
    state.isClosing = false;
  });
}

/**
 * 'close' follows whether or not there was anything to close, and once: a listener of 'error' may have closed the server
 * itself. Source: net.Server, 'error', of Node 0.x.
 */
function closeAfterError(server: ServerClass): void {
  if (server[kState].isClosing) return;
  if (server.listening) server.close();
  else server.emit('close');
}

/**
 * A TCP or Unix server whose accepted connections are tnet Sockets. As with node:net it may be called without `new`,
 * and `instanceof` says yes to every server of node:net too.
 */
export const Server = makeCallable(ServerClass, net.Server, 'Server', (server, options, listener) => {
  const construct = net.Server as unknown as (this: net.Server, ...args: unknown[]) => void;
  construct.call(server, options, listener);
  initialiseServer(server, options);
});
export type Server = ServerClass;

function checkMsecs(msecs: unknown): void {
  if (typeof msecs === 'number' && msecs >= 0) return;
  throw Object.assign(
    new TypeError(`The "msecs" argument must be a number from 0 up. Received ${String(msecs)}`),
    {
      code: 'ERR_INVALID_ARG_VALUE',
    },
  );
}
