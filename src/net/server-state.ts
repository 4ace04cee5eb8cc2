import type net from 'node:net';
import type { UnixListenOptions, UnixListener } from './unix-listener.ts';
import type { AcceptGate } from './accept-gate.ts';
import type { ServerInternals } from './handles.ts';
import type { LongTimer } from './deadline.ts';

export interface ServerOptions extends net.ServerOpts {
  /** Given to every accepted socket; see SocketOptions. Default false. */
  readonly dataBeforeError?: boolean | undefined;
  /**
   * Read from an accepted socket only when its bytes are asked for: until then they wait in the system. Default
   * false.
   */
  readonly readOnDemand?: boolean | undefined;
  /** With `keepAlive`: milliseconds between probes of accepted sockets. Default: node:net's, one second. */
  readonly keepAliveInterval?: number | undefined;
  /** With `keepAlive`: unanswered probes after which an accepted socket fails. Default: node:net's, ten. */
  readonly keepAliveCount?: number | undefined;
  /**
   * What happens to connections beyond `maxConnections`: `drop` closes them and emits 'drop', as node:net does;
   * `wait` stops accepting, so that they wait in the backlog until a connection ends. Default `drop`.
   */
  readonly overflow?: 'drop' | 'wait' | undefined;
  /** Emit 'close' directly after every 'error', and close a server that is still listening. Default false. */
  readonly closeAfterError?: boolean | undefined;
  /**
   * Descriptors to leave free. When an accepted one comes closer than that to the process's limit, 'exhausted' is
   * emitted with an EMFILE error, and accepting pauses until some are free again. A server that cannot be paused in
   * its backlog (Unix sockets, and TCP before Node 24.20) only reports. 0 switches it off; then libuv silently
   * accepts and closes connections for which it has no descriptor. Default 8. Only Linux reports the limit.
   */
  readonly descriptorReserve?: number | undefined;
}

export interface ListenOptions extends net.ListenOptions, UnixListenOptions {
  /**
   * Where to listen when the host is omitted: `dual` is node:net's `::`, or 0.0.0.0 where IPv6 is off; `ipv4` is
   * 0.0.0.0, every IPv4 address and no other. Default `dual`.
   */
  readonly anyAddress?: 'dual' | 'ipv4' | undefined;
}

/** What a tnet Server remembers besides node:net's own fields. */
export interface ServerState {
  readonly options: ServerOptions;
  /** As given to the last listen(). */
  listenOptions: ListenOptions;
  /** From listening to close(). */
  gate: AcceptGate | undefined;
  /** The Unix socket file to delete, from listening to close(). */
  unix: UnixListener | undefined;
  /** Runs while pause() does. */
  pauseTimer: LongTimer | undefined;
  /** Runs while accepting waits for free descriptors. */
  retryTimer: NodeJS.Timeout | undefined;
  /** Open connections that do not count against maxConnections any more. */
  readonly released: Set<net.Socket>;
  /** Opens the gate if enough descriptors are free; set when they first run out. */
  lookForDescriptors: (() => void) | undefined;
  /** From a call of close() to the 'close' that it leads to; only kept with `closeAfterError`. */
  isClosing: boolean;
}

export const kState = Symbol('tnet.server');

/** A server with its state; the class itself, without the import circle. */
export type StatefulServer = net.Server & { [kState]: ServerState };

export function createServerState(options: unknown): ServerState {
  return {
    options: typeof options === 'object' && options !== null ? options : {},
    listenOptions: {},
    gate: undefined,
    unix: undefined,
    pauseTimer: undefined,
    retryTimer: undefined,
    released: new Set(),
    lookForDescriptors: undefined,
    isClosing: false,
  };
}

export function internals(server: net.Server): ServerInternals {
  return server as unknown as ServerInternals;
}

/** How many connections count against a server's limit: the open ones whose place has not been given back. */
export function countPlaces(server: StatefulServer): number {
  const { released } = server[kState];
  // A closing connection is no longer counted by node:net, and leaves the set a little later.
  const away = released.size === 0 ? 0 : [...released].filter(({ destroyed }) => !destroyed).length;
  return internals(server)._connections - away;
}

/** Whether the server has as many connections as it may. */
export function isFull(server: StatefulServer): boolean {
  // node:net gives the property no value until it is set.
  const { maxConnections } = server as { maxConnections?: number | null };
  return maxConnections != null && countPlaces(server) >= maxConnections;
}

/**
 * Gives an accepted connection's place to the next one although it is still open: its client has ended its side and
 * may be gone. The server's close() goes on waiting for it. Does nothing for other sockets.
 */
export function releasePlace(socket: net.Socket): void {
  const { _server: server } = socket as unknown as { _server?: StatefulServer | null };
  if (!server || !(kState in server) || socket.destroyed) return;
  const { released, gate } = server[kState];
  released.add(socket);
  socket.once('close', () => released.delete(socket));
  if (gate?.isShut && !isFull(server)) gate.open('full');
}
